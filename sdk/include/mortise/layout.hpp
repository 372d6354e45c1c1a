// The layout fingerprint of an interface: size, alignment and member offsets of every type that it
// passes.
//
// Plugin and host each compute it with their own compiler and headers; when they differ, the plugin
// is refused before an object crosses.  It catches what version numbers miss: a member added in the
// middle, another packing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "mortise/value.hpp"

namespace mortise {

/// Folds numbers into 16 hexadecimal digits (FNV-1a, 64 bit).
inline std::string layout_fingerprint(std::initializer_list<size_t> numbers) {
  uint64_t hash = 14695981039346656037ull;
  for (size_t number : numbers)
    for (int byte = 0; byte < 8; ++byte)
      hash = (hash ^ ((uint64_t{number} >> (8 * byte)) & 0xff)) * 1099511628211ull;
  std::string text(16, '0');
  for (int digit = 15; digit >= 0; --digit, hash >>= 4)
    text[static_cast<size_t>(digit)] = "0123456789abcdef"[hash & 15];
  return text;
}

}  // namespace mortise

/// Size and alignment of a type.
#define MORTISE_TYPE(type) sizeof(type), alignof(type)
/// Offset of a member.  GCC warns for types that are not standard layout although it computes the
/// right number.
#define MORTISE_MEMBER(type, member) __builtin_offsetof(type, member)
/// What every interface passes.
#define MORTISE_COMMON_TYPES \
  MORTISE_TYPE(std::string), MORTISE_TYPE(::mortise::Value), MORTISE_TYPE(std::vector<int>)
