// One row of data on its way from a source through transforms to the tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// `fields` is a table.  By convention: "text" (what a language model reads), "prompt"/"response",
/// "split", "kind" (what routers by rule go by: a small integer or a word).
struct Record {
  std::string id;  // unique and stable within its source: "train.jsonl:17", "n:00001740"
  Value fields = Value::table();
};

/// The number of a kind: itself when it is one from 0 to 2³¹ − 1; else a hash of the word, above
/// 2³², so that words need no table beside the model.   Thread: [any-thread].
MORTISE_API int64_t kind_number(std::string_view kind);

/// Says whether a number stands for a word.
MORTISE_API bool is_kind_word(int64_t number);

}  // namespace mortise
