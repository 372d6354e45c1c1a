// How a plugin declares itself: one macro, one line a component.
//
//   MORTISE_PLUGIN("org.acme.signum", "1.2.0", "Apache-2.0",
//                  mortise::component<Signum>("signum", "sign of the momentum"))
//
// The macro defines the one exported symbol, `mortise_plugin_entry`.  component<T> finds the
// interface, the Config, the constructor (T(Config, Args), T(Config), T(Args) or T()) and the
// extensions of T by itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mortise/abi.h"
#include "mortise/component.hpp"
#include "mortise/schema.hpp"
#include "mortise/tag.hpp"

namespace mortise {

/// The Config of a component without parameters.
struct NoConfig {
  static void describe(Schema<NoConfig>&) {}
};

/// One line of MORTISE_PLUGIN: a component, or a function to call when the plugin is loaded or shut
/// down.
struct PluginPart {
  std::string name, doc, interface_id, schema, layout;
  void* (*create)(const mortise_create_args*) = nullptr;
  void (*destroy)(void*) = nullptr;
  void (*on_load)() = nullptr;
  void (*on_shutdown)() = nullptr;
};

/// Calls `function` once while loading: the only place where LibTorch operators may be registered.
inline PluginPart on_load(void (*function)()) {
  PluginPart part;
  part.on_load = function;
  return part;
}

/// Calls `function` once before main returns, in reverse order of loading.
inline PluginPart on_shutdown(void (*function)()) {
  PluginPart part;
  part.on_shutdown = function;
  return part;
}

namespace detail {

/// Writes a SchemaInfo as the JSON that the descriptor carries.
MORTISE_API std::string schema_text(const SchemaInfo& info);
/// Reports the exception being handled to `sink`.
MORTISE_API void report_current_exception(const mortise_error_sink& sink) noexcept;

/// Fills the descriptor of this plugin once; returns null after reporting.  `storage` is the
/// plugin's static object.
struct PluginStorage {
  std::vector<PluginPart> parts;
  std::vector<mortise_component> components;
  mortise_plugin descriptor{};
};

MORTISE_API const mortise_plugin* finish_plugin(PluginStorage& storage,
                                                const char* id,
                                                const char* version,
                                                const char* license,
                                                const char* tag,
                                                void (*shutdown)());

template <class T, class = void>
struct ConfigOf {
  using type = NoConfig;
};

template <class T>
struct ConfigOf<T, std::void_t<typename T::Config>> {
  using type = typename T::Config;
};

template <class T, class... Extensions>
void* query_extensions(T* object, std::string_view id, ExtensionList<Extensions...>) {
  void* found = nullptr;
  [[maybe_unused]] const auto offer = [&]<class Extension>(std::type_identity<Extension>) {
    if constexpr (std::is_base_of_v<Extension, T>)
      if (id == Extension::kExtension) found = static_cast<Extension*>(object);
  };
  (offer(std::type_identity<Extensions>{}), ...);
  return found;
}

template <class T>
std::unique_ptr<T> construct(typename ConfigOf<T>::type config,
                             const typename T::Interface::Args& args) {
  using Config = typename ConfigOf<T>::type;
  using Args = typename T::Interface::Args;
  if constexpr (std::is_constructible_v<T, Config, const Args&>)
    return std::make_unique<T>(std::move(config), args);
  else if constexpr (std::is_constructible_v<T, Config>)
    return std::make_unique<T>(std::move(config));
  else if constexpr (std::is_constructible_v<T, const Args&>)
    return std::make_unique<T>(args);
  else
    return std::make_unique<T>();
}

template <class T>
void* create_component(const mortise_create_args* args) noexcept {
  try {
    using Interface = typename T::Interface;
    auto config = read_config<typename ConfigOf<T>::type>(*static_cast<const Value*>(args->config),
                                                          static_cast<Host*>(args->host));
    auto object =
        construct<T>(std::move(config), *static_cast<const typename Interface::Args*>(args->args));
    static_cast<Component&>(*object).attach_query([](Component* c, std::string_view id) -> void* {
      return query_extensions(static_cast<T*>(c), id, typename Interface::Extensions{});
    });
    return static_cast<Interface*>(object.release());
  } catch (...) {
    report_current_exception(args->errors);
    return nullptr;
  }
}

template <class T>
void destroy_component(void* object) {
  delete static_cast<typename T::Interface*>(object);
}

}  // namespace detail

/// Declares component T.  `name` is what a recipe writes as `type`; `doc` is one sentence.
template <class T>
PluginPart component(std::string name, std::string doc) {
  using Interface = typename T::Interface;
  static_assert(std::is_base_of_v<Interface, T>, "a component derives from its interface");
  PluginPart part;
  part.name = std::move(name);
  part.doc = std::move(doc);
  part.interface_id = Interface::kInterface;
  part.schema = detail::schema_text(describe<typename detail::ConfigOf<T>::type>().info());
  part.layout = Interface::layout();
  part.create = &detail::create_component<T>;
  part.destroy = &detail::destroy_component<T>;
  return part;
}

}  // namespace mortise

/// Defines this library's entry.  Exactly one per plugin, at namespace scope.
#define MORTISE_PLUGIN(id, version, license, ...)                                      \
  namespace {                                                                          \
  ::mortise::detail::PluginStorage& mortise_plugin_storage() {                         \
    static auto* storage = new ::mortise::detail::PluginStorage();                     \
    return *storage;                                                                   \
  }                                                                                    \
  void mortise_plugin_shutdown() {                                                     \
    for (const auto& part : mortise_plugin_storage().parts)                            \
      if (part.on_shutdown != nullptr) part.on_shutdown();                             \
  }                                                                                    \
  }                                                                                    \
  extern "C" MORTISE_API const mortise_plugin* mortise_plugin_entry(                   \
      const mortise_error_sink* errors) {                                              \
    try {                                                                              \
      auto& storage = mortise_plugin_storage();                                        \
      if (storage.parts.empty()) storage.parts = {__VA_ARGS__};                        \
      return ::mortise::detail::finish_plugin(                                         \
          storage, id, version, license, MORTISE_BUILD_TAG, &mortise_plugin_shutdown); \
    } catch (...) {                                                                    \
      ::mortise::detail::report_current_exception(*errors);                            \
      return nullptr;                                                                  \
    }                                                                                  \
  }                                                                                    \
  static_assert(true, "a semicolon may follow")
