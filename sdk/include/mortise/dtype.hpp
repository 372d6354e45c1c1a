// Element types of stored tensors, named as safetensors names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Persistent: names stand in files; the numbers do not.
enum class Dtype {
  Bool,
  U8,
  I8,
  F8E5M2,
  F8E4M3,
  F8E8M0,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  F64,
  I64,
  U64,
  C64
};

/// Bits of one element.
MORTISE_API int64_t dtype_bits(Dtype dtype);
/// "F32", "BF16", ….
MORTISE_API std::string_view dtype_name(Dtype dtype);
/// Returns nothing for an unknown name.
MORTISE_API std::optional<Dtype> dtype_from_name(std::string_view name);

}  // namespace mortise
