// Text → ids and back, for one tokenizer definition: the stages of the `tokenizers` library in its
// order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aligned.hpp"
#include "definition.hpp"

namespace mortise::tokenizer::byte_bpe {

/// Immutable once built.   Thread: [any-thread, concurrent].
class Encoder {
 public:
  /// Throws: DataError on merges, patterns or ids that do not fit.
  explicit Encoder(Definition definition);
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  /// See Tokenizer::encode and Tokenizer::decode.
  Encoding encode(std::string_view text, const EncodeOptions& options) const;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const;

  int64_t vocab_size() const { return static_cast<int64_t>(decoded_.size()); }

  std::optional<int32_t> id_of(std::string_view token) const;

  const Definition& definition() const { return definition_; }

 private:
  struct SplitStep;
  struct Output;

  void prepare_added_tokens();
  void prepare_splits();
  void prepare_decoding();
  void check_template_ids() const;
  void encode_text(const View& text, Output& out) const;
  void encode_normalized(const View& text, Output& out) const;
  void pre_tokenize(const View& text, size_t step, Output& out) const;
  void encode_words(const View& text, Output& out) const;
  void emit_words(const View& text, size_t first_id, Output& out) const;

  Definition definition_;
  BpeModel model_;
  AddedTokenFinder raw_finder_;         // in the text as it is
  AddedTokenFinder normalized_finder_;  // in the normalized text
  std::vector<SplitStep> splits_;
  std::optional<Pattern> word_pattern_;  // of the last step; none: what arrives there is one word
  std::vector<std::string> decoded_;     // the bytes of each id
  std::vector<uint8_t> token_kinds_;     // by id: 0 no token, 1 ordinary, 2 special
};

}  // namespace mortise::tokenizer::byte_bpe
