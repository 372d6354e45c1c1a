// The scan that stands before toml++ 3.3, which crashes on 100,000 nested key parts and on some
// malformed bytes.
//
// One pass over the bytes, no recursion: UTF-8, control characters, and the depth that the parser
// would reach, counted as header parts + parts of the dotted keys around + open brackets.  Inside
// strings and comments nothing is counted.
#include "toml_scan.hpp"

#include <vector>

#include <fmt/format.h>

namespace mortise {

namespace {

// Length of the UTF-8 sequence at text[i]; 0 when it is malformed (overlong, surrogate, truncated).
size_t utf8_length(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) {
    return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u;
  };
  const auto tail = [&](size_t k) { return (byte(k) & 0xc0u) == 0x80u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2) || (lead == 0xe0 && byte(1) < 0xa0) ||
        (lead == 0xed && byte(1) > 0x9f))
      return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (lead == 0xf0 && byte(1) < 0x90) ||
        (lead == 0xf4 && byte(1) > 0x8f))
      return 0;
    return 4;
  }
  return 0;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<TextFault> run() {
    if (static_cast<int64_t>(text_.size()) > kMaxRecipeBytes)
      return fault("E001",
                   fmt::format("a recipe file holds at most 8 MiB, this one {:.1f} MiB",
                               static_cast<double>(text_.size()) / (1 << 20)));
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff"))
      return fault("E002", "the file is UTF-16, expected UTF-8");
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < text_.size()) {
      if (auto found = step()) return found;
    }
    return std::nullopt;
  }

 private:
  TextFault fault(std::string code, std::string message) const {
    return {std::move(code), std::move(message), line_, column_};
  }

  std::optional<TextFault> step() {
    const char c = text_[at_];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      const size_t length = utf8_length(text_, at_);
      if (length == 0) return fault("E002", fmt::format("byte 0x{:02x} is not valid UTF-8", byte));
      advance(length);
      return std::nullopt;
    }
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f)
      return fault("E002", fmt::format("control character 0x{:02x} in the text", byte));
    if (c == '\n') {
      new_line();
      return std::nullopt;
    }
    if (quote_ != 0)
      in_string(c);
    else if (comment_)
      advance(1);
    else
      outside(c);
    if (depth() > kMaxDepth)
      return fault("E004", fmt::format("nested deeper than {} levels", kMaxDepth));
    return std::nullopt;
  }

  void advance(size_t bytes) {
    at_ += bytes;
    ++column_;
  }

  void new_line() {
    ++at_;
    ++line_;
    column_ = 1;
    comment_ = false;
    if (!triple_) quote_ = 0;  // an unfinished string: the parser reports it
    if (quote_ != 0) return;
    if (open_.empty()) {
      if (in_header_) header_parts_ = parts_;
      in_header_ = false;
    }
    parts_ = 0;
    line_begins_ = true;
  }

  void in_string(char c) {
    if (c == '\\' && quote_ == '"') {
      const bool pair = at_ + 1 < text_.size() &&
                        static_cast<unsigned char>(text_[at_ + 1]) >= 0x20 &&
                        static_cast<unsigned char>(text_[at_ + 1]) < 0x7f;
      at_ += pair ? 2 : 1;
      column_ += pair ? 2 : 1;
      return;
    }
    if (c == quote_ && (!triple_ || text_.substr(at_, 3) == std::string(3, quote_))) {
      const size_t length = triple_ ? 3 : 1;
      at_ += length;
      column_ += static_cast<int32_t>(length);
      quote_ = 0;
      return;
    }
    advance(1);
  }

  void outside(char c) {
    if (c == '"' || c == '\'') {
      quote_ = c;
      triple_ = text_.substr(at_, 3) == std::string(3, c);
      const size_t length = triple_ ? 3 : 1;
      at_ += length;
      column_ += static_cast<int32_t>(length);
      line_begins_ = false;
      return;
    }
    if (c == '#')
      comment_ = true;
    else if (c == '[' && line_begins_ && open_.empty())
      begin_header();
    else if (c == '[' || c == '{')
      open();
    else if (c == ']' || c == '}')
      close();
    else if (c == ',')
      parts_ = 0;
    else if (c == '.')
      ++parts_;
    if (c != ' ' && c != '\t' && c != '\r')
      line_begins_ = line_begins_ && c == '[' && open_.empty();
    advance(1);
  }

  void begin_header() {
    in_header_ = true;
    header_parts_ = 0;
    parts_ = 0;
  }

  void open() {
    if (in_header_) return;
    open_.push_back(parts_);
    outer_parts_ += parts_;
    parts_ = 0;
  }

  void close() {
    if (in_header_ || open_.empty()) return;
    outer_parts_ -= open_.back();
    open_.pop_back();
    parts_ = 0;
  }

  int64_t depth() const {
    return header_parts_ + outer_parts_ + parts_ + static_cast<int64_t>(open_.size());
  }

  std::string_view text_;
  size_t at_ = 0;
  int32_t line_ = 1, column_ = 1;
  char quote_ = 0;
  bool triple_ = false, comment_ = false, in_header_ = false, line_begins_ = true;
  int64_t header_parts_ = 0, outer_parts_ = 0, parts_ = 0;
  std::vector<int64_t> open_;  // the key parts before each open bracket
};

}  // namespace

std::optional<TextFault> scan_toml(std::string_view text) { return Scanner(text).run(); }

}  // namespace mortise
