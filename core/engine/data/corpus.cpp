// Reading sources and running the pipeline, one step after another over all records in memory.
#include "core/engine/data/corpus.hpp"

#include <algorithm>

#include "mortise/digest.hpp"
#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"

namespace mortise::core {

namespace {

/// One [data.pipeline.NAME].
struct Step {
  std::string name;
  int64_t order = 0;
  std::unique_ptr<Transform> transform;
};

/// Keeps what a transform emits and counts what it drops.
class Collector final : public RecordSink {
 public:
  Collector(std::vector<CorpusRow>& rows, StepCount& count) : rows_(rows), count_(count) {}

  void keep(Record record) override { rows_.push_back({std::move(record), source}); }

  void drop(const Record&, std::string_view reason) override {
    ++count_.dropped[std::string(reason)];
  }

  int32_t source = 0;

 private:
  std::vector<CorpusRow>& rows_;
  StepCount& count_;
};

const Value* section(const Value& recipe, std::string_view name) {
  const Value* data = recipe.find("data");
  return data == nullptr ? nullptr : data->find(name);
}

std::vector<Step> make_pipeline(const Value& recipe, Host& host) {
  std::vector<Step> steps;
  const Value* tables = section(recipe, "pipeline");
  if (tables == nullptr) return steps;
  for (const auto& [name, table] : tables->as_table()) {
    if (table.get("type", "") == "none") continue;
    steps.push_back({name, table.get("order", 1), make<Transform>(host, table, {})});
  }
  std::stable_sort(
      steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.order < b.order; });
  return steps;
}

// Reads one source to its end.
void read_source(const std::string& name,
                 const Value& table,
                 Host& host,
                 std::vector<CorpusRow>& rows,
                 Corpus& corpus) {
  try {
    const auto source = make<DataSource>(host, table, DataSourceArgs{});
    const auto index = static_cast<int32_t>(corpus.sources.size());
    const size_t before = rows.size();
    for (CorpusRow row{{}, index}; source->next(row.record); row = {{}, index})
      rows.push_back(std::move(row));
    corpus.sources.push_back(
        {name, source->fingerprint(), table.get("weight", 1.0), source->report()});
    if (rows.size() == before)
      throw DataError(
          "there is no record in it",
          "check the path and the file; `mortise data stats RECIPE` shows what is read");
    const DataReport& report = corpus.sources.back().report;
    if (report.skipped + report.repaired > 0)
      log::warn("data source has bad rows source={} records={} skipped={} repaired={}",
                name,
                report.records,
                report.skipped,
                report.repaired);
  } catch (Error& error) {
    error.add_context(fmt::format("while reading [data.{}]", name));
    throw;
  }
}

// Applies one step to all rows; the rows it drops are counted.
void apply_step(Step& step, std::vector<CorpusRow>& rows, StepCount& count) {
  try {
    if (step.transform->traits().needs_fit) {
      for (const CorpusRow& row : rows) step.transform->fit(row.record);
      step.transform->finish_fit();
    }
    std::vector<CorpusRow> out;
    out.reserve(rows.size());
    Collector sink(out, count);
    for (CorpusRow& row : rows) {
      sink.source = row.source;
      step.transform->apply(std::move(row.record), sink);
    }
    count.in += static_cast<int64_t>(rows.size());
    count.out += static_cast<int64_t>(out.size());
    rows = std::move(out);
  } catch (Error& error) {
    error.add_context(fmt::format("while applying [data.pipeline.{}]", step.name));
    throw;
  }
}

void read_train(const Value& recipe, Host& host, std::vector<Step>& steps, Corpus& corpus) {
  const Value* tables = section(recipe, "train");
  if (tables == nullptr) return;
  std::vector<CorpusRow> rows;
  for (const auto& [name, table] : tables->as_table())
    if (table.get("type", "") != "none") read_source("train." + name, table, host, rows, corpus);
  for (size_t i = 0; i < steps.size(); ++i) apply_step(steps[i], rows, corpus.steps[i]);
  for (CorpusRow& row : rows) {
    const Value* split = row.record.fields.find("split");
    const std::string part = split != nullptr && split->is_string() ? split->as_string() : "train";
    corpus.parts[part].push_back(std::move(row));
  }
  if (corpus.parts["train"].empty())
    throw DataError(
        "no record is left for training",
        "the counts of each step are in `mortise data stats RECIPE`; check the pipeline's limits");
}

void read_eval(const Value& recipe, Host& host, std::vector<Step>& steps, Corpus& corpus) {
  const Value* tables = section(recipe, "eval");
  if (tables == nullptr) return;
  for (const auto& [name, table] : tables->as_table()) {
    if (table.get("type", "") == "none") continue;
    if (corpus.parts.contains(name))
      throw DataError(
          fmt::format(
              "the name `{}` of [data.eval.{}] is also a split of the training data", name, name),
          "give the table another name");
    std::vector<CorpusRow> rows;
    read_source("eval." + name, table, host, rows, corpus);
    for (Step& step : steps) {
      const TransformTraits traits = step.transform->traits();
      StepCount uncounted;
      if (traits.per_row && !traits.needs_fit && !traits.global) apply_step(step, rows, uncounted);
    }
    if (rows.empty())
      throw DataError(fmt::format("no record of [data.eval.{}] is left after the pipeline", name));
    corpus.parts[name] = std::move(rows);
  }
}

std::string fingerprint_of(const Value& recipe, const Corpus& corpus) {
  Digest digest;
  for (const SourceCount& source : corpus.sources)
    digest.add(source.name).add(source.fingerprint).add(fmt::format("{}", source.weight));
  if (const Value* tables = section(recipe, "pipeline")) digest.add(to_json(*tables));
  return digest.text();
}

}  // namespace

Corpus load_corpus(const Value& recipe, Host& host) {
  Corpus corpus;
  std::vector<Step> steps = make_pipeline(recipe, host);
  for (const Step& step : steps) corpus.steps.push_back({step.name, 0, 0, {}});
  read_train(recipe, host, steps, corpus);
  read_eval(recipe, host, steps, corpus);
  for (const StepCount& step : corpus.steps)
    for (const auto& [reason, count] : step.dropped)
      log::info("dropped step={} reason={} records={}", step.name, reason, count);
  corpus.fingerprint = fingerprint_of(recipe, corpus);
  return corpus;
}

const std::vector<CorpusRow>& corpus_part(const Corpus& corpus, const std::string& name) {
  const auto found = corpus.parts.find(name);
  if (found != corpus.parts.end() && !found->second.empty()) return found->second;
  std::string known;
  for (const auto& [part, rows] : corpus.parts)
    if (!rows.empty())
      known += fmt::format("{}{} ({} records)", known.empty() ? "" : ", ", part, rows.size());
  throw DataError(
      fmt::format(
          "there is no data named `{}`; there are: {}", name, known.empty() ? "none" : known),
      fmt::format("add [data.eval.{}], or a `split` step to [data.pipeline] that makes it", name));
}

}  // namespace mortise::core
