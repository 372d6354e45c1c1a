// Descriptor checks and the error sink.
#include "core/plugin/descriptor.hpp"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/plugin/handshake.hpp"

namespace mortise::core {

namespace {

const char* text_of(const char* text) { return text == nullptr ? "" : text; }

std::string describe_command(const PluginManifest& manifest) {
  return fmt::format(
      "write it again:  mortise-describe {} {}/plugin.toml", manifest.path(), manifest.folder);
}

[[noreturn]] void stale(const PluginManifest& manifest,
                        const std::string& what,
                        std::string_view in_manifest,
                        std::string_view in_library) {
  throw PluginError(
      fmt::format(
          "the manifest of plugin {} is stale: {} is \"{}\" in {}/plugin.toml and \"{}\" in {}",
          manifest.id,
          what,
          in_manifest,
          manifest.folder,
          in_library,
          manifest.file),
      describe_command(manifest));
}

void compare_text(const PluginManifest& manifest,
                  const std::string& what,
                  const std::string& in_manifest,
                  const char* in_library) {
  if (in_manifest != text_of(in_library)) stale(manifest, what, in_manifest, text_of(in_library));
}

const mortise_component& component_at(const mortise_plugin& descriptor, uint32_t index) {
  const auto* bytes = reinterpret_cast<const char*>(descriptor.components);
  return *reinterpret_cast<const mortise_component*>(bytes +
                                                     size_t{index} * descriptor.component_size);
}

}  // namespace

void ErrorCatcher::report(
    void* context, int32_t code, const char* message, const char* hint, const char* where) {
  auto& self = *static_cast<ErrorCatcher*>(context);
  self.is_set_ = true;
  self.code_ = code;
  self.message_ = text_of(message);
  self.hint_ = text_of(hint);
  self.where_ = text_of(where);
}

mortise_error_sink ErrorCatcher::sink() { return {this, &ErrorCatcher::report}; }

void ErrorCatcher::rethrow(std::string where) const {
  const auto with_context = [&](Error&& error) -> Error&& {
    if (!where_.empty()) error.add_context(where_);
    error.add_context(std::move(where));
    return std::move(error);
  };
  if (!is_set_)
    throw static_cast<PluginError&&>(
        with_context(PluginError("the plugin failed without a message")));
  switch (static_cast<Code>(code_)) {
    case Code::Data:
      throw static_cast<DataError&&>(with_context(DataError(message_, hint_)));
    case Code::Usage:
    case Code::DoesNotFit:
    case Code::Gate:
    case Code::Internal:
    case Code::Io:
    case Code::Peer:
    case Code::Interrupted:
      throw with_context(Error(static_cast<Code>(code_), message_, hint_));
    case Code::Plugin:
      break;
  }
  throw static_cast<PluginError&&>(with_context(PluginError(message_, hint_)));
}

const mortise_plugin* call_entry_function(mortise_plugin_entry_fn entry,
                                          const PluginManifest& manifest) {
  ErrorCatcher catcher;
  const mortise_error_sink sink = catcher.sink();
  const mortise_plugin* descriptor = nullptr;
  const std::string where = fmt::format(
      "while loading plugin {} {} from {}", manifest.id, manifest.version, manifest.path());
  try {
    descriptor = entry(&sink);
  } catch (const std::exception& error) {  // MORTISE_PLUGIN never throws; a hand-written entry may
    throw PluginError(fmt::format("plugin {} threw from its entry: {}", manifest.id, error.what()),
                      "the entry must be noexcept: declare the plugin with MORTISE_PLUGIN");
  } catch (...) {
    throw PluginError(
        fmt::format("plugin {} threw an exception of unknown type from its entry", manifest.id),
        "the entry must be noexcept: declare the plugin with MORTISE_PLUGIN");
  }
  if (descriptor == nullptr) catcher.rethrow(where);
  if (std::memcmp(descriptor->magic, MORTISE_MAGIC, sizeof descriptor->magic) != 0)
    throw PluginError(fmt::format("plugin {}: {} has a wrong magic number; it is no Mortise plugin",
                                  manifest.id,
                                  manifest.path()),
                      "declare the plugin with MORTISE_PLUGIN");
  if (descriptor->abi != MORTISE_ABI)
    throw PluginError(fmt::format("plugin {}: {} speaks ABI {}, this mortise {}",
                                  manifest.id,
                                  manifest.path(),
                                  descriptor->abi,
                                  MORTISE_ABI),
                      "rebuild it:  " + rebuild_command());
  if (descriptor->size < sizeof(mortise_plugin) ||
      descriptor->component_size < sizeof(mortise_component))
    throw PluginError(fmt::format("plugin {}: its descriptor has {} bytes a plugin and {} a "
                                  "component, expected at least {} and {}",
                                  manifest.id,
                                  descriptor->size,
                                  descriptor->component_size,
                                  sizeof(mortise_plugin),
                                  sizeof(mortise_component)),
                      "rebuild it:  " + rebuild_command());
  return descriptor;
}

void check_descriptor(const mortise_plugin& descriptor, const PluginManifest& manifest) {
  compare_text(manifest, "id", manifest.id, descriptor.id);
  compare_text(manifest, "version", manifest.version, descriptor.version);
  compare_text(manifest, "license", manifest.license, descriptor.license);
  compare_text(manifest, "tag", manifest.tag_text, descriptor.tag);
  if (manifest.components.size() != descriptor.num_components)
    stale(manifest,
          "the number of components",
          std::to_string(manifest.components.size()),
          std::to_string(descriptor.num_components));
  for (uint32_t i = 0; i < descriptor.num_components; ++i) {
    const ComponentEntry& entry = manifest.components[i];
    const mortise_component& component = component_at(descriptor, i);
    const std::string of = fmt::format(" of component {}", entry.name);
    compare_text(
        manifest, fmt::format("the name of component {}", i + 1), entry.name, component.name);
    compare_text(manifest, "the interface" + of, entry.interface_id, component.interface_id);
    compare_text(manifest, "the layout" + of, entry.layout, component.layout);
    compare_text(manifest, "the doc" + of, entry.doc, component.doc);
    if (entry.schema_text != text_of(component.schema))
      stale(manifest, "the schema" + of, "one", "another");
    if (component.create == nullptr || component.destroy == nullptr)
      throw PluginError(fmt::format("plugin {}: component {} has no create or no destroy function",
                                    manifest.id,
                                    entry.name),
                        "declare it with mortise::component<T>");
  }
}

const mortise_component* find_component(const mortise_plugin& descriptor,
                                        const ComponentEntry& entry) {
  for (uint32_t i = 0; i < descriptor.num_components; ++i) {
    const mortise_component& component = component_at(descriptor, i);
    if (entry.name == text_of(component.name) &&
        entry.interface_id == text_of(component.interface_id))
      return &component;
  }
  return nullptr;
}

}  // namespace mortise::core
