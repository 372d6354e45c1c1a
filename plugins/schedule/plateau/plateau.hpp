// Lowers the rate when an evaluated score has stopped improving.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::plateau {

class Plateau final : public Schedule {
 public:
  struct Config {
    std::string metric;
    std::string mode = "min";
    double factor = 0.1;
    int64_t patience = 10;
    double threshold = 1e-4;
    std::string threshold_mode = "rel";
    int64_t cooldown = 0;
    double min_factor = 0;
    double warmup = 0;
    static void describe(Schema<Config>& schema);
  };

  Plateau(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;
  void observe(std::string_view name, double value) override;
  void state(StateIo& io) override;

 private:
  bool is_better(double value) const;
  void note_other(std::string_view name);

  Config config_;
  int64_t warmup_steps_ = 0;
  std::optional<double> best_;
  int64_t num_bad_ = 0, cooldown_left_ = 0;
  double factor_ = 1;
  bool seen_ = false;            // the score came at least once
  std::set<std::string> other_;  // scores of the same evaluation that came before it did
};

}  // namespace mortise::schedule::plateau
