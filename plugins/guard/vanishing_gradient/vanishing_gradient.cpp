// A global gradient norm below 1e-6 for three steps: nothing is learned any more (dead units, a
// saturated loss, fp16 underflow).  Source: Pascanu et al., "On the difficulty of training
// recurrent neural networks", arXiv:1211.5063 §2.
#include "vanishing_gradient.hpp"

#include "mortise/plugin.hpp"

namespace mortise::guard::vanishing_gradient {

GuardVerdict VanishingGradient::before_update(const GuardStep& step) {
  // Written so that a norm that is no number counts as large: that is another guard's matter.
  if (!(step.grad_norm < config_.threshold)) {
    in_a_row_ = 0;
    return {};
  }
  if (++in_a_row_ < config_.patience) return {};
  const int64_t steps = in_a_row_;
  in_a_row_ = 0;  // says it again after as many steps, not at each
  return {guard_action(config_.action),
          fmt::format("the gradient norm is below {:g} for {} steps ({:.3g} at step {})",
                      config_.threshold,
                      steps,
                      step.grad_norm,
                      step.step)};
}

void VanishingGradient::Config::describe(Schema<Config>& schema) {
  schema.field("action", &Config::action, "what is done about it")
      .one_of({"warn", "skip", "rollback", "stop"});
  schema.field("threshold", &Config::threshold, "norms below it are too small").above(0);
  schema.field("patience", &Config::patience, "such steps in a row").unit("steps").min(1);
  schema.needs("whole_gradient", "action == 'skip' or action == 'stop'");
}

}  // namespace mortise::guard::vanishing_gradient

MORTISE_PLUGIN("org.mortise.guard.vanishing_gradient",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::guard::vanishing_gradient::VanishingGradient>(
                   "vanishing_gradient", "a gradient norm that stays too small to train with"));
