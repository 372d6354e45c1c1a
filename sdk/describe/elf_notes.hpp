// What a shared library says about itself without being loaded: build id, the C and C++ library
// levels it needs, the libraries it names, and the symbols it exports.
#pragma once

#include <string>
#include <vector>

struct ElfNotes {
  std::string build_id;               // hexadecimal; empty when the linker wrote none
  std::string glibc;                  // highest GLIBC_x.y that it needs
  std::string glibcxx;                // highest GLIBCXX_x.y.z that it needs
  std::vector<std::string> needed;    // DT_NEEDED
  std::vector<std::string> run_path;  // DT_RPATH and DT_RUNPATH, as written
  std::vector<std::string> exported;  // defined, not hidden, global or weak; mangled

  /// Whether it names the tensor tier of the SDK or LibTorch itself.
  bool needs_torch() const;
};

/// Throws: std::runtime_error when the file is no 64-bit ELF or points outside itself.
ElfNotes read_elf_notes(const std::string& path);
