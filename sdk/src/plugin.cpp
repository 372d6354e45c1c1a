// The author's side of the boundary: fills the frozen descriptor, and turns exceptions into
// messages.
#include "mortise/plugin.hpp"

#include <cstring>

#include "mortise/json.hpp"

namespace mortise::detail {

namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

mortise_component describe_part(const PluginPart& part) {
  return {part.interface_id.c_str(),
          part.name.c_str(),
          part.doc.c_str(),
          part.schema.c_str(),
          part.layout.c_str(),
          part.create,
          part.destroy};
}

}  // namespace

std::string schema_text(const SchemaInfo& info) { return to_json(info.to_value()); }

void report_current_exception(const mortise_error_sink& sink) noexcept {
  try {
    throw;
  } catch (const Error& error) {
    std::string where;
    try {
      where = joined(error.context());
    } catch (...) {  // out of memory: the message alone still helps
    }
    sink.report(sink.context,
                static_cast<int32_t>(error.code()),
                error.message().c_str(),
                error.hint().c_str(),
                where.c_str());
  } catch (const std::exception& error) {
    sink.report(sink.context, static_cast<int32_t>(Code::Plugin), error.what(), "", "");
  } catch (...) {
    sink.report(sink.context,
                static_cast<int32_t>(Code::Plugin),
                "an exception of unknown type was thrown",
                "",
                "");
  }
}

const mortise_plugin* finish_plugin(PluginStorage& storage,
                                    const char* id,
                                    const char* version,
                                    const char* license,
                                    const char* tag,
                                    void (*shutdown)()) {
  if (storage.descriptor.size != 0) return &storage.descriptor;
  for (const PluginPart& part : storage.parts) {
    if (part.create != nullptr) storage.components.push_back(describe_part(part));
    if (part.on_load != nullptr) part.on_load();
  }
  mortise_plugin& out = storage.descriptor;
  std::memcpy(out.magic, MORTISE_MAGIC, sizeof out.magic);
  out.size = sizeof(mortise_plugin);
  out.abi = MORTISE_ABI;
  out.id = id;
  out.version = version;
  out.license = license;
  out.tag = tag;
  out.component_size = sizeof(mortise_component);
  out.num_components = static_cast<uint32_t>(storage.components.size());
  out.components = storage.components.data();
  out.shutdown = shutdown;
  return &out;
}

}  // namespace mortise::detail
