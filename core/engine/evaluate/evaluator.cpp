// Preparing parts once, scoring them, and the unigram baseline beside.
#include "core/engine/evaluate/evaluator.hpp"

#include <numeric>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/torch/samples.hpp"

namespace mortise::core {

namespace {

ScoreReport sum_up(const EvalSlot& slot,
                   const std::vector<std::string>& texts,
                   const Likelihoods& likelihoods) {
  ScoreSum sum(*slot.metric);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (likelihoods.num_tokens[i] == 0) continue;
    Sample sample;
    sample.text = texts[i];
    sample.log_likelihood = likelihoods.sums[i];
    sample.num_tokens = likelihoods.num_tokens[i];
    sum.add(sample);
  }
  return sum.report(slot.name, slot.keys.data);
}

std::vector<std::string> references_of(const Record& record) {
  std::vector<std::string> references;
  if (const Value* many = record.fields.find("references"); many != nullptr && many->is_array())
    for (const Value& text : many->as_array()) references.push_back(text.as_string());
  else if (const Value* one = record.fields.find("response"); one != nullptr && one->is_string())
    references.push_back(one->as_string());
  return references;
}

}  // namespace

Evaluator::Evaluator(const Workspace& space,
                     LanguageModel& model,
                     Continue generate,
                     References references)
    : space_(space),
      model_(model),
      generate_(std::move(generate)),
      references_(std::move(references)),
      slots_(make_evals(space.recipe, *space.host)) {
  // What is wrong must be told before the training, not after it.
  for (const EvalSlot& slot : slots_) {
    if (is_prediction_file(slot.keys.data)) continue;
    corpus_part(space_.corpus, slot.keys.data);
    if (slot.metric->needs() == Metric::Needs::Scores)
      check_scored(slot);
    else
      check_head(slot);
  }
}

void Evaluator::check_head(const EvalSlot& slot) const {
  const auto dense = model_.head().dense();
  const int64_t vocab = space_.tokenizer->vocab_size();
  if (!dense || dense->weight_VD.size(0) >= vocab) return;
  throw Error(
      Code::Usage,
      fmt::format("[eval.{}] needs a model that predicts tokens, and [model.head] \"{}\" "
                  "gives {} scores where the vocabulary has {}",
                  slot.name,
                  space_.model_spec.at("head").get("type", ""),
                  dense->weight_VD.size(0),
                  vocab),
      fmt::format("leave out [eval.{}]: what the objective measures is in the report", slot.name));
}

void Evaluator::check_scored(const EvalSlot& slot) {
  objective_ = make<Objective>(*space_.host, space_.recipe.at("objective"), {});
  const TokenSet& tokens = part(slot.keys.data, slot.keys.limit, /*whole=*/true).tokens;
  if (tokens.labels.empty() && tokens.pairs.empty())
    throw DataError(
        fmt::format("[eval.{}] judges documents with a number `label`, or pairs, and the part "
                    "\"{}\" holds neither",
                    slot.name,
                    slot.keys.data),
        "a step of [data.pipeline] makes them");
}

Evaluator::Part& Evaluator::part(const std::string& name, int64_t limit, bool whole) {
  const std::string key = fmt::format("{}:{}:{}", name, limit, whole);
  if (const auto found = parts_.find(key); found != parts_.end()) return found->second;
  const std::vector<CorpusRow>& all = corpus_part(space_.corpus, name);
  std::vector<CorpusRow> rows(
      all.begin(),
      all.begin() + (limit > 0 ? std::min<int64_t>(limit, static_cast<int64_t>(all.size()))
                               : static_cast<int64_t>(all.size())));
  Part& out = parts_[key];
  std::vector<SourceCount> plain(space_.corpus.sources);
  for (SourceCount& source : plain) source.weight = 1;  // weights are for training
  out.tokens = tokenize(*space_.tokenizer, rows, plain, 0);
  BatchTable batch = space_.tables.batch;
  batch.shuffle = false;
  batch.curriculum = {};
  out.rows = std::make_unique<RowSet>(whole ? RowSet(out.tokens, batch, 0)
                                            : likelihood_rows(out.tokens, batch));
  for (const CorpusRow& row : rows)
    for (const DocumentText& document : row_documents(row.record))
      out.texts.push_back(joined(document, true));
  return out;
}

std::vector<EvalResult> Evaluator::run(int64_t step, bool at_end) {
  std::vector<EvalResult> results;
  std::map<std::string, Likelihoods> done;  // metrics on the same part share one pass of the model
  for (const EvalSlot& slot : slots_) {
    if (!at_end && (slot.keys.every == 0 || step % slot.keys.every != 0)) continue;
    try {
      if (is_prediction_file(slot.keys.data)) {
        EvalResult result;
        result.report = score_file(slot, &result.num_samples);
        results.push_back(std::move(result));
      } else if (slot.metric->needs() == Metric::Needs::Likelihood) {
        results.push_back(likelihood(slot, done));
      } else if (slot.metric->needs() == Metric::Needs::Scores) {
        results.push_back(scored(slot));
      } else {
        results.push_back(generated(slot));
      }
    } catch (Error& error) {
      error.add_context(fmt::format("while evaluating [eval.{}]", slot.name));
      throw;
    }
  }
  return results;
}

EvalResult Evaluator::likelihood(const EvalSlot& slot, std::map<std::string, Likelihoods>& done) {
  Part& data = part(slot.keys.data, slot.keys.limit);
  const std::string key = fmt::format("{}:{}", slot.keys.data, slot.keys.limit);
  if (!done.contains(key))
    done[key] = model_likelihoods(model_, data.tokens, *data.rows, space_.tables.batch.micro);
  EvalResult result;
  result.report = sum_up(slot, data.texts, done[key]);
  result.num_samples = static_cast<int64_t>(data.texts.size());
  if (space_.tokens.num_tokens() == 0) return result;  // no training data, no baseline
  if (unigram_ == nullptr) unigram_ = std::make_unique<Unigram>(space_.tokens, model_.vocab());
  if (data.unigram == nullptr)
    data.unigram = std::make_unique<Likelihoods>(unigram_->likelihoods(data.tokens, *data.rows));
  result.baseline = sum_up(slot, data.texts, *data.unigram).scores;
  return result;
}

EvalResult Evaluator::scored(const EvalSlot& slot) {
  const at::NoGradGuard no_grad;
  const bool was_training = model_.is_training();
  model_.train(false);
  const Part& data = part(slot.keys.data, slot.keys.limit, /*whole=*/true);
  const int64_t micro = space_.tables.batch.micro, count = data.rows->num_rows();
  ScoreSum sum(*slot.metric);
  for (int64_t begin = 0; begin < count; begin += micro) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(micro, count - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    const Batch batch = make_batch(data.tokens, *data.rows, indices);
    ObjectiveInput in =
        objective_input(batch, model_.forward(batch.tokens).hidden_BTD, model_.head());
    in.references = reference_hidden(references_, batch.tokens);
    judge_samples(*objective_, in, [&](const Sample& sample) { sum.add(sample); });
  }
  model_.train(was_training);
  return {sum.report(slot.name, slot.keys.data), {}, sum.count()};
}

EvalResult Evaluator::generated(const EvalSlot& slot) {
  const std::vector<CorpusRow>& rows = corpus_part(space_.corpus, slot.keys.data);
  const size_t count = slot.keys.limit > 0
                           ? std::min(static_cast<size_t>(slot.keys.limit), rows.size())
                           : rows.size();
  std::vector<std::string> prompts;
  std::vector<std::vector<std::string>> references;
  for (size_t i = 0; i < count; ++i) {
    const Value* prompt = rows[i].record.fields.find("prompt");
    references.push_back(references_of(rows[i].record));
    if (prompt == nullptr || !prompt->is_string() || references.back().empty())
      throw DataError(fmt::format("record {} has no `prompt` with a `response` or `references`; "
                                  "this metric judges generated text",
                                  rows[i].record.id),
                      "make these fields with a `prompt_template` step, or choose a metric on "
                      "likelihoods such as perplexity");
    prompts.push_back(prompt->as_string());
  }
  const std::vector<std::string> texts = generate_(prompts, slot.keys.max_new_tokens);
  ScoreSum sum(*slot.metric);
  for (size_t i = 0; i < count; ++i) {
    Sample sample;
    sample.prediction = texts[i];
    sample.references = references[i];
    sum.add(sample);
  }
  EvalResult result;
  result.report = sum.report(slot.name, slot.keys.data);
  result.num_samples = static_cast<int64_t>(count);
  return result;
}

Value to_value(const EvalResult& result, int64_t step) {
  Value out = to_value(result.report);
  out["step"] = step;
  out["samples"] = result.num_samples;
  if (result.baseline.empty()) return out;
  Value baseline = Value::table();
  for (const Score& score : result.baseline) baseline[score.name] = score.value;
  out["unigram_baseline"] = baseline;
  return out;
}

std::string result_line(const EvalResult& result) {
  std::string line = score_line(result.report);
  if (!result.baseline.empty())
    line += fmt::format("   (unigram baseline: {} {:.1f})",
                        result.baseline.front().name,
                        result.baseline.front().value);
  return line;
}

}  // namespace mortise::core
