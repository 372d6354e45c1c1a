// A loss or a gradient norm that is not finite leaves the update out; many in a row stop the run,
// because weights that were poisoned do not heal.
// Source: the practice of torchtitan and Megatron-LM (`--check-for-nan-in-loss-and-grad`).
#include "nan.hpp"

#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::guard::nan {

GuardVerdict Nan::before_update(const GuardStep& step) {
  if (std::isfinite(step.loss) && std::isfinite(step.grad_norm)) {
    in_a_row_ = 0;
    return {};
  }
  const bool is_loss = !std::isfinite(step.loss);
  const std::string what = fmt::format("the {} is {} at step {}",
                                       is_loss ? "loss" : "gradient norm",
                                       is_loss ? step.loss : step.grad_norm,
                                       step.step);
  if (++in_a_row_ < config_.patience) return {guard_action(config_.action), what};
  return {GuardAction::Stop, fmt::format("{}, the {}. time in a row", what, in_a_row_)};
}

void Nan::Config::describe(Schema<Config>& schema) {
  schema.field("action", &Config::action, "what is done about a step that is not finite")
      .one_of({"skip", "rollback", "stop"});
  schema.field("patience", &Config::patience, "such steps in a row after which the run stops")
      .unit("steps")
      .min(1);
  schema.needs("whole_gradient", "action != 'rollback'");
}

}  // namespace mortise::guard::nan

MORTISE_PLUGIN("org.mortise.guard.nan",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::guard::nan::Nan>(
                   "nan", "a loss or gradient that is no number leaves the update out"));
