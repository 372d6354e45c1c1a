// Measuring units and playing a step through.
#include "core/engine/train/memory_plan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/engine/model/open_model.hpp"
#include "core/engine/train/trainer.hpp"

namespace mortise::core {

namespace {

/// Bytes of one unit.
struct UnitCost {
  int64_t forward_extra = 0;   // beyond what was there before and what is kept
  int64_t kept = 0;            // until its backward pass, its output included
  int64_t backward_extra = 0;  // beyond all that is there when its backward pass begins
  int64_t parameters = 0;      // bytes of its trainable parameters, as many of their gradients
};

class Meter {
 public:
  explicit Meter(Device& device) : device_(device) {}

  int64_t now() const { return device_.memory().current_bytes; }

  int64_t peak() const { return device_.memory().peak_bytes; }

  void reset() { device_.reset_peak(); }

 private:
  Device& device_;
};

int64_t trainable_bytes(const Module& module) {
  int64_t bytes = 0;
  for (const NamedTensor& tensor : module.parameters())
    if (tensor.tensor.requires_grad()) bytes += static_cast<int64_t>(tensor.tensor.nbytes());
  return bytes;
}

int64_t trainable_elements(const Module& module) {
  int64_t elements = 0;
  for (const NamedTensor& tensor : module.parameters())
    if (tensor.tensor.requires_grad()) elements += tensor.tensor.numel();
  return elements;
}

/// Of trained parameters that are not fp32: what has a master copy.
int64_t half_elements(const Module& module) {
  int64_t elements = 0;
  for (const NamedTensor& tensor : module.parameters())
    if (tensor.tensor.requires_grad() && tensor.tensor.scalar_type() != at::kFloat)
      elements += tensor.tensor.numel();
  return elements;
}

/// Runs `forward` on a leaf, then its backward pass with a gradient of ones, and notes the bytes.
template <class Forward>
UnitCost measure(Meter& meter, const Module& module, const Forward& forward) {
  UnitCost cost;
  cost.parameters = trainable_bytes(module);
  const int64_t before = meter.now();
  meter.reset();
  at::Tensor output = forward();
  cost.kept = meter.now() - before;
  cost.forward_extra = meter.peak() - meter.now();
  if (output.requires_grad()) {
    const int64_t begin = meter.now();
    at::Tensor gradient =
        at::ones_like(output);  // what comes from above is alive in a real backward pass too
    meter.reset();
    output.backward(gradient);
    cost.backward_extra = meter.peak() - begin;
  }
  for (const NamedTensor& tensor : module.parameters()) {
    at::Tensor handle = tensor.tensor;
    handle.mutable_grad().reset();
  }
  return cost;
}

struct Costs {
  UnitCost embedding, norm, objective;
  std::map<std::string, UnitCost> layers;             // by table
  int64_t optimizer_bytes = 0, optimizer_stated = 0;  // of the sample: measured, by its state()
  int64_t optimizer_extra = 0;                        // while it steps
  int64_t sample_elements = 0;
  int64_t batch = 0;
};

Batch first_batch(const Workspace& space) {
  const RowOrder order = make_order(space);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < std::min(space.tables.batch.micro, space.tables.batch.global); ++i)
    indices.push_back(order.at(i));
  return make_batch(space.tokens, *space.rows, indices);
}

// The specification with one layer of each table.
Value one_of_each(Value spec) {
  for (auto& [name, table] : spec["layer"].as_table()) table["repeat"] = 1;
  return spec;
}

/// Bytes of the state that an optimizer says it has.
int64_t state_bytes(Optimizer& optimizer) {
  StateSaver saver;
  optimizer.state(saver);
  int64_t bytes = 0;
  for (const auto& [name, tensor] : saver.tensors)
    if (tensor.defined()) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

std::unique_ptr<Optimizer> make_optimizer(const Workspace& space, const LanguageModel& model) {
  std::vector<mortise::Slot> list;
  for (const NamedTensor& parameter : model.parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    mortise::Slot slot;
    // What is updated is fp32: the parameter or its master copy.
    slot.param = at::zeros_like(parameter.tensor, parameter.tensor.options().dtype(at::kFloat));
    slot.grad = at::zeros_like(slot.param);
    slot.name = parameter.name;
    slot.logical_shape = parameter.tensor.sizes().vec();
    list.push_back(std::move(slot));
  }
  return make<Optimizer>(*space.host, space.recipe.at("optimizer"), Slots(std::move(list)));
}

/// State of one layer of each kind, measured, and what a step needs beside it.
void measure_optimizer(Meter& meter,
                       const Workspace& space,
                       const LanguageModel& model,
                       Costs& costs) {
  const int64_t parameters = 2 * 4 * trainable_elements(model);  // the slots' own tensors
  const int64_t before = meter.now();
  const auto optimizer = make_optimizer(space, model);
  costs.optimizer_stated = state_bytes(*optimizer);
  const at::NoGradGuard no_grad;
  optimizer->step({0});  // some make their state at the first step
  costs.optimizer_bytes = meter.now() - before - parameters;
  const int64_t begin = meter.now();
  meter.reset();
  optimizer->step({1});
  costs.optimizer_extra = meter.peak() - begin;
}

/// The whole model's: as its state on the meta device is to the sample's; by size where there is
/// none before the first step.
int64_t optimizer_bytes(const Workspace& space, const Costs& costs, const LanguageModel& whole) {
  double factor = static_cast<double>(trainable_elements(whole)) /
                  static_cast<double>(std::max<int64_t>(1, costs.sample_elements));
  if (costs.optimizer_stated > 0)
    factor = static_cast<double>(state_bytes(*make_optimizer(space, whole))) /
             static_cast<double>(costs.optimizer_stated);
  return static_cast<int64_t>(static_cast<double>(costs.optimizer_bytes) * factor);
}

Costs measure_units(const Workspace& space, Host& host) {
  Costs costs;
  Meter meter(*space.device);
  const int64_t before_batch = meter.now();
  const Batch batch = first_batch(space);
  costs.batch = meter.now() - before_batch;
  const auto model = build_model(space, one_of_each(space.model_spec), space.device->device());
  initialise(*model, 1, 0.02, false);
  const auto objective = make<Objective>(host, space.recipe.at("objective"), {});
  const at::TensorOptions options = at::TensorOptions()
                                        .dtype(scalar_type_of(space.tables.run.dtype))
                                        .device(space.device->device());
  BlockInput in;
  in.positions_BT = batch.tokens.positions_BT;
  in.segments_BT = batch.tokens.segments_BT;
  in.offsets_S = batch.tokens.offsets_S;
  in.kinds_B = batch.tokens.kinds_B;
  in.x_BTD =
      at::randn({batch.tokens.ids_BT.size(0), batch.tokens.ids_BT.size(1), model->width()}, options)
          .set_requires_grad(true);
  if (model->has_adapter()) {  // virtual tokens make the rows longer
    model->adapter()->before_stack(in, batch.tokens.ids_BT);
    in.x_BTD = in.x_BTD.detach().set_requires_grad(true);
  }
  int64_t layer_index = 0;
  model->visit([&](const std::string& path, Module& module) {
    if (auto* embedding = dynamic_cast<Embedding*>(&module)) {
      costs.embedding = measure(meter, module, [&] {
        return embedding->forward(batch.tokens.ids_BT, batch.tokens.positions_BT);
      });
    } else if (auto* layer = dynamic_cast<Layer*>(&module);
               layer != nullptr &&
               path == fmt::format("model.layers.{}", layer_index)) {  // none inside
      const int64_t index = layer_index++;
      costs.layers[model->layer_table(index)] =
          measure(meter, *layer, [&] { return model->run_unit(index, in).x_BTD; });
    }
    in.x_BTD.mutable_grad().reset();
  });
  if (model->has_adapter())
    in.x_BTD =
        model->adapter()->after_stack(in.x_BTD).detach().contiguous().set_requires_grad(true);
  in.x_BTD = model->for_head(in.x_BTD).detach().set_requires_grad(true);
  costs.objective = measure(meter, model->head(), [&] {
    ObjectiveInput input = objective_input(batch, in.x_BTD, model->head());
    if (const Value* references = space.recipe.find("reference"))
      for (const auto& [name, table] : references->as_table())
        input.references.push_back({name, input.hidden_ND.detach().clone(), &model->head()});
    input.normaliser = static_cast<double>(std::max<int64_t>(1, batch.num_targets));
    return objective->forward(input).loss;
  });
  costs.norm.kept =
      static_cast<int64_t>(in.x_BTD.nbytes());  // its output; its inputs are the last layer's
  in.x_BTD.mutable_grad().reset();
  costs.sample_elements = trainable_elements(*model);
  measure_optimizer(meter, space, *model, costs);
  return costs;
}

/// Plays one micro-batch after another through the stack; returns the highest mark.
int64_t play(const Costs& costs,
             const std::vector<const UnitCost*>& units,
             int64_t resident,
             int64_t gradients,
             bool accumulates,
             bool updates) {  // each unit as its gradients come, which then go
  int64_t peak = 0;
  for (int pass = 0; pass < (accumulates ? 2 : 1); ++pass) {
    int64_t now = resident + costs.batch + (pass == 1 ? gradients : 0);
    const auto mark = [&](int64_t extra) { peak = std::max(peak, now + extra); };
    for (const UnitCost* unit : units) {
      mark(unit->kept + unit->forward_extra);
      now += unit->kept;
    }
    for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
      mark((*unit)->backward_extra + (updates ? costs.optimizer_extra : 0));
      now += (pass == 0 && !updates ? (*unit)->parameters : 0) - (*unit)->kept;
    }
    mark(0);
  }
  return std::max(peak, resident + gradients);
}

int64_t weight_file_bytes(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder, absent))
    if (entry.path().extension() == ".safetensors")
      bytes += static_cast<int64_t>(entry.file_size());
  return bytes;
}

/// References: copies of the initial weights, or as large as the files that they come from.
int64_t reference_bytes(const Workspace& space) {
  const Value* tables = space.recipe.find("reference");
  if (tables == nullptr) return 0;
  int64_t base = 0, bytes = 0;
  const auto model = build_base(space.model_spec, space.tables, *space.host, at::kMeta);
  for (const NamedTensor& tensor : model->tensors())
    base += static_cast<int64_t>(tensor.tensor.nbytes());
  for (const auto& [name, table] : tables->as_table()) {
    const std::string from = table.get("from", "");
    bytes += from.empty() ? base : weight_file_bytes(from);
  }
  return bytes;
}

}  // namespace

MemoryPlan plan_memory(const Workspace& space, Host& host) {
  const Costs costs = measure_units(space, host);
  const auto whole = build_model(space, space.model_spec, at::kMeta);
  MemoryPlan plan;
  for (const NamedTensor& tensor : whole->tensors())
    plan.weights += static_cast<int64_t>(tensor.tensor.nbytes());
  if (const Value* references = space.recipe.find("reference"))  // a folder's counts as this one's
    plan.weights *= 1 + static_cast<int64_t>(references->as_table().size());
  plan.gradients = trainable_bytes(*whole);
  const int64_t copies = 4 * trainable_elements(*whole);  // an fp32 copy of what is trained
  const int64_t masters = space.tables.run.master ? 4 * half_elements(*whole) : 0;
  plan.optimizer =
      optimizer_bytes(space, costs, *whole) + masters + (space.tables.ema.decay > 0 ? copies : 0);
  plan.weights += reference_bytes(space);
  std::vector<const UnitCost*> units = {&costs.embedding};
  for (int64_t i = 0; i < whole->num_layers(); ++i)
    units.push_back(&costs.layers.at(whole->layer_table(i)));
  units.push_back(&costs.norm);
  units.push_back(&costs.objective);
  const bool in_backward = space.tables.optimizer.in_backward;
  if (in_backward) {  // never more than one unit's
    plan.gradients = 0;
    for (const UnitCost* unit : units) plan.gradients = std::max(plan.gradients, unit->parameters);
  }
  plan.peak = play(costs,
                   units,
                   plan.weights + plan.optimizer,
                   plan.gradients,
                   space.tables.batch.global > space.tables.batch.micro,
                   in_backward);
  const int64_t update = plan.weights + plan.optimizer + plan.gradients + costs.optimizer_extra +
                         (in_backward ? 0 : masters);  // gradients as fp32
  plan.peak = std::max(plan.peak, update);
  plan.activations = plan.peak - plan.weights - plan.optimizer;
  return plan;
}

}  // namespace mortise::core
