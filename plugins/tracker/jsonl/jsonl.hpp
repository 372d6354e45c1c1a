// metrics.jsonl: one JSON object a line for each step and each evaluation.
#pragma once

#include <optional>

#include "mortise/append_file.hpp"
#include "mortise/plugin.hpp"
#include "mortise/tracker.hpp"

namespace mortise::tracker::jsonl {

class Jsonl final : public Tracker, public ext::Rewind {
 public:
  void start(const RunInfo& info) override;
  void scalars(int64_t step, std::span<const Scalar> values) override;
  void text(int64_t step, std::string_view name, std::string_view text) override;
  void scores(int64_t step, const ScoreReport& report) override;
  void rewound(int64_t from, int64_t to, std::string_view why) override;
  void flush() override;
  void finish(const RunSummary& summary) override;

 private:
  Value row_of(int64_t step) const;
  void write(const Value& row);

  std::optional<AppendFile> file_;
  int64_t attempt_ = 1;  // counts the times that the run went back
};

}  // namespace mortise::tracker::jsonl
