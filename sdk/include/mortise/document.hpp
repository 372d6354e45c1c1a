// What a language model reads of a record: documents made of segments, each trained or only read.
//
// The fields of a record that the engine understands are a convention between transforms, which
// write them, and core, which turns them into tokens; it stands here so that both read it alike.
#pragma once

#include <string>
#include <vector>

#include "mortise/record.hpp"

namespace mortise {

/// A run of a document's text.
struct Segment {
  std::string text;
  bool train = true;     // false: it is read, never predicted
  bool special = false;  // "<|im_end|>" in it is the tokenizer's special token
};

using DocumentText = std::vector<Segment>;

/// The documents of a record, by the first fields there are: `chosen` and `rejected` (two; each a
/// string that follows `prompt`, or segments), `segments` (a list of {text, train, special}),
/// `text`, `prompt` and `response`.  Throws: DataError naming the record.   Thread: [any-thread].
MORTISE_API std::vector<DocumentText> row_documents(const Record& record);

/// All of a document's text, or what of it is trained.   Thread: [any-thread].
MORTISE_API std::string joined(const DocumentText& document, bool trained_only);

}  // namespace mortise
