// Feeds arbitrary bytes to the line reader and the row parser of data_source/jsonl, which between
// them read all that a file holds.  Every line is refused with DataError, found not to be UTF-8, or
// gives a table that survives a JSON round trip. The first byte chooses the size of the reader's
// blocks, so that lines cross buffer ends.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

#include "plugins/data_source/jsonl/line_reader.hpp"
#include "plugins/data_source/jsonl/row_parser.hpp"

namespace {

using namespace mortise;
using namespace mortise::data_source::jsonl;

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(const uint8_t* data, size_t size, size_t block)
      : data_(data), left_(size), block_(block) {}

  size_t read(char* out, size_t capacity) override {
    const size_t count = std::min({capacity, left_, block_});
    if (count > 0) std::memcpy(out, data_, count);
    data_ += count;
    left_ -= count;
    return count;
  }

 private:
  const uint8_t* data_;
  size_t left_, block_;
};

void check_row(const Line& line, RowParser& parser) {
  Value row;
  try {
    if (!parser.parse(line.text, "fuzz.jsonl", line.number, row)) {
      if (pytext::is_valid_utf8(line.text)) std::abort();
      return;
    }
  } catch (const DataError&) {
    return;
  }
  if (!row.is_table() || !(parse_json(to_json(row)) == row)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static RowParser parser;
  auto stream = std::make_unique<MemoryStream>(data + 1, size - 1, size_t{data[0]} + 1);
  LineReader reader(std::move(stream), "fuzz.jsonl", /*max_line_bytes=*/1 << 16, /*capacity=*/64);
  try {
    for (Line line; reader.next(line);) check_row(line, parser);
    if (reader.offset() != static_cast<int64_t>(size) - 1) std::abort();
  } catch (const DataError&) {
  }
  return 0;
}
