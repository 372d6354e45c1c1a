// What schedules share: step counts that are given as whole steps or as a fraction of the run.
#include "mortise/schedule.hpp"

#include <cmath>

#include "mortise/error.hpp"

namespace mortise {

int64_t whole_steps(double value, const ScheduleArgs& args, std::string_view parameter) {
  const bool is_fraction = value < 1;
  MORTISE_CHECK(value >= 0 && (is_fraction || std::floor(value) == value),
                "{}: expected whole steps or a fraction below 1, got {}",
                parameter,
                value);
  const int64_t steps =
      std::llround(is_fraction ? value * static_cast<double>(args.total_steps) : value);
  MORTISE_CHECK(args.total_steps <= 0 || steps <= args.total_steps,
                "{}: {} steps are more than the {} of the whole run",
                parameter,
                steps,
                args.total_steps);
  return steps;
}

}  // namespace mortise
