// TensorBoard event files: curves, texts and scores under tb/ of the run directory.
#pragma once

#include <optional>
#include <string>

#include "mortise/append_file.hpp"
#include "mortise/plugin.hpp"
#include "mortise/tracker.hpp"

namespace mortise::tracker::tensorboard {

class Tensorboard final : public Tracker, public ext::Rewind {
 public:
  void start(const RunInfo& info) override;
  void scalars(int64_t step, std::span<const Scalar> values) override;
  void text(int64_t step, std::string_view name, std::string_view text) override;
  void scores(int64_t step, const ScoreReport& report) override;
  void rewound(int64_t from, int64_t to, std::string_view why) override;
  void flush() override;
  void finish(const RunSummary& summary) override;

 private:
  void write(const std::string& event);

  std::optional<AppendFile> file_;
};

}  // namespace mortise::tracker::tensorboard
