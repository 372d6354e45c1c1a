// One pass of the other model over the training documents, kept in the run directory: a resumed run
// reads the same bits.
#include "core/engine/train/curriculum.hpp"

#include <chrono>
#include <filesystem>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/units.hpp"

#include "core/engine/evaluate/likelihood.hpp"
#include "core/engine/model/open_model.hpp"

namespace mortise::core {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void check_tokens(const OpenedModel& judge, const std::string& from, const Tokenizer& tokenizer) {
  const bool is_same =
      judge.tokenizer == nullptr || judge.tokenizer->fingerprint() == tokenizer.fingerprint();
  if (is_same && judge.model->vocab() >= tokenizer.vocab_size()) return;
  throw DataError(
      fmt::format("batch.curriculum.model {} reads other tokens than this run: it knows "
                  "{}, and the tokenizer here has {}",
                  from,
                  judge.model->vocab(),
                  tokenizer.vocab_size()),
      fmt::format("tokenizer.from = \"{}\"",
                  fs::exists(from + "/tokenizer") ? from + "/tokenizer" : from));
}

}  // namespace

std::vector<double> score_curriculum(const Workspace& space,
                                     const EngineCall& call,
                                     const std::string& cache,
                                     Progress& progress) {
  std::vector<double> nll;
  if (fs::exists(cache)) {
    const Value saved = parse_json(read_file(cache), cache);
    for (const Value& each : saved.as_array()) nll.push_back(each.as_float());
    if (static_cast<int64_t>(nll.size()) == space.tokens.num_documents()) return nll;
    throw DataError("the training data changed since " + cache, "restore it, or start a new run");
  }
  const std::string& from = space.tables.batch.curriculum.model;
  const OpenedModel judge = open_model(from, *call.host, *call.catalog, at::kFloat);
  check_tokens(judge, from, *space.tokenizer);
  TokenSet tokens = space.tokens;
  BatchTable batch = space.tables.batch;
  if (const int64_t most = judge.model->max_seq_len(); most > 0)
    batch.seq_len = std::min(batch.seq_len, most);
  const RowSet rows = likelihood_rows(tokens, batch);
  const auto begin = Clock::now();
  auto told = begin;
  const auto tell = [&](int64_t done) {
    if (Clock::now() - told < std::chrono::seconds(5) && done < rows.num_rows()) return;
    told = Clock::now();
    const double each =
        std::chrono::duration<double>(told - begin).count() / static_cast<double>(done);
    const std::string eta = duration_text(each * static_cast<double>(rows.num_rows() - done));
    progress.event("curriculum",
                   fmt::format("curriculum scored {}/{} rows  eta {}", done, rows.num_rows(), eta),
                   Value::Table{{"rows", done}, {"of", rows.num_rows()}});
  };
  const Likelihoods scored = model_likelihoods(*judge.model, tokens, rows, batch.micro, tell);
  for (size_t d = 0; d < scored.sums.size(); ++d)
    nll.push_back(-scored.sums[d] /
                  static_cast<double>(std::max<int64_t>(1, scored.num_tokens[d])));
  write_file(cache, to_json(Value(Value::Array(nll.begin(), nll.end()))) + "\n");
  return nll;
}

}  // namespace mortise::core
