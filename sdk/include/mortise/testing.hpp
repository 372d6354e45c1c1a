// Makes a component of the plugin whose objects are linked into this test program, through the
// plugin's own entry: the test sees exactly what a host would.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mortise/abi.h"
#include "mortise/error.hpp"
#include "mortise/host.hpp"

extern "C" MORTISE_API const mortise_plugin* mortise_plugin_entry(const mortise_error_sink* errors);

namespace mortise::testing {

/// Throws what a plugin reported.
inline mortise_error_sink throwing_sink(std::string& message) {
  return {&message, [](void* context, int32_t, const char* text, const char*, const char*) {
            *static_cast<std::string*>(context) = text;
          }};
}

/// Makes component `name` with its defaults and `changes` over them.  `host` makes nested
/// components; null: there are none. Throws: Error with the plugin's message.   Thread:
/// [main-thread].
template <class Interface>
std::unique_ptr<Interface> make(std::string_view name,
                                const typename Interface::Args& args = {},
                                const Value::Table& changes = {},
                                Host* host = nullptr) {
  std::string message;
  const mortise_error_sink sink = throwing_sink(message);
  const mortise_plugin* plugin = mortise_plugin_entry(&sink);
  if (plugin == nullptr) throw PluginError(message);
  for (uint32_t i = 0; i < plugin->num_components; ++i) {
    const mortise_component& component = plugin->components[i];
    if (name != component.name || std::string_view(component.interface_id) != Interface::kInterface)
      continue;
    const Value config(changes);
    const mortise_create_args create_args{sizeof(mortise_create_args), &config, &args, host, sink};
    void* object = component.create(&create_args);
    if (object == nullptr) throw PluginError(message);
    return std::unique_ptr<Interface>(static_cast<Interface*>(object));
  }
  throw PluginError(fmt::format("this plugin has no {} \"{}\"", Interface::kInterface, name));
}

}  // namespace mortise::testing
