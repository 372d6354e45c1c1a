// One row of data on its way from a source through transforms to the tokenizer.
#pragma once

#include <string>

#include "mortise/value.hpp"

namespace mortise {

/// `fields` is a table.  By convention: "text" (what a language model reads), "prompt"/"response",
/// "split".
struct Record {
  std::string id;  // unique and stable within its source: "train.jsonl:17", "n:00001740"
  Value fields = Value::table();
};

}  // namespace mortise
