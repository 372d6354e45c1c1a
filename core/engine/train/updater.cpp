// Slots, clipping, master copies and the loss scale.
#include "core/engine/train/updater.hpp"

#include <cmath>
#include <functional>
#include <numeric>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"
#include "mortise/torch/gradients.hpp"

namespace mortise::core {

namespace {

const Value& optimizer_table(const Workspace& space) {
  const Value* table = space.recipe.find("optimizer");
  MORTISE_CHECK(table != nullptr && table->is_table(), "the recipe has no [optimizer]");
  return *table;
}

/// Called when the gradient of a parameter is whole.
class WhenWhole final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit WhenWhole(std::function<void()> then) : then_(std::move(then)) {}

  void operator()(const torch::autograd::Variable&) override { then_(); }

 private:
  std::function<void()> then_;
};

}  // namespace

Updater::Updater(const Workspace& space, const Module& model)
    : keys_(space.tables.optimizer), scaling_(space.tables.run.loss_scale) {
  if (const Value* table = space.recipe.find("schedule"))
    schedule_ = make<Schedule>(*space.host, *table, ScheduleArgs{space.total_steps});
  if (space.tables.run.dtype == "fp16") scale_ = scaling_.initial;
  make_slots(model);
  if (space.tables.run.master)
    for (size_t i = 0; i < slots_.size(); ++i)
      if (params_[i].scalar_type() != at::kFloat && !params_[i].is_meta())
        masters_.push_back(slots_[i].param = params_[i].detach().to(at::kFloat));
  optimizer_ = make<Optimizer>(*space.host, optimizer_table(space), slots_);
  if (keys_.in_backward) hook_parameters();
}

Updater::~Updater() {
  if (!keys_.in_backward) return;
  for (const at::Tensor& param : params_)
    torch::autograd::impl::set_post_acc_grad_hooks(param, nullptr);
}

void Updater::hook_parameters() {
  for (size_t i = 0; i < params_.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(
        params_[i], std::make_unique<WhenWhole>([this, i] { update_one(i); }));
}

void Updater::begin(int64_t step) {
  backward_step_ = step;
  squares_.assign(slots_.size(), -1);
  set_rates(step);
}

// A gradient that is not finite changes nothing: gather() tells, and the run ends or goes back.
void Updater::update_one(size_t index) {
  const at::NoGradGuard no_grad;
  mortise::Slot& slot = slots_[index];
  if (squares_[index] >= 0)
    throw Error(Code::Gate,
                fmt::format("the gradient of {} comes in several parts, and it was updated after "
                            "the first: a strategy of [parallel] replays units that share it",
                            slot.name),
                "optimizer.in_backward = false");
  slot.grad = params_[index].grad().to(slot.param.scalar_type());
  params_[index].mutable_grad().reset();
  squares_[index] = sums_of_squares({slot.grad}).front();
  if (std::isfinite(squares_[index])) {
    if (keys_.clip_value) slot.grad.clamp_(-*keys_.clip_value, *keys_.clip_value);
    optimizer_->step({backward_step_});
    if (!params_[index].is_same(slot.param)) params_[index].copy_(slot.param);
  }
  slot.grad.reset();
}

void Updater::make_slots(const Module& model) {
  std::vector<mortise::Slot> list;
  for (const NamedTensor& parameter : model.parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    mortise::Slot slot;
    slot.param = parameter.tensor;
    slot.name = parameter.name;
    slot.logical_shape = parameter.tensor.sizes().vec();
    // Norms and biases are not pulled to zero.
    slot.weight_decay = parameter.tensor.dim() >= 2 ? keys_.weight_decay : 0;
    double factor = 1;
    for (const auto& [name, group] : keys_.groups) {
      if (!matches(group.match, parameter.name)) continue;
      factor = group.lr.value_or(1);
      slot.weight_decay = group.weight_decay.value_or(slot.weight_decay);
      break;
    }
    lr_factors_.push_back(factor);
    params_.push_back(parameter.tensor);
    list.push_back(std::move(slot));
  }
  MORTISE_CHECK(!list.empty(), "the model has no trainable parameter");
  slots_ = Slots(std::move(list));
}

double Updater::gather() {
  if (keys_.in_backward) {
    double square = 0;
    for (const double one : squares_) square += one < 0 ? 0 : one;
    return std::sqrt(square);
  }
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < slots_.size(); ++i) {
    at::Tensor& grad = slots_[i].grad = params_[i].grad();
    if (grad.defined()) grad = grad.to(slots_[i].param.scalar_type());
    if (grad.defined() && scale_ != 1) grad.mul_(1 / scale_);
    gradients.push_back(grad);
  }
  const std::vector<double> squares = sums_of_squares(gradients);
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

void Updater::clip(double norm) {
  const double factor = keys_.clip_norm && norm > *keys_.clip_norm ? *keys_.clip_norm / norm : 1;
  for (mortise::Slot& slot : slots_) {
    if (!slot.grad.defined()) continue;
    if (keys_.clip_value) slot.grad.clamp_(-*keys_.clip_value, *keys_.clip_value);
    if (factor != 1) slot.grad.mul_(factor);
  }
}

double Updater::lr(int64_t step) const {
  return keys_.lr * (schedule_ == nullptr ? 1.0 : schedule_->factor(step));
}

void Updater::set_rates(int64_t step) {
  const double rate = lr(step);
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].lr = rate * lr_factors_[i];
}

double Updater::apply(int64_t step, double norm) {
  if (keys_.in_backward) return lr(step);
  const at::NoGradGuard no_grad;
  clip(norm);
  set_rates(step);
  optimizer_->step({step});
  if (!masters_.empty())
    for (size_t i = 0; i < slots_.size(); ++i)
      if (!params_[i].is_same(slots_[i].param)) params_[i].copy_(slots_[i].param);
  drop();
  if (scale_ != 1 && ++good_steps_ >= scaling_.interval) {
    scale_ *= scaling_.growth;
    good_steps_ = 0;
  }
  return lr(step);
}

// Freed, not zeroed: the next backward writes into fresh memory without adding.
void Updater::drop() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].grad.reset();
    params_[i].mutable_grad().reset();
  }
}

void Updater::back_off(int64_t step) {
  scale_ *= scaling_.backoff;
  good_steps_ = 0;
  drop();
  if (scale_ >= 1) return;
  throw Error(
      Code::Gate,
      fmt::format("fp16 gradients still overflow at step {} with a loss scale below 1", step + 1),
      "run.dtype = \"bf16\" or \"fp32\", or a lower optimizer.lr");
}

void Updater::state(StateIo& io) {
  io.real("loss_scale", scale_);
  io.integer("good_steps", good_steps_);
  io.tensors("master", masters_);
}

void Updater::save(StateSaver& saver) {
  saver.begin("optimizer");
  optimizer_->state(saver);
  saver.begin("schedule");
  if (schedule_ != nullptr) schedule_->state(saver);
  saver.begin("updater");
  state(saver);
}

void Updater::restore(StateLoader& loader) {
  loader.begin("optimizer");
  optimizer_->state(loader);
  loader.begin("schedule");
  if (schedule_ != nullptr) schedule_->state(loader);
  loader.begin("updater");
  state(loader);
}

}  // namespace mortise::core
