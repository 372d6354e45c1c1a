// What every component is: an object of a plugin behind an interface, with extensions asked for by
// type.
//
// An interface's vtable never changes within a major version.  What is added later is an extension:
// a separate abstract class in namespace mortise::ext.  A component simply derives from it;
// component<T>() (plugin.hpp) sees that and answers the query, so that authors never write one.
#pragma once

#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

class Component;

namespace detail {
/// Returns the address of the extension `id` inside `object`, or null.  Generated per component
/// class.
using QueryFn = void* (*)(Component* object, std::string_view id);

template <class... Extensions>
struct ExtensionList {};
}  // namespace detail

/// Base of all interfaces.  Owns: nothing.  Lifetime: the host destroys a component before it
/// leaves main.
class MORTISE_API Component {
 public:
  Component() = default;
  virtual ~Component();
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;

  /// Used by component<T>() only.
  void attach_query(detail::QueryFn function) noexcept { query_ = function; }

  void* query(std::string_view extension_id) noexcept {
    return query_ == nullptr ? nullptr : query_(this, extension_id);
  }

 private:
  detail::QueryFn query_ = nullptr;
};

/// Asks a component for an extension, for example query<ext::FusedStep>(optimizer).  Returns null
/// when it has none. Thread: [any-thread].   Lifetime: that of the component.
template <class Extension>
Extension* query(Component& component) noexcept {
  return static_cast<Extension*>(component.query(Extension::kExtension));
}

}  // namespace mortise
