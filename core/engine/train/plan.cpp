// Counting on the meta device, and writing it down.
#include "core/engine/train/plan.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/units.hpp"

#include "core/engine/model/open_model.hpp"
#include "core/engine/train/model_io.hpp"

namespace mortise::core {

namespace {

double percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string plugins_line(const Value& notes) {
  const Value* plugins = notes.find("plugins");
  return plugins == nullptr ? "" : "plugins    " + plugins->as_string() + "\n";
}

void add_model(JobPlan& plan, const Workspace& space) {
  const auto model = build_model(space, space.model_spec, at::kMeta);
  check_exports(*model, space);
  for (const NamedTensor& tensor : model->parameters()) {
    plan.parameters += tensor.tensor.numel();
    if (tensor.tensor.requires_grad()) plan.trainable += tensor.tensor.numel();
  }
  plan.text +=
      fmt::format("model      {} layers × {}, vocab {} · {} parameters, trainable {} ({:.4g} %)\n",
                  model->num_layers(),
                  model->width(),
                  grouped(model->vocab()),
                  grouped(plan.parameters),
                  grouped(plan.trainable),
                  percent(plan.trainable, plan.parameters));
  Value parts = Value::table();
  for (const PartSize& part : count_parameters(*model)) {
    plan.text += fmt::format("             {:<24} {:>14}{}\n",
                             part.part,
                             grouped(part.parameters),
                             part.units > 1 ? fmt::format("   {} units", part.units) : "");
    parts[part.part] = part.parameters;
  }
  std::map<std::string, int64_t> bytes;  // by dtype
  for (const NamedTensor& tensor : model->parameters())
    bytes[dtype_text(tensor.tensor.scalar_type())] += static_cast<int64_t>(tensor.tensor.nbytes());
  std::string dtypes;
  for (const auto& [dtype, count] : bytes) {
    dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", dtype, bytes_text(count));
    plan.value["dtypes"][dtype] = count;
  }
  plan.text += fmt::format("             weights in {}\n", dtypes);
  for (const auto& [alias, owner] : model->ties())
    plan.text += fmt::format("             {} is tied to {}\n", alias, owner);
  plan.value["parameters"] = plan.parameters;
  plan.value["trainable"] = plan.trainable;
  plan.value["parts"] = parts;
}

void add_data(JobPlan& plan, const Workspace& space) {
  for (const SourceCount& source : space.corpus.sources)
    plan.text += fmt::format("data       {:<16} {:>10} records, {}{}\n",
                             source.name,
                             grouped(source.report.records),
                             bytes_text(source.report.bytes),
                             source.weight == 1 ? "" : fmt::format(", weight {}", source.weight));
  for (const StepCount& step : space.corpus.steps) {
    std::string reasons;
    for (const auto& [reason, count] : step.dropped)
      reasons += fmt::format("  {} {}", reason, grouped(count));
    plan.text += fmt::format("             {:<14} {:>10} → {}{}\n",
                             step.name,
                             grouped(step.in),
                             grouped(step.out),
                             reasons);
  }
  for (const auto& [part, rows] : space.corpus.parts)
    if (!rows.empty())
      plan.text += fmt::format("             {:<14} {:>10} documents\n",
                               part,
                               grouped(static_cast<int64_t>(rows.size())));
  const RowSet& rows = *space.rows;
  const int64_t documents = space.tokens.num_documents(), eos = space.tokens.num_eos_trained();
  const int64_t capacity = rows.num_rows() * rows.seq_len();
  plan.text += fmt::format(
      "tokens     {} documents, {} tokens in {} rows × {} ({:.1f} % full), {} trained targets; EOS "
      "trained: {}{}\n",
      grouped(documents),
      grouped(space.tokens.num_tokens()),
      grouped(rows.num_rows()),
      rows.seq_len(),
      percent(rows.total_inputs(), capacity),
      grouped(rows.total_targets()),
      eos == documents ? "yes"
      : eos == 0       ? "no"
                       : fmt::format("in {} documents", grouped(eos)),
      rows.num_untrained() == 0 ? ""
                                : fmt::format("; {} documents left out, nothing in them is trained",
                                              grouped(rows.num_untrained())));
  const CurriculumTable& curriculum = space.tables.batch.curriculum;
  if (curriculum.by == "perplexity") {
    plan.text += fmt::format("curriculum {} tokens are scored once, before training, by {}{}\n",
                             grouped(space.tokens.num_tokens()),
                             curriculum.model,
                             space.tokens.difficulty.empty() ? "; rows above are by length" : "");
    plan.value["curriculum_tokens"] = space.tokens.num_tokens();
  }
  plan.value["documents"] = space.tokens.num_documents();
  plan.value["tokens"] = space.tokens.num_tokens();
  plan.value["rows"] = rows.num_rows();
  plan.value["targets"] = rows.total_targets();
  plan.value["untrained_documents"] = rows.num_untrained();
  plan.value["eos_trained"] = eos > 0;
}

void add_schedule(JobPlan& plan, const Workspace& space) {
  const BatchTable& batch = space.tables.batch;
  const double epochs = static_cast<double>(space.total_steps * batch.global) /
                        static_cast<double>(space.rows->num_rows());
  const Value* schedule = space.recipe.find("schedule");
  plan.text += fmt::format(
      "schedule   {} steps of {} rows = {} × {} accumulation; {:.2f} epochs; lr {:g} by {}\n",
      grouped(space.total_steps),
      batch.global,
      batch.micro,
      (batch.global + batch.micro - 1) / batch.micro,
      epochs,
      space.tables.optimizer.lr,
      schedule == nullptr ? "constant" : schedule->get("type", ""));
  plan.value["steps"] = space.total_steps;
  plan.value["epochs"] = epochs;
}

void add_memory(JobPlan& plan, const Workspace& space) {
  plan.memory = plan_memory(space);
  const MemoryPlan& memory = plan.memory;
  const int64_t total = space.device->total_bytes();
  plan.text += fmt::format(
      "memory     weights {} | gradients {} | optimizer {} | activations and gradients at the peak "
      "{}\n",
      bytes_text(memory.weights),
      bytes_text(memory.gradients),
      bytes_text(memory.optimizer),
      bytes_text(memory.activations));
  plan.text += fmt::format("             peak {} of tensors; {} has {} -> {}\n",
                           bytes_text(memory.peak),
                           space.device->description(),
                           bytes_text(total),
                           memory.peak < total ? "fits" : "does not fit");
  plan.value["memory"]["weights"] = memory.weights;
  plan.value["memory"]["gradients"] = memory.gradients;
  plan.value["memory"]["optimizer"] = memory.optimizer;
  plan.value["memory"]["activations"] = memory.activations;
  plan.value["memory"]["peak"] = memory.peak;
  plan.value["memory"]["fits"] = memory.peak < total;
}

void add_lines(JobPlan& plan, const Value& notes, const char* key) {
  const Value* lines = notes.find(key);
  if (lines == nullptr) return;
  for (const Value& line : lines->as_array())
    plan.text += fmt::format("{:<10} {}\n", key, line.as_string());
}

}  // namespace

JobPlan make_plan(const Workspace& space, const Value& notes) {
  JobPlan plan;
  plan.value = Value::table();
  plan.text = plugins_line(notes);
  add_model(plan, space);
  add_data(plan, space);
  add_schedule(plan, space);
  add_memory(plan, space);
  add_lines(plan, notes, "dropped");
  add_lines(plan, notes, "changed");
  return plan;
}

}  // namespace mortise::core
