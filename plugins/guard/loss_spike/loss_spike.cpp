// A loss far above the recent ones: more than `threshold` robust deviations over the median of the
// last `window` steps, where the deviation is 1.4826 · median |loss − median| (equal to the
// standard deviation for normal noise, and one spike does not widen it).  Source: Hampel's
// identifier; skipping the batches of a spike: Chowdhery et al., "PaLM", arXiv:2204.02311 §5.1.
#include "loss_spike.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::guard::loss_spike {

namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

GuardVerdict LossSpike::before_update(const GuardStep& step) {
  if (!std::isfinite(step.loss)) return {};  // that is the guard nan's matter
  if (static_cast<int64_t>(recent_.size()) >= config_.warmup) {
    const double typical = median(recent_);
    std::vector<double> distances;
    for (const double loss : recent_) distances.push_back(std::fabs(loss - typical));
    // A loss that stands still would call the smallest change a spike.
    const double deviation = std::max(1.4826 * median(distances), 1e-3 * std::fabs(typical));
    if (step.loss > typical + config_.threshold * deviation)
      return {
          guard_action(config_.action),
          fmt::format("the loss jumped to {:.4g} at step {}; the median of the last {} steps is "
                      "{:.4g}, the limit {:.4g}",
                      step.loss,
                      step.step,
                      recent_.size(),
                      typical,
                      typical + config_.threshold * deviation)};
  }
  recent_.push_back(step.loss);
  if (static_cast<int64_t>(recent_.size()) > config_.window) recent_.erase(recent_.begin());
  return {};
}

void LossSpike::state(StateIo& io) {
  Value stored = Value::array();
  for (const double loss : recent_) stored.as_array().emplace_back(loss);
  io.value("recent", stored);
  if (!io.loading()) return;
  recent_.clear();
  for (const Value& loss : stored.as_array()) recent_.push_back(loss.as_float());
}

void LossSpike::Config::describe(Schema<Config>& schema) {
  schema.field("action", &Config::action, "what is done about the step")
      .one_of({"warn", "skip", "rollback", "stop"});
  schema.field("threshold", &Config::threshold, "robust deviations above the median").above(0);
  schema.field("window", &Config::window, "steps that are compared with").unit("steps").min(3);
  schema.field("warmup", &Config::warmup, "steps before the first verdict").unit("steps").min(3);
  schema.rule("warmup <= window", "warmup cannot be longer than the window");
  schema.needs("whole_gradient", "action == 'skip' or action == 'stop'");
}

}  // namespace mortise::guard::loss_spike

MORTISE_PLUGIN("org.mortise.guard.loss_spike",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::guard::loss_spike::LossSpike>(
                   "loss_spike", "a loss far above the recent ones"));
