// What a shared library says about itself without being loaded: build id, and the C and C++ library levels it needs.
#pragma once

#include <string>

struct ElfNotes {
  std::string build_id;  // hexadecimal; empty when the linker wrote none
  std::string glibc;     // highest GLIBC_x.y that it needs
  std::string glibcxx;   // highest GLIBCXX_x.y.z that it needs
};

/// Throws: std::runtime_error when the file is no 64-bit ELF or points outside itself.
ElfNotes read_elf_notes(const std::string& path);
