// Adafactor (Shazeer & Stern, arXiv:1804.04235, algorithms 4 and 5) as transformers' Adafactor
// computes it; the formula stands in README.md.
//
// Departure: with relative_step the slot's lr is the cap of the step, min(lr, 1/√t), so that
// schedule and groups act; lr = 1e-2 is the paper's and the library's constant.
#include "adafactor.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::optimizer::adafactor {

namespace {

double rms(const at::Tensor& tensor) {
  return at::linalg_vector_norm(tensor, 2).item<double>() /
         std::sqrt(static_cast<double>(tensor.numel()));
}

}  // namespace

Adafactor::Adafactor(Config config, const Slots& slots)
    : config_(config), slots_(slots), steps_(slots.size(), 0) {
  for (const Slot& slot : slots_) {
    const auto zeros = [&](std::vector<int64_t> shape) {
      return at::zeros(shape, slot.param.options().dtype(at::kFloat).requires_grad(false));
    };
    std::vector<int64_t> shape = slot.param.sizes().vec();
    const bool is_factored = shape.size() >= 2;
    v_.push_back(is_factored ? at::Tensor() : zeros(shape));
    std::vector<int64_t> row = shape, column = shape;
    if (is_factored) {
      row.pop_back();
      column.erase(column.end() - 2);
    }
    row_.push_back(is_factored ? zeros(row) : at::Tensor());
    column_.push_back(is_factored ? zeros(column) : at::Tensor());
  }
  if (config_.beta1 > 0) m_ = zeros_like(slots);
}

// The gradient over the root of its second moment.
at::Tensor Adafactor::direction(size_t index, const at::Tensor& grad) {
  const double fresh = std::pow(static_cast<double>(steps_[index]), config_.decay_rate);
  const at::Tensor square = grad.square().add_(config_.eps);
  if (v_[index].defined()) {
    v_[index].mul_(1 - fresh).add_(square, fresh);
    return v_[index].rsqrt().mul_(grad);
  }
  at::Tensor &row = row_[index], &column = column_[index];
  row.mul_(1 - fresh).add_(square.mean(-1), fresh);
  column.mul_(1 - fresh).add_(square.mean(-2), fresh);
  const at::Tensor by_row = row.div(row.mean(-1, /*keepdim=*/true)).rsqrt_().unsqueeze(-1);
  return at::mul(grad, by_row).mul_(column.rsqrt().unsqueeze(-2));
}

void Adafactor::step(const StepContext&) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.grad.defined()) continue;
    ++steps_[i];
    at::Tensor weight = slot.param.to(at::kFloat);  // the parameter itself when it is fp32
    double lr = slot.lr;
    if (config_.relative_step) lr = std::min(lr, 1 / std::sqrt(static_cast<double>(steps_[i])));
    if (config_.scale_parameter) lr *= std::max(config_.min_scale, rms(weight));
    at::Tensor update = direction(i, slot.grad.to(at::kFloat));
    update.mul_(lr / std::max(1.0, rms(update) / config_.clip_threshold));
    if (!m_.empty()) update = m_[i].mul_(config_.beta1).add_(update, 1 - config_.beta1);
    weight.mul_(1 - lr * slot.weight_decay).sub_(update);
    if (!weight.is_same(slot.param)) slot.param.copy_(weight);
  }
}

void Adafactor::state(StateIo& io) {
  io.tensors("row", row_);
  io.tensors("column", column_);
  io.tensors("v", v_);
  if (!m_.empty()) io.tensors("m", m_);
  for (size_t i = 0; i < steps_.size(); ++i) io.integer(fmt::format("steps.{}", i), steps_[i]);
}

void Adafactor::Config::describe(Schema<Config>& schema) {
  schema
      .field("decay_rate",
             &Config::decay_rate,
             "the second moment forgets: at step t a share of t^decay_rate is fresh")
      .range(-1, 0);
  schema.field("eps", &Config::eps, "added to the squared gradient").above(0);
  schema
      .field("min_scale",
             &Config::min_scale,
             "of scale_parameter: a parameter counts at least this large")
      .above(0);
  schema
      .field("clip_threshold",
             &Config::clip_threshold,
             "an update whose root mean square is larger is scaled down to it")
      .above(0);
  schema.field("beta1", &Config::beta1, "decay of the first moment; 0: none is kept").range(0, 1);
  schema.field("scale_parameter",
               &Config::scale_parameter,
               "lr is relative: multiplied by the parameter's root mean square");
  schema.field("relative_step",
               &Config::relative_step,
               "the step falls by itself, min(lr, 1/√t); the paper's lr is 1e-2");
  schema.provides("in_backward");
}

}  // namespace mortise::optimizer::adafactor

MORTISE_PLUGIN("org.mortise.optimizer.adafactor",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::optimizer::adafactor::Adafactor>(
                   "adafactor", "Adam with second moments kept as rows and columns"));
