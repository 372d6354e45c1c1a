// What tables and components must agree on: capabilities, packing, updates inside the backward
// pass, steps to profile, names of scores.
#include <algorithm>

#include <fmt/format.h>

#include "core/recipe/checker.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

// What a component needs that takes rows of one document.
constexpr std::string_view kUnpacked = "unpacked";
// What a guard needs that leaves the update of a step out when it has seen the gradients.
constexpr std::string_view kWholeGradient = "whole_gradient";

bool is_on(const Node* node) {
  return node != nullptr && node->kind == Value::Kind::Bool && node->scalar.as_bool();
}

bool has(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

void Checker::capabilities() {
  const auto is_layer = [](const UsedComponent& use) { return use.kind == "layer"; };
  const bool has_layers = std::any_of(used_.begin(), used_.end(), is_layer);
  for (const UsedComponent& use : used_)
    for (const std::string& need : use.needs) {
      // The blocks of a model.from are not known before its folder is read.
      if (use.kind == "adapter" && !has_layers) continue;
      if (need == kUnpacked || need == kWholeGradient) continue;  // packing(), in_backward()
      bool is_met = false, by_attention = false;
      std::vector<const UsedComponent*> lacking;  // an adapter works in every attention
      for (const UsedComponent& other : used_) {
        const bool is_attention = other.kind == "attention", provides = has(other.provides, need);
        is_met = is_met || provides;
        by_attention = by_attention || (is_attention && provides);
        if (use.kind == "adapter" && is_attention && other.is_checked && !provides)
          lacking.push_back(&other);
      }
      if (is_met && (!by_attention || lacking.empty())) continue;
      const std::string who =
          lacking.empty()
              ? "no component of this recipe provides"
              : fmt::format("[{}] \"{}\" lacks", lacking.front()->path, lacking.front()->type);
      Diagnostic& d = report(
          "E305",
          fmt::format(
              "[{}] \"{}\" needs the capability `{}`, which {}", use.path, use.type, need, who),
          use.origin);
      for (const UsedComponent* other : lacking)
        d.notes.push_back(
            fmt::format("[{}] \"{}\": {}", other->path, other->type, other->origin.place()));
      d.fix = providers_of(need);
      if (use.kind == "adapter")
        d.fix += (d.fix.empty() ? "" : ", or ") + std::string("another adapter.type");
    }
}

std::string Checker::providers_of(const std::string& capability) const {
  std::vector<std::string> able;
  for (const ComponentEntry* entry : catalog_.components()) {
    try {
      for (const Capability& c : entry->schema().provides)
        if (c.name == capability)
          able.push_back(fmt::format("{} \"{}\"{}",
                                     kind_of(entry->interface_id),
                                     entry->name,
                                     c.when.empty() ? "" : " when " + c.when));
    } catch (const Error&) {
      continue;  // a broken manifest is reported where it is used
    }
  }
  return able.empty() ? "" : fmt::format("use {}", fmt::join(able, " or "));
}

// Rows that hold several documents, each to be seen alone, need attentions that can tell them
// apart.
void Checker::packing(const Node& out) {
  const Node* packing = out.find_path("batch.packing");
  const Node* mask = out.find_path("batch.document_mask");
  if (task_ != "train" || !is_on(packing)) return;
  for (const UsedComponent& use : used_) {
    if (!use.is_checked) continue;
    if (has(use.needs, kUnpacked)) {
      report("E305",
             fmt::format("[{}] \"{}\" takes rows of one document, and batch.packing = true puts "
                         "several into one",
                         use.path,
                         use.type),
             use.origin)
          .fix = "batch.packing = false";
      continue;
    }
    if (!is_on(mask) || use.kind != "attention" || has(use.provides, "varlen")) continue;
    Diagnostic& d = report(
        "E305",
        fmt::format("[{}] \"{}\" lacks the capability `varlen`, which batch.packing = true needs: "
                    "a packed row holds several documents",
                    use.path,
                    use.type),
        use.origin);
    d.notes.push_back(fmt::format("batch.packing = true: {}", packing->origin.place()));
    const std::string other = providers_of("varlen");
    d.fix = "batch.packing = false" + (other.empty() ? "" : ", or " + other);
  }
}

// Parameters that move before the backward pass ends leave nothing to look at as a whole.
void Checker::in_backward(const Node& out) {
  const Node* key = out.find_path("optimizer.in_backward");
  if (task_ != "train" || !is_on(key)) return;
  for (const UsedComponent& use : used_) {
    if (!use.is_checked) continue;
    const bool is_lacking = use.kind == "optimizer" && !has(use.provides, "in_backward");
    if (!is_lacking && !has(use.needs, kWholeGradient)) continue;
    const char* what =
        is_lacking
            ? "lacks the capability `in_backward`, which optimizer.in_backward = true needs: "
              "to move parameters one by one"
            : "may leave an update out when it has seen the gradients, and "
              "optimizer.in_backward = true has made it by then";
    Diagnostic& d =
        report("E305", fmt::format("[{}] \"{}\" {}", use.path, use.type, what), use.origin);
    d.notes.push_back(fmt::format("optimizer.in_backward = true: {}", key->origin.place()));
    d.fix = "optimizer.in_backward = false";
  }
}

void Checker::precision(const Node& out) {
  const Node *dtype = out.find_path("run.dtype"), *device = out.find_path("run.device");
  if (dtype == nullptr || device == nullptr || !dtype->is_string() || !device->is_string() ||
      dtype->text() == "fp32")
    return;
  for (const ComponentEntry* entry : catalog_.providers("device", device->text())) {
    const SchemaInfo* schema = schema_of(*entry, *device);
    if (schema == nullptr ||
        std::any_of(schema->provides.begin(), schema->provides.end(), [&](const Capability& c) {
          return c.name == dtype->text();
        }))
      continue;
    Diagnostic& d = report("E305",
                           fmt::format("run.device \"{}\" does not compute in {}, which run.dtype "
                                       "asks for",
                                       device->text(),
                                       dtype->text()),
                           dtype->origin);
    const std::string other = providers_of(dtype->text());
    d.fix = "run.dtype = \"fp32\"" + (other.empty() ? "" : ", or " + other);
  }
}

// A step that the run never reaches would leave no trace and say nothing.
void Checker::profiled_steps(const Node& out) {
  const Node *steps = out.find_path("profile.steps"), *last = out.find_path("run.steps");
  if (task_ != "train" || steps == nullptr || last == nullptr || last->kind != Value::Kind::Int)
    return;
  for (const Node& step : steps->children)
    if (step.kind == Value::Kind::Int && step.scalar.as_int() > last->scalar.as_int()) {
      Diagnostic& d = report("E415",
                             fmt::format("profile.steps names step {}, and the run ends after {}",
                                         step.scalar.as_int(),
                                         last->scalar.as_int()),
                             step.origin);
      d.notes.push_back(fmt::format("run.steps = {}: {}", brief(*last), last->origin.place()));
      d.fix = fmt::format("profile.steps = [{}]", last->scalar.as_int());
    }
}

void Checker::named_scores(const Node& out) {
  const Node* evals = out.find("eval");
  std::vector<std::string> known;
  if (evals != nullptr)
    for (const Node& eval : evals->children) known.push_back(eval.key);
  for (const NamedScore& named : scores_) {
    const size_t dot = named.score.find('.');
    const std::string name = named.score.substr(0, dot);
    const Node* eval = evals == nullptr ? nullptr : evals->find(name);
    const Node* every = eval == nullptr ? nullptr : eval->find("every");
    const std::string what = fmt::format("{} = \"{}\"", named.path, named.score);
    if (dot == std::string::npos || dot + 1 == named.score.size()) {
      report("E306", what + ": expected EVAL.SCORE, as in \"ppl.perplexity\"", named.origin);
    } else if (eval == nullptr) {
      Diagnostic& d =
          report("E306",
                 fmt::format("{}: this score is not evaluated, there is no [eval.{}]", what, name),
                 named.origin);
      if (const std::string near = nearest(name, known); !near.empty())
        d.suggestion = near + named.score.substr(dot);
      d.fix = fmt::format("add [eval.{}] with `type` and `every`{}",
                          name,
                          known.empty() ? ""
                                        : fmt::format(", or name a score of [eval.{}]",
                                                      fmt::join(known, "], [eval.")));
    } else if (task_ == "train" && every != nullptr && every->scalar == Value(0)) {
      report("E306",
             fmt::format(
                 "{}: [eval.{}] is taken only when training ends, too late for it", what, name),
             named.origin)
          .fix = fmt::format("eval.{}.every = 100", name);
    } else {
      continue;
    }
    pending_.back().owner = named.owner;
  }
}

}  // namespace mortise::core
