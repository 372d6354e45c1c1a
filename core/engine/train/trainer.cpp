// The step, and what it leaves to the next one.
#include "core/engine/train/trainer.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/engine/model/tensor_rules.hpp"

namespace mortise::core {

namespace {

const Value& table_of(const Value& recipe, const char* name) {
  const Value* table = recipe.find(name);
  MORTISE_CHECK(table != nullptr && table->is_table(), "the recipe has no [{}]", name);
  return *table;
}

}  // namespace

Trainer::Trainer(const Workspace& space, std::shared_ptr<LanguageModel> model)
    : space_(space),
      model_(std::move(model)),
      objective_(make<Objective>(*space.host, table_of(space.recipe, "objective"), {})),
      order_(space.rows->num_rows(),
             space.tables.batch.shuffle,
             static_cast<uint64_t>(space.tables.run.seed)) {
  if (const Value* table = space.recipe.find("schedule"))
    schedule_ = make<Schedule>(*space.host, *table, ScheduleArgs{space.total_steps});
  make_slots();
  optimizer_ = make<Optimizer>(*space.host, table_of(space.recipe, "optimizer"), slots_);
}

Trainer::~Trainer() = default;

void Trainer::make_slots() {
  const OptimizerKeys& keys = space_.tables.optimizer;
  std::vector<mortise::Slot> list;
  for (const NamedTensor& parameter : model_->parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    mortise::Slot slot;
    slot.param = parameter.tensor;
    slot.name = parameter.name;
    slot.logical_shape = parameter.tensor.sizes().vec();
    slot.weight_decay = parameter.tensor.dim() >= 2 ? keys.weight_decay
                                                    : 0;  // norms and biases are not pulled to zero
    double factor = 1;
    for (const auto& [name, group] : keys.groups) {
      if (!matches(group.match, parameter.name)) continue;
      factor = group.lr.value_or(1);
      slot.weight_decay = group.weight_decay.value_or(slot.weight_decay);
      break;
    }
    lr_factors_.push_back(factor);
    list.push_back(std::move(slot));
  }
  MORTISE_CHECK(!list.empty(), "the model has no trainable parameter");
  slots_ = Slots(std::move(list));
}

StepResult Trainer::step() {
  const BatchTable& table = space_.tables.batch;
  const int64_t consumed = step_ * table.global;
  StepResult result;
  result.step = step_ + 1;
  std::vector<int64_t> window(static_cast<size_t>(table.global));
  for (int64_t i = 0; i < table.global; ++i) {
    window[static_cast<size_t>(i)] = order_.at(consumed + i);
    result.num_targets += space_.rows->num_targets(window[static_cast<size_t>(i)]);
  }
  const auto normaliser = static_cast<double>(std::max<int64_t>(1, result.num_targets));
  double loss_sum = 0;
  for (int64_t begin = 0; begin < table.global; begin += table.micro) {
    const auto count = static_cast<size_t>(std::min(table.micro, table.global - begin));
    const Batch batch = make_batch(
        space_.tokens, *space_.rows, std::span(window).subspan(static_cast<size_t>(begin), count));
    result.num_inputs += batch.num_inputs;
    loss_sum += forward_backward(batch, normaliser, result);
  }
  result.loss = loss_sum / normaliser;
  for (auto& [name, value] : result.parts) value /= normaliser;
  update(result);
  ++step_;
  tokens_seen_ += result.num_inputs;
  return result;
}

double Trainer::forward_backward(const Batch& batch, double normaliser, StepResult& result) {
  const HiddenOutput hidden = model_->forward(batch.tokens);
  ObjectiveInput input;
  input.hidden_ND = hidden.hidden_BTD.reshape({-1, hidden.hidden_BTD.size(-1)});
  input.head = &model_->head();
  input.targets_N = batch.targets_N;
  input.mask_N = batch.mask_N;
  input.normaliser = normaliser;
  const ObjectiveOutput output = objective_->forward(input);
  at::Tensor loss = output.loss;
  const double share = static_cast<double>(batch.num_targets) / normaliser;
  for (const NamedValue& extra : hidden.losses) loss = loss + extra.value * share;
  const auto add_part = [&](const NamedValue& part, double weight) {
    for (auto& [name, sum] : result.parts)
      if (name == part.name) return void(sum += part.value.item<double>() * weight);
    result.parts.emplace_back(part.name, part.value.item<double>() * weight);
  };
  for (const NamedValue& part : output.parts) add_part(part, 1);
  for (const NamedValue& part : hidden.losses)
    add_part(part, static_cast<double>(batch.num_targets));
  const double sum = output.loss_sum.item<double>();
  check_finite(sum, "loss");
  loss.backward();
  return sum;
}

double Trainer::gradient_norm() {
  double square = 0;
  for (const mortise::Slot& slot : slots_) {
    if (!slot.grad.defined()) continue;
    const double norm = at::linalg_vector_norm(slot.grad, 2).item<double>();
    square += norm * norm;
  }
  return std::sqrt(square);
}

void Trainer::update(StepResult& result) {
  at::NoGradGuard no_grad;
  const OptimizerKeys& keys = space_.tables.optimizer;
  for (mortise::Slot& slot : slots_) slot.grad = slot.param.grad();
  result.grad_norm = gradient_norm();
  check_finite(result.grad_norm, "gradient norm");
  if (keys.clip_norm && result.grad_norm > *keys.clip_norm)
    for (mortise::Slot& slot : slots_)
      if (slot.grad.defined()) slot.grad.mul_(*keys.clip_norm / result.grad_norm);
  result.lr = keys.lr * (schedule_ == nullptr ? 1.0 : schedule_->factor(step_));
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].lr = result.lr * lr_factors_[i];
  optimizer_->step({step_});
  for (mortise::Slot& slot :
       slots_) {  // freed, not zeroed: the next backward writes into fresh memory without adding
    slot.grad.reset();
    slot.param.mutable_grad().reset();
  }
}

void Trainer::check_finite(double value, std::string_view what) const {
  if (std::isfinite(value)) return;
  throw Error(Code::Gate,
              fmt::format("the {} is {} at step {}", what, value, step_ + 1),
              "lower optimizer.lr, set optimizer.clip_norm, or lengthen the warm-up");
}

CheckpointContent Trainer::checkpoint() {
  CheckpointContent content;
  content.step = step_;
  for (const NamedTensor& tensor : model_->tensors())
    content.model.emplace_back(tensor.name, tensor.tensor);
  StateSaver saver;
  saver.begin("optimizer");
  optimizer_->state(saver);
  saver.begin("schedule");
  if (schedule_ != nullptr) schedule_->state(saver);
  saver.begin("rng");
  at::Tensor generator = at::detail::getDefaultCPUGenerator().get_state();
  saver.tensor("cpu", generator);
  content.optim = std::move(saver.tensors);
  content.state["step"] = step_;
  content.state["tokens_seen"] = tokens_seen_;
  content.state["rows_consumed"] = step_ * space_.tables.batch.global;
  content.state["epoch"] = order_.epoch(step_ * space_.tables.batch.global);
  content.state["seed"] = space_.tables.run.seed;
  content.state["num_rows"] = space_.rows->num_rows();
  content.state["data"] = space_.corpus.fingerprint;
  content.state["tokenizer"] = space_.tokenizer->fingerprint();
  content.state["values"] = saver.values;
  return content;
}

void Trainer::restore(const CheckpointReader& reader) {
  const Value& state = reader.state();
  if (state.get("data", "") != space_.corpus.fingerprint ||
      state.get("num_rows", int64_t{-1}) != space_.rows->num_rows())
    throw DataError(fmt::format("the training data changed since {}: {} rows then, {} now",
                                reader.folder(),
                                state.get("num_rows", int64_t{-1}),
                                space_.rows->num_rows()),
                    "restore the data, or start a new run");
  if (state.get("tokenizer", "") != space_.tokenizer->fingerprint())
    throw DataError(fmt::format("the tokenizer changed since {}", reader.folder()));
  step_ = state.get("step", int64_t{0});
  tokens_seen_ = state.get("tokens_seen", int64_t{0});
  for (NamedTensor& tensor : model_->tensors())
    read_tensor(reader.model(), tensor.name, tensor.tensor);
  StateLoader loader(state.at("values"), reader.optim());
  loader.begin("optimizer");
  optimizer_->state(loader);
  loader.begin("schedule");
  if (schedule_ != nullptr) schedule_->state(loader);
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  at::Tensor random = generator.get_state();
  loader.begin("rng");
  loader.tensor("cpu", random);
  generator.set_state(random);
}

}  // namespace mortise::core
