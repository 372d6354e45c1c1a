// From [data.*] to records: the sources, the ordered pipeline, and the splits.
//
// Train sources run through the whole pipeline together (deduplication and splits see all of them);
// a field `split` that a transform wrote says where a record goes ("train" when there is none).
// Eval sources run through the per-row steps only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/document.hpp"
#include "mortise/host.hpp"
#include "mortise/transform.hpp"

namespace mortise::core {

/// A record and the index of the source it came from.
struct CorpusRow {
  Record record;
  int32_t source = 0;
};

struct SourceCount {
  std::string name;         // "train.wordnet"
  std::string fingerprint;  // of its content
  double weight = 1;
  DataReport report;
};

struct StepCount {
  std::string name;  // of [data.pipeline.NAME]
  int64_t in = 0, out = 0;
  std::map<std::string, int64_t> dropped;  // reason → records
};

/// Part name → its records: "train", "dev", … from splits, and the names of [data.eval.*].
using CorpusParts = std::map<std::string, std::vector<CorpusRow>, std::less<>>;

struct Corpus {
  CorpusParts parts;
  std::vector<SourceCount> sources;
  std::vector<StepCount> steps;
  std::string fingerprint;  // of contents and pipeline parameters, not of paths
};

/// Reads all data of a resolved recipe.  Throws: DataError naming source, file and line; an empty
/// result is an error. Thread: [main-thread].
Corpus load_corpus(const Value& recipe, Host& host);

/// Returns a part.  Throws: DataError listing the parts there are.
const std::vector<CorpusRow>& corpus_part(const Corpus& corpus, const std::string& name);

}  // namespace mortise::core
