// Cyclical learning rates (Smith, arXiv:1506.01186, §3) as torch.optim.lr_scheduler.CyclicLR counts
// them, with max_lr = the recipe's lr and base_lr = min_ratio × lr; the formula stands in
// README.md. Departure: positions are whole numbers here, so no cycle drifts by rounding.
#include "cyclic.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::schedule::cyclic {

Cyclic::Cyclic(Config config, const ScheduleArgs& args)
    : config_(std::move(config)),
      up_steps_(std::max<int64_t>(1, whole_steps(config_.up, args, "up"))),
      down_steps_(config_.down == 0
                      ? up_steps_
                      : std::max<int64_t>(1, whole_steps(config_.down, args, "down"))) {}

double Cyclic::factor(int64_t step) const {
  const int64_t length = up_steps_ + down_steps_;
  const int64_t cycle = step / length, position = step % length;
  const double height =
      position <= up_steps_
          ? static_cast<double>(position) / static_cast<double>(up_steps_)
          : static_cast<double>(length - position) / static_cast<double>(down_steps_);
  double scale = 1;
  if (config_.mode == "triangular2") scale = std::pow(0.5, static_cast<double>(cycle));
  if (config_.mode == "exp_range") scale = std::pow(config_.gamma, static_cast<double>(step));
  return config_.min_ratio + (1 - config_.min_ratio) * height * scale;
}

void Cyclic::Config::describe(Schema<Config>& schema) {
  schema
      .field("up", &Config::up, "steps from the floor to the top; below 1: a fraction of all steps")
      .above(0)
      .unit("steps");
  schema.field("down", &Config::down, "steps back to the floor, counted the same way; 0: as `up`")
      .min(0)
      .unit("steps");
  schema
      .field("mode",
             &Config::mode,
             "equal tops, tops halved each cycle, or tops shrinking by gamma each step")
      .one_of({"triangular", "triangular2", "exp_range"});
  schema.field("gamma", &Config::gamma, "of exp_range: the height shrinks so each step")
      .above(0)
      .max(1);
  schema.field("min_ratio", &Config::min_ratio, "the floor: factor at the foot of a cycle")
      .range(0, 1);
  schema.rule("mode == 'exp_range' or gamma == 1", "gamma belongs to mode \"exp_range\"");
}

}  // namespace mortise::schedule::cyclic

MORTISE_PLUGIN("org.mortise.schedule.cyclic",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::cyclic::Cyclic>(
                   "cyclic", "straight up and down between a floor and lr, again and again"));
