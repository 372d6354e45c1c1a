// Records → token ids, with the tokenizer of the recipe or one learned from the training texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mortise/tokenizer.hpp"

#include "core/engine/data/corpus.hpp"

namespace mortise::core {

/// Documents as ids, end to end.  Each begins with BOS and ends with EOS where the tokenizer has
/// them.
struct TokenSet {
  std::vector<int32_t> ids;
  std::vector<int64_t> begins = {0};  // of each document, and the end of the last
  std::vector<bool> masked;           // per token: it is read, never a target; empty: none is
  std::vector<int64_t> labels;        // per document: its class or −1; empty: the data has none
  std::vector<int64_t> pairs;         // per document: its pair or −1, both in a row; empty: none
  std::vector<uint8_t> chosen;        // as long as pairs: 1 for the preferred one
  std::vector<int64_t> kinds;      // per document: kind_number() of its `kind` or −1; empty: none
  std::vector<double> difficulty;  // per document: the field of batch.curriculum.by
  bool has_eos = false;

  bool is_masked(int64_t token) const {
    return !masked.empty() && masked[static_cast<size_t>(token)];
  }

  bool is_labelled(int64_t document) const {
    return !labels.empty() && labels[static_cast<size_t>(document)] >= 0;
  }

  /// Documents from `document` on that belong together: 2 for a pair, else 1.
  int64_t group_size(int64_t document) const {
    return !pairs.empty() && pairs[static_cast<size_t>(document)] >= 0 ? 2 : 1;
  }

  /// Documents whose end-of-text token is trained.
  int64_t num_eos_trained() const;

  int64_t num_documents() const { return static_cast<int64_t>(begins.size()) - 1; }

  int64_t num_tokens() const { return static_cast<int64_t>(ids.size()); }
};

/// Makes [tokenizer]: reads `from` (or the folder of model.from), or trains on the part "train".
/// Thread: [main-thread]. Throws: DataError, Error.  A loaded tokenizer of another run wins when
/// `saved` names its folder.
std::unique_ptr<Tokenizer> make_tokenizer(const Value& recipe,
                                          Host& host,
                                          const Corpus& corpus,
                                          const std::string& saved = {});

/// Encodes all rows, in order, each as often as its source's weight says (0.5: every other, chosen
/// by seed and record).  difficulty: a numeric field of every record to keep; empty: none.
/// Throws: DataError naming the record.
TokenSet tokenize(const Tokenizer& tokenizer,
                  const std::vector<CorpusRow>& rows,
                  const std::vector<SourceCount>& sources,
                  uint64_t seed,
                  const std::string& difficulty = {});

}  // namespace mortise::core
