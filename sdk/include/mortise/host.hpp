// What a component may ask of the host: to make another component out of a validated table.
#pragma once

#include <memory>
#include <string_view>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// Implemented by core and by the conformance runner.  Outlives every component.
class MORTISE_API Host {
 public:
  virtual ~Host();
  /// Makes the component that `config` describes (its `type` names it) behind `interface_id`
  /// ("position/1.0"). `args` points to that interface's Args.  Returns an Interface*, owned by the
  /// caller. Throws: PluginError, or what the component's constructor threw.   Thread:
  /// [main-thread].
  virtual void* make(std::string_view interface_id, const Value& config, const void* args) = 0;
};

/// Args of the interfaces that need none.
struct NoArgs {};

/// Makes a component behind Interface.  See Host::make.
template <class Interface>
std::unique_ptr<Interface> make(Host& host,
                                const Value& config,
                                const typename Interface::Args& args) {
  return std::unique_ptr<Interface>(
      static_cast<Interface*>(host.make(Interface::kInterface, config, &args)));
}

}  // namespace mortise
