// The step, and what it leaves to the next one.
#include "core/engine/train/trainer.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

namespace mortise::core {

namespace {

const Value& table_of(const Value& recipe, const char* name) {
  const Value* table = recipe.find(name);
  MORTISE_CHECK(table != nullptr && table->is_table(), "the recipe has no [{}]", name);
  return *table;
}

}  // namespace

Trainer::Trainer(const Workspace& space,
                 std::shared_ptr<LanguageModel> model,
                 References references)
    : space_(space),
      model_(std::move(model)),
      objective_(make<Objective>(*space.host, table_of(space.recipe, "objective"), {})),
      references_(std::move(references)),
      updater_(space, *model_),
      guards_(space.recipe, *space.host),
      order_(make_order(space)) {
  if (space.tables.ema.decay > 0) ema_ = std::make_unique<Ema>(*model_, space.tables.ema.decay);
}

Trainer::~Trainer() = default;

std::vector<int64_t> Trainer::next_rows() const {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < space_.tables.batch.global; ++i)
    rows.push_back(order_.at(rows_consumed_ + i));
  return rows;
}

int64_t Trainer::units_of(const std::vector<int64_t>& rows) const {
  int64_t units = 0;
  for (const int64_t row : rows) units += space_.rows->num_units(row, objective_->unit());
  return units;
}

StepResult Trainer::step() {
  const BatchTable& table = space_.tables.batch;
  const std::vector<int64_t> rows = next_rows();
  StepResult result;
  result.step = step_ + 1;
  result.num_units = units_of(rows);
  Window window;
  window.normaliser = static_cast<double>(std::max<int64_t>(1, result.num_units));
  for (int64_t begin = 0; begin < table.global; begin += table.micro) {
    const auto count = static_cast<size_t>(std::min(table.micro, table.global - begin));
    const Batch batch = make_batch(
        space_.tokens, *space_.rows, std::span(rows).subspan(static_cast<size_t>(begin), count));
    result.num_inputs += batch.num_inputs;
    forward_backward(batch, window);
  }
  result.loss = window.loss_sum / window.normaliser;
  for (const auto& [name, sum] : window.parts)
    result.parts.emplace_back(name, sum / window.normaliser);
  for (const auto& [name, sum] : window.stats)
    result.parts.emplace_back(name, sum.first / sum.second);
  update(window, result);
  ++step_;
  rows_consumed_ += table.global;
  tokens_seen_ += result.num_inputs;
  return result;
}

void Trainer::forward_backward(const Batch& batch, Window& window) {
  const HiddenOutput hidden = model_->forward(batch.tokens);
  ObjectiveInput input = objective_input(batch, hidden.hidden_BTD, model_->head());
  input.normaliser = window.normaliser;
  input.loss_scale = updater_.loss_scale();
  input.references = reference_hidden(references_, batch.tokens);
  const ObjectiveOutput output = objective_->forward(input);
  const auto units = static_cast<double>(batch.units(objective_->unit()));
  at::Tensor loss = output.loss;
  const double share = units / window.normaliser * updater_.loss_scale();
  for (const NamedValue& extra : hidden.losses) loss = loss + extra.value * share;
  collect(hidden, output, units, window);
  if (updater_.in_backward()) {
    updater_.begin(step_);
    if (!std::isfinite(window.loss_sum)) return;  // nothing may move by it
  }
  loss.backward();
}

void Trainer::collect(const HiddenOutput& hidden,
                      const ObjectiveOutput& output,
                      double units,
                      Window& window) {
  window.loss_sum += output.loss_sum.item<double>();
  for (const NamedValue& part : output.parts) window.parts[part.name] += part.value.item<double>();
  for (const NamedValue& part : hidden.losses)
    window.parts[part.name] += part.value.item<double>() * units;
  for (const NamedValue& stat : hidden.stats) {
    auto& [sum, count] = window.stats[stat.name.substr(stat.name.rfind('.') + 1)];
    sum += stat.value.item<double>();
    ++count;
  }
  for (const NamedValue& count : hidden.counts) {
    at::Tensor& sum = window.counts[count.name];
    sum = sum.defined() ? sum + count.value : count.value;
  }
}

void Trainer::update(const Window& window, StepResult& result) {
  result.lr = updater_.lr(step_);
  result.grad_norm = updater_.gather();
  if (updater_.loss_scale() != 1 && std::isfinite(result.loss) && !std::isfinite(result.grad_norm))
    return updater_.back_off(step_);
  result.events = guards_.before_update({result.step, result.loss, result.grad_norm, result.lr});
  if (strongest(result.events) == GuardAction::Skip && updater_.in_backward() &&
      std::isfinite(result.loss))
    throw Error(Code::Gate,
                fmt::format("{}: it wants the update of step {} left out, which "
                            "optimizer.in_backward = true has made",
                            text_of(result.events.front()),
                            result.step),
                "optimizer.in_backward = false, or another action of the guard");
  if (strongest(result.events) > GuardAction::Warn) return updater_.drop();
  if (!std::isfinite(result.loss)) not_finite(result.loss, "loss");
  if (!std::isfinite(result.grad_norm)) not_finite(result.grad_norm, "gradient norm");
  updater_.apply(step_, result.grad_norm);
  result.updated = true;
  tell_routers(window);
  if (ema_ != nullptr) ema_->update();
}

void Trainer::tell_routers(const Window& window) {
  if (window.counts.empty()) return;
  const at::NoGradGuard no_grad;
  for (const auto& [path, router] : model_->routers())
    if (const auto found = window.counts.find(path); found != window.counts.end())
      router->after_step(found->second);
}

std::vector<GuardEvent> Trainer::observe(std::string_view name, double value) {
  if (updater_.schedule() != nullptr) updater_.schedule()->observe(name, value);
  return guards_.observe(step_, name, value);
}

void Trainer::not_finite(double value, std::string_view what) const {
  throw Error(Code::Gate,
              fmt::format("the {} is {} at step {}", what, value, step_ + 1),
              "lower optimizer.lr, set optimizer.clip_norm, lengthen the warm-up, or add a guard: "
              "guard.nan = { type = \"nan\" }");
}

CheckpointContent Trainer::checkpoint() {
  CheckpointContent content;
  content.step = step_;
  for (const NamedTensor& tensor : model_->tensors())
    content.model.emplace_back(tensor.name, tensor.tensor);
  StateSaver saver;
  updater_.save(saver);
  guards_.save(saver);
  saver.begin("ema");
  if (ema_ != nullptr) ema_->state(saver);
  saver.begin("rng");
  at::Tensor generator = at::detail::getDefaultCPUGenerator().get_state();
  saver.tensor("cpu", generator);
  content.optim = std::move(saver.tensors);
  content.state["step"] = step_;
  content.state["tokens_seen"] = tokens_seen_;
  content.state["rows_consumed"] = rows_consumed_;
  content.state["epoch"] = order_.epoch(rows_consumed_);
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
  rows_consumed_ = state.get("rows_consumed", int64_t{0});
  tokens_seen_ = state.get("tokens_seen", int64_t{0});
  for (NamedTensor& tensor : model_->tensors())
    read_tensor(reader.model(), tensor.name, tensor.tensor);
  StateLoader loader(state.at("values"), reader.optim());
  updater_.restore(loader);
  guards_.restore(loader);
  loader.begin("ema");
  if (ema_ != nullptr) ema_->state(loader);
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  at::Tensor random = generator.get_state();
  loader.begin("rng");
  loader.tensor("cpu", random);
  generator.set_state(random);
}

void Trainer::roll_back(const CheckpointReader& reader) {
  const int64_t consumed = rows_consumed_, seen = tokens_seen_;
  restore(reader);
  rows_consumed_ = consumed;
  tokens_seen_ = seen;
}

}  // namespace mortise::core
