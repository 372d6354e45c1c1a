// report.html: a run on one page that needs nothing beside itself.
#pragma once

#include <chrono>
#include <string>

#include "mortise/schema.hpp"

#include "page.hpp"

namespace mortise::tracker::html_report {

class HtmlReport final : public Tracker, public ext::Rewind {
 public:
  struct Config {
    int64_t max_points = 1000;
    int64_t max_samples = 20;
    double smoothing = 0.03;
    static void describe(Schema<Config>& schema);
  };

  explicit HtmlReport(Config config);
  void start(const RunInfo& info) override;
  void scalars(int64_t step, std::span<const Scalar> values) override;
  void text(int64_t step, std::string_view name, std::string_view text) override;
  void scores(int64_t step, const ScoreReport& report) override;
  void rewound(int64_t from, int64_t to, std::string_view why) override;
  void flush() override;
  void finish(const RunSummary& summary) override;

 private:
  void load_earlier_part(int64_t resumed_step);
  void write_page();
  std::string data() const;

  Config config_;
  Report report_;
  std::string path_;
  double earlier_seconds_ = 0;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace mortise::tracker::html_report
