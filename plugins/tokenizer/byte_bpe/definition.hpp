// What a tokenizer is: the content of tokenizer.json, checked and typed.  Read and written by
// tokenizer_json.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mortise/value.hpp"

#include "added_tokens.hpp"
#include "bpe_model.hpp"
#include "regex_splitter.hpp"
#include "splitter.hpp"

namespace mortise::tokenizer::byte_bpe {

/// A Split before the byte-level step.
struct SplitRule {
  std::string pattern;
  bool literal = false;
  SplitBehavior behavior = SplitBehavior::Isolated;
  bool invert = false;
};

/// One piece of a post-processing template: a special token, or the sequence itself (ids empty).
struct TemplatePiece {
  std::vector<int32_t> ids;
  std::vector<std::string> tokens;
};

/// One post-processing step: trims offsets (template empty), or surrounds the sequence.
struct PostStep {
  bool add_prefix_space = false;
  std::vector<TemplatePiece> pieces;
};

struct Definition {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;  // in the order of the file
  bool nfc = false;
  std::vector<SplitRule> splits;
  bool add_prefix_space = false;  // of the byte-level step, the last one
  bool use_regex = false;
  std::vector<PostStep> post;
  // The sections as they were read, to be written back unchanged.
  Value normalizer, pre_tokenizer, post_processor, decoder;
};

/// Reads the text of a tokenizer.json; `path` names it in errors.
/// Throws: DataError with the JSON path of what is wrong or not supported.   Thread: [any-thread].
Definition read_tokenizer_json(std::string_view text, const std::string& path);
/// Fills the typed fields from the sections of `definition`.  Throws: DataError.
void read_sections(Definition& definition);
/// Writes the text of a tokenizer.json that the `tokenizers` library reads.
std::string write_tokenizer_json(const Definition& definition);

}  // namespace mortise::tokenizer::byte_bpe
