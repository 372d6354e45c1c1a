// Interface `tokenizer`: text ↔ token ids, with offsets and added tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"

namespace mortise {

struct EncodeOptions {
  bool add_special = true;    // what the post-processor adds: BOS, EOS
  bool parse_special = true;  // false: "<|eos|>" typed by a user is plain text
  bool offsets = false;       // fill Encoding::offsets
};

struct Encoding {
  struct Span {
    int64_t begin = 0, end = 0;  // byte offsets into the encoded text, end excluded
    bool operator==(const Span&) const = default;
  };

  std::vector<int32_t> ids;
  std::vector<Span> offsets;  // as many as ids, or empty
};

enum class SpecialToken { Bos, Eos, Pad, Unknown };

namespace ext {

/// A tokenizer that can be learned from text.
class MORTISE_API TrainableTokenizer {
 public:
  static constexpr const char* kExtension = "tokenizer.train/1";
  virtual ~TrainableTokenizer();
  /// Learns `vocab_size` tokens.  `next` gives one text a call and returns false at the end.
  /// Deterministic: the same texts in the same order give the same tokens.   Thread: [main-thread].
  virtual void train(const std::function<bool(std::string&)>& next, int64_t vocab_size) = 0;
};

}  // namespace ext

class MORTISE_API Tokenizer : public Component {
 public:
  using Interface = Tokenizer;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<ext::TrainableTokenizer>;
  static constexpr const char* kInterface = "tokenizer/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(EncodeOptions),
                               MORTISE_TYPE(Encoding),
                               MORTISE_TYPE(Encoding::Span),
                               MORTISE_MEMBER(Encoding, offsets)});
  }

  /// Reads the tokenizer's files (tokenizer.json, tokenizer_config.json) from a directory.
  /// Throws: DataError naming file and place.   Thread: [main-thread].
  virtual void load(const std::string& directory) = 0;
  /// Writes the same files.   Thread: [main-thread].
  virtual void save(const std::string& directory) const = 0;
  /// Encodes UTF-8; invalid bytes are read as U+FFFD.   Thread: [any-thread, concurrent].
  virtual Encoding encode(std::string_view text, const EncodeOptions& options) const = 0;
  /// Decodes ids; bytes that are no UTF-8 become U+FFFD.  Throws: DataError on an unknown id.
  /// Thread: [any-thread, concurrent].
  virtual std::string decode(const std::vector<int32_t>& ids, bool skip_special) const = 0;
  /// The largest id plus one.   Thread: [any-thread].
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int32_t> special(SpecialToken token) const = 0;
  virtual std::optional<int32_t> id_of(std::string_view token) const = 0;
  /// Identifies vocabulary, merges and rules: models record it.
  virtual std::string fingerprint() const = 0;
};

}  // namespace mortise
