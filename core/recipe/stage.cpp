// [stage.NAME] = task + overlay: everything outside `stage` is common to all stages, what a stage
// writes wins, and a changed `type` drops parameters as it does everywhere.
#include "core/recipe/stage.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "mortise/units.hpp"

#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

void report(Diagnostics& out,
            std::string code,
            std::string message,
            const Origin& origin,
            std::string fix = {},
            std::string suggestion = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.origin = origin;
  d.fix = std::move(fix);
  d.suggestion = std::move(suggestion);
  out.add(std::move(d));
}

std::vector<std::string> stage_names(const Node& stages) {
  std::vector<std::string> names;
  for (const Node& stage : stages.children) names.push_back(stage.key);
  return names;
}

std::vector<std::string> ordered(const Node& root, const Node& stages, Diagnostics& diagnostics) {
  const std::vector<std::string> names = stage_names(stages);
  const Node* order = root.find_path("recipe.order");
  if (order == nullptr || !order->is_array() || order->children.empty())
    return names;  // a wrong type is reported by the check
  std::vector<std::string> out;
  for (const Node& item : order->children) {
    if (!item.is_string()) continue;
    const bool known = stages.find(item.text()) != nullptr;
    const bool twice = std::find(out.begin(), out.end(), item.text()) != out.end();
    if (!known)
      report(diagnostics,
             "E501",
             fmt::format("recipe.order names the stage \"{}\", there is no [stage.{}]",
                         item.text(),
                         item.text()),
             item.origin,
             "",
             nearest(item.text(), names));
    else if (twice)
      report(diagnostics,
             "E501",
             fmt::format("recipe.order names the stage \"{}\" twice", item.text()),
             item.origin);
    else
      out.push_back(item.text());
  }
  for (const Node& stage : stages.children) {
    if (std::find(out.begin(), out.end(), stage.key) != out.end()) continue;
    out.push_back(stage.key);  // its own mistakes are reported too
    report(diagnostics,
           "E501",
           fmt::format("[stage.{}] is not in recipe.order and would never run", stage.key),
           stage.key_origin,
           fmt::format("add \"{}\" to recipe.order, or remove the stage", stage.key));
  }
  return out;
}

// "3%" → relative 0.03; 0.1 → absolute 0.1.
struct Margin {
  double amount = 0;
  bool relative = false;
};

std::optional<Margin> read_margin(const Value& value) {
  if (value.is_number()) return Margin{value.as_float(), false};
  if (!value.is_string() || !value.as_string().ends_with("%")) return std::nullopt;
  const auto share = parse_quantity(value.as_string(), "fraction");
  return share ? std::optional(Margin{*share, true}) : std::nullopt;
}

void check_gate_table(const Node& stage,
                      const std::vector<std::string>& before,
                      Diagnostics& diagnostics) {
  const Node* gate = stage.find("gate");
  if (gate == nullptr) return;
  const Node* eval = stage.find("eval");
  std::vector<std::string> evals;
  if (eval != nullptr) evals = stage_names(*eval);
  for (const Node& entry : gate->children) {
    const std::string name = entry.key.substr(0, entry.key.find('.'));
    if (std::find(evals.begin(), evals.end(), name) == evals.end())
      report(diagnostics,
             "E502",
             fmt::format(
                 "gate \"{}\": there is no [eval.{}] that could give this score", entry.key, name),
             entry.key_origin,
             "",
             nearest(name, evals));
    for (const char* key : {"max_increase", "max_decrease"}) {
      const Node* margin = entry.find(key);
      if (margin == nullptr) continue;
      if (!read_margin(margin->to_value()))
        report(diagnostics,
               "E110",
               fmt::format("gate \"{}\".{}: expected a number or a share such as \"3%\", got {}",
                           entry.key,
                           key,
                           brief(*margin)),
               margin->origin);
      else if (before.empty())
        report(
            diagnostics,
            "E502",
            fmt::format(
                "gate \"{}\".{} compares with an earlier stage, and there is none", entry.key, key),
            margin->origin,
            "use `max` or `min`");
    }
    const Node* against = entry.find("against");
    if (against != nullptr && against->is_string() && !against->text().empty() &&
        std::find(before.begin(), before.end(), against->text()) == before.end())
      report(
          diagnostics,
          "E502",
          fmt::format(
              "gate \"{}\".against: no earlier stage is called \"{}\"", entry.key, against->text()),
          against->origin,
          "",
          nearest(against->text(), before));
  }
}

const double* earlier_score(const std::vector<std::pair<std::string, Scores>>& earlier,
                            const std::string& stage,
                            const std::string& score,
                            std::string& from) {
  for (auto it = earlier.rbegin(); it != earlier.rend(); ++it) {
    const auto found = it->second.find(score);
    if (found == it->second.end() || (!stage.empty() && it->first != stage)) continue;
    from = it->first;
    return &found->second;
  }
  return nullptr;
}

// direction +1: an increase is limited; -1: a decrease.
std::optional<std::string> margin_failure(
    const std::string& score,
    double value,
    const Value& limit,
    const GateKeys& keys,
    double direction,
    const std::vector<std::pair<std::string, Scores>>& earlier) {
  const auto margin = read_margin(limit);
  std::string from;
  const double* base = earlier_score(earlier, keys.against, score, from);
  if (!margin) return fmt::format("{}: the limit does not read", score);
  if (base == nullptr)
    return fmt::format("{}: no earlier stage has this score to compare with", score);
  const double room = margin->relative ? std::fabs(*base) * margin->amount : margin->amount;
  const double bound = *base + direction * room;
  const bool kept = direction > 0 ? value <= bound : value >= bound;
  if (kept) return std::nullopt;
  return fmt::format("{}: {} {} {} (stage {} had {})",
                     score,
                     value,
                     direction > 0 ? "exceeds" : "is below",
                     bound,
                     from,
                     *base);
}

}  // namespace

std::vector<StagePlan> split_stages(Composed& composed, Diagnostics& diagnostics) {
  std::vector<StagePlan> plans;
  const Node* stages = composed.root.find("stage");
  if (stages == nullptr || !stages->is_table() || stages->children.empty()) {
    const Node* task = composed.root.find_path("recipe.task");
    report(diagnostics,
           "E501",
           "task \"pipeline\" needs stages, and there is no [stage.NAME]",
           task->origin,
           "[stage.first] with task = \"train\" or \"evaluate\"");
    return plans;
  }
  for (const std::string& name : ordered(composed.root, *stages, diagnostics)) {
    const Node& overlay = *stages->find(name);
    StagePlan plan{name, composed.root, overlay.origin};
    if (!overlay.is_table()) {
      report(diagnostics,
             "E110",
             fmt::format("stage.{}: expected a table, got {}", name, brief(overlay)),
             overlay.origin);
      continue;
    }
    plan.root.erase("stage");
    Node own = overlay;
    own.key.clear();
    Node task = Node::of("", overlay.origin);
    if (const Node* given = own.find("task"))
      task = *given;
    else
      report(diagnostics,
             "E501",
             fmt::format("[stage.{}] names no task", name),
             overlay.origin,
             "task = \"train\" or \"evaluate\"");
    plan.origin = task.origin;
    own.erase("task");
    const Origin origin = plan.root.origin;
    merge(plan.root, std::move(own), "", composed.dropped);
    plan.root.origin = origin;
    Node* recipe = plan.root.find("recipe");
    if (task.is_string() && (task.text() == "pipeline" || task.text().empty())) {
      if (!task.text().empty())
        report(
            diagnostics, "E501", fmt::format("[stage.{}] is itself a pipeline", name), task.origin);
      task = Node::of("evaluate", task.origin);
    }
    if (recipe != nullptr && recipe->is_table()) recipe->put("task", std::move(task));
    plans.push_back(std::move(plan));
  }
  return plans;
}

void refuse_stages(Node& root, Diagnostics& diagnostics) {
  const Node* stages = root.find("stage");
  if (stages == nullptr) return;
  report(diagnostics,
         "E501",
         "[stage.*] belongs to task \"pipeline\"",
         stages->key_origin,
         "recipe.task = \"pipeline\"");
  root.erase("stage");
}

void check_gates(const Resolved& resolved, Diagnostics& diagnostics) {
  std::vector<std::string> before;
  if (resolved.stages.empty()) check_gate_table(resolved.nodes, before, diagnostics);
  for (const Resolved& stage : resolved.stages) {
    check_gate_table(stage.nodes, before, diagnostics);
    before.push_back(stage.name);
  }
}

std::vector<GateFailure> check_gate(const Scores& scores,
                                    const Value& gate,
                                    const std::vector<std::pair<std::string, Scores>>& earlier) {
  std::vector<GateFailure> out;
  for (const auto& entry : gate.as_table()) {
    const std::string& score = entry.first;  // clang 14 cannot capture a structured binding
    const GateKeys keys = describe<GateKeys>().read(entry.second, nullptr);
    const auto found = scores.find(score);
    if (found == scores.end() || !std::isfinite(found->second)) {
      out.push_back({score, fmt::format("{}: there is no such score", score)});
      continue;
    }
    const double value = found->second;
    if (keys.min && value < *keys.min)
      out.push_back({score, fmt::format("{}: {} is below {}", score, value, *keys.min)});
    if (keys.max && value > *keys.max)
      out.push_back({score, fmt::format("{}: {} exceeds {}", score, value, *keys.max)});
    const auto compare = [&](const Value& limit, double direction) {
      if (limit.is_null()) return;
      if (auto failure = margin_failure(score, value, limit, keys, direction, earlier))
        out.push_back({score, std::move(*failure)});
    };
    compare(keys.max_increase, +1);
    compare(keys.max_decrease, -1);
  }
  return out;
}

}  // namespace mortise::core
