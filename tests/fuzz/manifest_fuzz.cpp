// Feeds arbitrary bytes to the readers of plugin.toml and engine.toml and to the handshake behind
// them: each text is refused with PluginError, or gives a manifest whose names are clean, whose
// schemas parse or say why not, and which is compared with this host without a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mortise/error.hpp"

#include "core/plugin/handshake.hpp"
#include "manifest.hpp"

namespace {

using namespace mortise;
using namespace mortise::core;

void check_manifest(std::string_view text) {
  PluginManifest manifest = parse_manifest(text);
  if (manifest.file.find('/') != std::string::npos || manifest.file == "..") std::abort();
  for (const ComponentEntry& entry : manifest.components) {
    try {
      entry.schema();
    } catch (const PluginError&) {  // the schema says what is wrong with it
    }
  }
  static const HostFacts host = plain_host_facts();
  check_handshake(manifest, host);
  if (manifest.refusal.empty() != manifest.refusal_fix.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    check_manifest(text);
  } catch (const PluginError&) {
  }
  try {
    HostFacts host = plain_host_facts();
    add_engine_facts(host, text);
  } catch (const PluginError&) {
  }
  return 0;
}
