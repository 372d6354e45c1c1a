// The C side of the boundary as the host sees it: calling the entry, checking what it returned,
// catching its errors.
#pragma once

#include <string>

#include "mortise/abi.h"

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// Receives what a C-level call reports.  Lifetime: the sink is valid while this object lives.
class ErrorCatcher {
 public:
  mortise_error_sink sink();
  /// Throws the reported error as its own class (PluginError, DataError, Error), with `where` as
  /// outermost context.
  [[noreturn]] void rethrow(std::string where) const;

  bool is_set() const { return is_set_; }

  const std::string& message() const { return message_; }

 private:
  static void report(
      void* context, int32_t code, const char* message, const char* hint, const char* where);
  bool is_set_ = false;
  int32_t code_ = 0;
  std::string message_, hint_, where_;
};

/// Calls the entry and checks magic, size and ABI of what it returns.  Throws: PluginError. Thread:
/// [main-thread].
const mortise_plugin* call_entry_function(mortise_plugin_entry_fn entry,
                                          const PluginManifest& manifest);

/// Compares descriptor and manifest, member by member.  Throws: PluginError when the manifest is
/// stale or forged.
void check_descriptor(const mortise_plugin& descriptor, const PluginManifest& manifest);

/// Finds a component in a descriptor, honouring the plugin's own stride; null when absent.
const mortise_component* find_component(const mortise_plugin& descriptor,
                                        const ComponentEntry& entry);

}  // namespace mortise::core
