// The text of plugin.toml, and the hash that `--rehash` puts into it at install time.
#pragma once

#include <string>

#include "mortise/abi.h"

#include "elf_notes.hpp"

/// Renders the manifest of a loaded plugin.  Persistent: the host reads these keys
/// (core/plugin/manifest.cpp).
std::string manifest_text(const mortise_plugin& plugin,
                          const ElfNotes& notes,
                          const std::string& file_name);
/// Returns the manifest with `sha256` set to the hash of its library.  Throws: std::runtime_error.
std::string with_hash(const std::string& manifest, const std::string& folder);
