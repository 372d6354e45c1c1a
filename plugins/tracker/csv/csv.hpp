// metrics.csv and scores.csv: tables that spreadsheets and plotting tools open.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortise/append_file.hpp"
#include "mortise/plugin.hpp"
#include "mortise/tracker.hpp"

namespace mortise::tracker::csv {

class Csv final : public Tracker, public ext::Rewind {
 public:
  void start(const RunInfo& info) override;
  void scalars(int64_t step, std::span<const Scalar> values) override;
  void scores(int64_t step, const ScoreReport& report) override;
  void rewound(int64_t from, int64_t to, std::string_view why) override;
  void flush() override;
  void finish(const RunSummary& summary) override;

 private:
  void add_columns(std::span<const Scalar> values);

  std::string directory_;
  std::vector<std::string> columns_;  // after "step"
  std::optional<AppendFile> steps_, scores_;
};

}  // namespace mortise::tracker::csv
