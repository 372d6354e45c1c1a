// The file metrics.jsonl of a run directory.  Persistent format, one object a line, "step" first:
//   {"step": 10, "loss": 2.31, "lr": 0.0003, …}        values of a step, one object a call
//   {"step": 10, "eval": "ppl", "data": "dev", "signature": "…", "scores": {"perplexity": 9.1, …}}
//   {"step": 10, "text": "sample", "value": "Once upon a time …"}
//   {"step": 10, "attempt": 2, "rollback_from": 18, "why": "…"}     the run went back to step 10
// After a rollback every object says its attempt (2, 3, …); of objects for one step the last
// attempt is the one that the run went on with. JSON has no NaN or infinity: they are the strings
// "NaN", "Infinity" and "-Infinity", which number parsers of most languages read.  Invalid UTF-8 in
// a text becomes U+FFFD.
#include "jsonl.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

namespace mortise::tracker::jsonl {

namespace {

Value number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

// What an earlier part of this run logged up to the step where it goes on; a damaged line is
// dropped too.
bool belongs_before(std::string_view line, int64_t resumed_step, int64_t& attempt) {
  try {
    const Value row = parse_json(line);
    attempt = std::max(attempt, row.get("attempt", int64_t{1}));
    return row.at("step").as_int() <= resumed_step;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void Jsonl::start(const RunInfo& info) {
  const std::string path = info.directory + "/metrics.jsonl";
  file_.reset();
  attempt_ = 1;
  if (info.resumed_step > 0)
    keep_lines(path, [&](std::string_view line) {
      return belongs_before(line, info.resumed_step, attempt_);
    });
  else
    write_file(path, "");
  file_.emplace(path);
}

Value Jsonl::row_of(int64_t step) const {
  Value row = Value::table();
  row["step"] = step;
  if (attempt_ > 1) row["attempt"] = attempt_;
  return row;
}

void Jsonl::write(const Value& row) {
  MORTISE_CHECK(file_.has_value(), "a tracker's start() comes before anything is logged");
  file_->append(to_json(row) + "\n");
}

void Jsonl::scalars(int64_t step, std::span<const Scalar> values) {
  Value row = row_of(step);
  for (const Scalar& scalar : values) row[scalar.name] = number(scalar.value);
  write(row);
}

void Jsonl::text(int64_t step, std::string_view name, std::string_view text) {
  Value row = row_of(step);
  row["text"] = pytext::repair_utf8(name);
  row["value"] = pytext::repair_utf8(text);
  write(row);
}

void Jsonl::scores(int64_t step, const ScoreReport& report) {
  Value row = row_of(step);
  row["eval"] = report.name;
  row["data"] = report.data;
  row["signature"] = report.signature;
  row["scores"] = Value::table();
  for (const Score& score : report.scores) row["scores"][score.name] = number(score.value);
  write(row);
}

void Jsonl::rewound(int64_t from, int64_t to, std::string_view why) {
  ++attempt_;
  Value row = row_of(to);
  row["rollback_from"] = from;
  row["why"] = pytext::repair_utf8(why);
  write(row);
}

void Jsonl::flush() {
  if (file_) file_->flush();
}

void Jsonl::finish(const RunSummary& /*summary*/) { flush(); }

}  // namespace mortise::tracker::jsonl

MORTISE_PLUGIN("org.mortise.tracker.jsonl",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::tracker::jsonl::Jsonl>(
                   "jsonl", "metrics.jsonl: a JSON object for each step and each evaluation"));
