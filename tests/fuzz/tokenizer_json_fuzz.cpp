// Feeds arbitrary bytes to the tokenizer.json reader of tokenizer/byte_bpe, and what follows the
// first NUL to the tokenizer it gives. The file is refused with an Error, or every encoding is
// sound: known ids, offsets inside the text, and an exact second reading of what is written.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mortise/error.hpp"
#include "mortise/log.hpp"

#include "plugins/tokenizer/byte_bpe/encoder.hpp"

namespace {

using namespace mortise;
using namespace mortise::tokenizer::byte_bpe;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_encoding(const Encoder& encoder, std::string_view text, const EncodeOptions& options) {
  const Encoding encoding = encoder.encode(text, options);
  check(encoding.offsets.size() == (options.offsets ? encoding.ids.size() : 0));
  for (const auto& span : encoding.offsets)
    check(0 <= span.begin && span.begin <= span.end &&
          span.end <= static_cast<int64_t>(text.size()));
  encoder.decode(encoding.ids, /*skip_special=*/true);
  encoder.decode(encoding.ids, /*skip_special=*/false);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  log::set_sink(nullptr, nullptr, log::Level::Off);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  try {
    const Encoder encoder(read_tokenizer_json(input.substr(0, end), "fuzz"));
    check_encoding(encoder, text, {.add_special = true, .parse_special = true, .offsets = true});
    check_encoding(encoder, text, {.add_special = false, .parse_special = false, .offsets = false});
    const std::string written = write_tokenizer_json(encoder.definition());
    const Encoder again(read_tokenizer_json(written, "written"));
    check(write_tokenizer_json(again.definition()) == written);
  } catch (const Error&) {
    // refused with a message: what a wrong file deserves
  }
  return 0;
}
