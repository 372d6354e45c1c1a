// Measuring units and playing a step through.
#include "core/engine/train/memory_plan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

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

struct Meter {
  Device& device;

  int64_t now() const { return device.memory().current_bytes; }

  int64_t peak() const { return device.memory().peak_bytes; }
};

int64_t bytes_of(const std::vector<NamedTensor>& tensors, bool trainable_only) {
  int64_t bytes = 0;
  for (const NamedTensor& tensor : tensors)
    if (!trainable_only || tensor.tensor.requires_grad())
      bytes += static_cast<int64_t>(tensor.tensor.nbytes());
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
  cost.parameters = bytes_of(module.parameters(), true);
  const int64_t before = meter.now();
  meter.device.reset_peak();
  at::Tensor output = forward();
  cost.kept = meter.now() - before;
  cost.forward_extra = meter.peak() - meter.now();
  if (output.requires_grad()) {
    const int64_t begin = meter.now();
    at::Tensor gradient = at::ones_like(output);  // from above: alive in a real one too
    meter.device.reset_peak();
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
  std::vector<UnitCost> units;  // embedding, layers, norm, objective
  int64_t batch = 0;
};

struct OptimizerCosts {
  int64_t bytes = 0, stated = 0;  // of the sample: measured, by its state()
  int64_t extra = 0;              // while it steps
  int64_t sample_elements = 0;
};

/// Rows of the micro-batches that may need most: of the one with most tokens, padding included, and
/// for each kind of row of the one with most tokens of that kind.
std::set<std::vector<int64_t>> largest_batches(const Workspace& space) {
  const BatchTable& table = space.tables.batch;
  const RowOrder order = make_order(space);
  using Kind = std::optional<int64_t>;  // none: any row
  std::map<Kind, std::pair<std::pair<int64_t, int64_t>, std::vector<int64_t>>> best;
  // No further than some 50 ms take.
  const int64_t end = std::min<int64_t>(1 << 18, space.total_steps * table.global);
  for (int64_t begin = 0; begin < end;) {
    const int64_t count = std::min(table.micro, table.global - begin % table.global);
    int64_t width = 0, targets = 0;
    std::vector<int64_t> rows;
    std::map<Kind, int64_t> rows_of = {{Kind(), count}};
    for (; static_cast<int64_t>(rows.size()) < count; ++begin) {
      rows.push_back(order.at(begin));
      const auto row = space.rows->row(rows.back());
      width = std::max(width, row_length(row));
      targets += space.rows->num_targets(rows.back());
      if (!space.tokens.kinds.empty())
        ++rows_of[space.tokens.kinds[static_cast<size_t>(row.front().document)]];
    }
    for (const auto& [kind, number] : rows_of)
      if (const std::pair size(width * number, targets); size > best[kind].first)
        best[kind] = {size, rows};
  }
  std::set<std::vector<int64_t>> distinct;
  for (const auto& [kind, chosen] : best) distinct.insert(chosen.second);
  return distinct;
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
                       OptimizerCosts& costs) {
  const int64_t parameters = 2 * 4 * trainable_elements(model);  // the slots' own tensors
  const int64_t before = meter.now();
  const auto optimizer = make_optimizer(space, model);
  costs.stated = state_bytes(*optimizer);
  const at::NoGradGuard no_grad;
  optimizer->step({0});  // some make their state at the first step
  costs.bytes = meter.now() - before - parameters;
  const int64_t begin = meter.now();
  meter.device.reset_peak();
  optimizer->step({1});
  costs.extra = meter.peak() - begin;
}

/// The whole model's: as its state on the meta device is to the sample's; by size where there is
/// none before the first step.
int64_t optimizer_bytes(const Workspace& space,
                        const OptimizerCosts& costs,
                        const LanguageModel& whole) {
  double factor = static_cast<double>(trainable_elements(whole)) /
                  static_cast<double>(std::max<int64_t>(1, costs.sample_elements));
  if (costs.stated > 0)
    factor = static_cast<double>(state_bytes(*make_optimizer(space, whole))) /
             static_cast<double>(costs.stated);
  return static_cast<int64_t>(static_cast<double>(costs.bytes) * factor);
}

/// A model with one layer of each kind, to measure them on, and what wraps the units of the whole.
struct Sample {
  std::shared_ptr<LanguageModel> model;
  std::vector<std::shared_ptr<Parallel>> strategies;
};

Sample make_sample(const Workspace& space, int64_t num_layers) {
  Sample sample;
  sample.model = build_model(space, one_of_each(space.model_spec), space.device->device());
  initialise(*sample.model, 1, 0.02, false);
  sample.strategies = make_strategies(space, num_layers, *sample.model);
  return sample;
}

/// What the first unit of the sample reads.
BlockInput unit_input(const Workspace& space, LanguageModel& model, const Batch& batch) {
  const at::TensorOptions options = at::TensorOptions()
                                        .dtype(scalar_type_of(space.tables.run.dtype))
                                        .device(space.device->device());
  const at::Tensor& ids_BT = batch.tokens.ids_BT;
  BlockInput in;
  in.positions_BT = batch.tokens.positions_BT;
  in.segments_BT = batch.tokens.segments_BT;
  in.offsets_S = batch.tokens.offsets_S;
  in.kinds_B = batch.tokens.kinds_B;
  in.x_BTD = at::randn({ids_BT.size(0), ids_BT.size(1), model.width()}, options);
  if (model.has_adapter()) model.adapter()->before_stack(in, ids_BT);  // makes the rows longer
  in.x_BTD = in.x_BTD.detach().set_requires_grad(true);
  return in;
}

/// One layer, as its unit runs.
UnitCost measure_layer(
    Meter& meter, Layer& layer, const UnitRunner& unit, const BlockInput& in, bool is_wrapped) {
  UnitCost cost = measure(meter, layer, [&] { return unit(in).x_BTD; });
  in.x_BTD.mutable_grad().reset();
  if (!is_wrapped) return cost;
  // A strategy may keep the input of a unit elsewhere: what a second one adds, the first's output
  // gone.
  BlockInput next = in;
  next.x_BTD = unit(in).x_BTD;
  const int64_t before = meter.now();
  at::Tensor output = unit(next).x_BTD;
  next.x_BTD.reset();
  cost.kept = meter.now() - before;
  return cost;
}

/// The units of the whole model, in order, on one micro-batch.
Costs measure_units(const Workspace& space,
                    const Sample& sample,
                    const LanguageModel& whole,
                    const std::vector<int64_t>& rows) {
  Costs costs;
  Meter meter{*space.device};
  const int64_t before = meter.now();
  const Batch batch = make_batch(space.tokens, *space.rows, rows);
  costs.batch = meter.now() - before;
  const auto objective = make<Objective>(*space.host, space.recipe.at("objective"), {});
  LanguageModel& model = *sample.model;
  BlockInput in = unit_input(space, model, batch);
  std::map<std::string, std::pair<Layer*, int64_t>> layers;  // by table: place in the sample
  model.visit([&](const std::string& path, Module& module) {
    if (auto* embedding = dynamic_cast<Embedding*>(&module))
      costs.units.push_back(measure(meter, module, [&] {
        return embedding->forward(batch.tokens.ids_BT, batch.tokens.positions_BT);
      }));
    const auto place = static_cast<int64_t>(layers.size());
    if (auto* layer = dynamic_cast<Layer*>(&module);
        layer != nullptr && path == fmt::format("model.layers.{}", place))  // none inside
      layers[model.layer_table(place)] = {layer, place};
  });
  std::map<std::string, UnitCost> known;  // by table and by what wraps the unit
  for (int64_t i = 0; i < whole.num_layers(); ++i) {
    std::string key = whole.layer_table(i);
    const auto& [layer, place] = layers.at(key);
    UnitRunner unit = [&model, at = place](const BlockInput& input) {
      BlockInput own = input;
      return model.run_unit(at, own);
    };
    for (const auto& strategy : sample.strategies) {
      unit = strategy->wrap(i, std::move(unit));
      key += unit.target_type().name();
    }
    if (!known.contains(key))
      known[key] = measure_layer(meter, *layer, unit, in, !sample.strategies.empty());
    costs.units.push_back(known.at(key));
  }
  if (model.has_adapter()) in.x_BTD = model.adapter()->after_stack(in.x_BTD);
  in.x_BTD = model.for_head(in.x_BTD).detach().contiguous().set_requires_grad(true);
  // The norm keeps its output; its input is the last layer's.
  costs.units.push_back({.kept = static_cast<int64_t>(in.x_BTD.nbytes())});
  costs.units.push_back(measure(meter, model.head(), [&] {
    ObjectiveInput input = objective_input(batch, in.x_BTD, model.head());
    if (const Value* references = space.recipe.find("reference"))
      for (const auto& [name, table] : references->as_table())
        input.references.push_back({name, input.hidden_ND.detach().clone(), &model.head()});
    input.normaliser = static_cast<double>(std::max<int64_t>(1, batch.num_targets));
    return objective->forward(input).loss;
  }));
  return costs;
}

/// Plays one micro-batch after another through the stack; returns the highest mark.
int64_t play(const Costs& costs,
             int64_t resident,
             int64_t gradients,
             bool accumulates,
             int64_t update_extra,
             bool updates) {  // each unit as its gradients come, which then go
  int64_t peak = 0;
  for (int pass = 0; pass < (accumulates ? 2 : 1); ++pass) {
    int64_t now = resident + costs.batch + (pass == 1 ? gradients : 0);
    const auto mark = [&](int64_t extra) { peak = std::max(peak, now + extra); };
    for (const UnitCost& unit : costs.units) {
      mark(unit.kept + unit.forward_extra);
      now += unit.kept;
    }
    for (auto unit = costs.units.rbegin(); unit != costs.units.rend(); ++unit) {
      mark(unit->backward_extra + (updates ? update_extra : 0));
      now += (pass == 0 && !updates ? unit->parameters : 0) - unit->kept;
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
  const auto model = build_base(space.model_spec, space.tables, *space.host, at::kMeta);
  const int64_t base = bytes_of(model->tensors(), false);
  int64_t bytes = 0;
  for (const auto& [name, table] : tables->as_table()) {
    const std::string from = table.get("from", "");
    bytes += from.empty() ? base : weight_file_bytes(from);
  }
  return bytes;
}

}  // namespace

MemoryPlan plan_memory(const Workspace& space) {
  Meter meter{*space.device};
  const auto whole = build_model(space, space.model_spec, at::kMeta);
  std::vector<Costs> costs;
  OptimizerCosts optimizer;
  {
    const Sample sample = make_sample(space, whole->num_layers());
    for (const std::vector<int64_t>& rows : largest_batches(space))
      costs.push_back(measure_units(space, sample, *whole, rows));
    optimizer.sample_elements = trainable_elements(*sample.model);
    measure_optimizer(meter, space, *sample.model, optimizer);
  }
  MemoryPlan plan;
  plan.weights = bytes_of(whole->tensors(), false) + reference_bytes(space);
  plan.gradients = bytes_of(whole->parameters(), true);
  const int64_t copies = 4 * trainable_elements(*whole);  // an fp32 copy of what is trained
  const int64_t masters = space.tables.run.master ? 4 * half_elements(*whole) : 0;
  plan.optimizer = optimizer_bytes(space, optimizer, *whole) + masters +
                   (space.tables.ema.decay > 0 ? copies : 0);
  const bool accumulates = space.tables.batch.global > space.tables.batch.micro;
  const bool in_backward = space.tables.optimizer.in_backward;
  if (in_backward) {  // never more than one unit's
    plan.gradients = 0;
    for (const UnitCost& unit : costs.front().units)
      plan.gradients = std::max(plan.gradients, unit.parameters);
  }
  for (const Costs& each : costs)
    plan.peak = std::max(plan.peak,
                         play(each,
                              plan.weights + plan.optimizer,
                              plan.gradients,
                              accumulates,
                              optimizer.extra,
                              in_backward));
  const int64_t update = plan.weights + plan.optimizer + plan.gradients + optimizer.extra +
                         (in_backward ? 0 : masters);  // gradients as fp32
  plan.peak = std::max(plan.peak, update);
  plan.activations = plan.peak - plan.weights - plan.optimizer;
  return plan;
}

}  // namespace mortise::core
