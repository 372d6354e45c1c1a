// The table of element types.
#include "mortise/dtype.hpp"

#include <algorithm>
#include <array>

namespace mortise {

namespace {

struct Row {
  std::string_view name;
  int64_t bits;
};

constexpr std::array<Row, 17> kRows = {{{"BOOL", 8},
                                        {"U8", 8},
                                        {"I8", 8},
                                        {"F8_E5M2", 8},
                                        {"F8_E4M3", 8},
                                        {"F8_E8M0", 8},
                                        {"I16", 16},
                                        {"U16", 16},
                                        {"F16", 16},
                                        {"BF16", 16},
                                        {"I32", 32},
                                        {"U32", 32},
                                        {"F32", 32},
                                        {"F64", 64},
                                        {"I64", 64},
                                        {"U64", 64},
                                        {"C64", 64}}};

}  // namespace

int64_t dtype_bits(Dtype dtype) { return kRows[static_cast<size_t>(dtype)].bits; }

std::string_view dtype_name(Dtype dtype) { return kRows[static_cast<size_t>(dtype)].name; }

std::optional<Dtype> dtype_from_name(std::string_view name) {
  const auto it =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
  if (it == kRows.end()) return std::nullopt;
  return static_cast<Dtype>(it - kRows.begin());
}

}  // namespace mortise
