// @NAME@: factor(t) = 1 / sqrt(1 + t / scale).
#include <mortise/plugin.hpp>
#include <mortise/schedule.hpp>

#include <cmath>

struct @CLASS@ final : mortise::Schedule {
  struct Config {
    double scale = 100;
    static void describe(mortise::Schema<Config>& s) { s.field("scale", &Config::scale, "after how many steps it has fallen to 0.71").above(0).unit("steps"); }
  };
  explicit @CLASS@(Config config) : config_(config) {}
  double factor(int64_t step) const override { return 1 / std::sqrt(1 + static_cast<double>(step) / config_.scale); }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "falls with the square root of the step"));
