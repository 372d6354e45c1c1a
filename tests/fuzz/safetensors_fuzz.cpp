// Feeds arbitrary bytes to the safetensors header parser.  It may refuse with DataError and nothing
// else; what it accepts must be consistent: ranges that follow one another and sizes that match
// their shapes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "mortise/error.hpp"
#include "mortise/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mortise;
  try {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto header = safetensors::parse_header(bytes, static_cast<int64_t>(size), "fuzz");
    int64_t at = 0;
    for (const auto& entry : header.entries) {
      int64_t elements = 1;
      for (const int64_t extent : entry.shape) elements *= extent;
      if (entry.begin != at || elements * dtype_bits(entry.dtype) != 8 * entry.bytes())
        std::abort();
      at = entry.end;
    }
    if (header.data_begin + at != static_cast<int64_t>(size)) std::abort();
    const auto laid_out = safetensors::lay_out(header.entries);
    if (!laid_out.empty() && laid_out.back().end != at) std::abort();
  } catch (const DataError&) {
  }
  return 0;
}
