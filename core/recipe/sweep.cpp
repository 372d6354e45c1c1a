// grid: the product of all lists, the last one fastest; zip: lists of one length, together one axis
// of that product.
#include "core/recipe/sweep.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "toml_print.hpp"

namespace mortise::core {

namespace {

constexpr size_t kMaxRuns = 1000;

// One axis: the settings of each of its points.
using Point = std::vector<std::pair<std::string, Value>>;
using Axis = std::vector<Point>;

struct List {
  std::string path;
  const Node* node;
};

void report(Diagnostics& out, std::string message, const Origin& origin, std::string fix = {}) {
  Diagnostic d;
  d.code = "E510";
  d.message = std::move(message);
  d.origin = origin;
  d.fix = std::move(fix);
  out.add(std::move(d));
}

void lists_below(const Node& node,
                 const std::string& path,
                 std::vector<List>& out,
                 Diagnostics& diagnostics) {
  for (const Node& child : node.children) {
    const std::string below = join_path(path, toml_key(child.key));
    if (child.is_table())
      lists_below(child, below, out, diagnostics);
    else if (child.is_array() && !child.children.empty())
      out.push_back({below, &child});
    else
      report(diagnostics,
             fmt::format("sweep of {}: expected a list of values, got {}", below, brief(child)),
             child.origin,
             fmt::format("{} = [{}]", below, brief(child)));
  }
}

std::vector<Axis> axes_of(const Node& sweep, Diagnostics& diagnostics) {
  std::vector<Axis> axes;
  std::vector<List> grid, zip;
  if (const Node* table = sweep.find("grid")) lists_below(*table, "", grid, diagnostics);
  if (const Node* table = sweep.find("zip")) lists_below(*table, "", zip, diagnostics);
  for (const List& list : grid) {
    Axis& axis = axes.emplace_back();
    for (const Node& item : list.node->children) axis.push_back({{list.path, item.to_value()}});
  }
  if (!zip.empty()) {
    const size_t length = zip.front().node->children.size();
    Axis axis(length);
    for (const List& list : zip) {
      if (list.node->children.size() != length) {
        report(diagnostics,
               fmt::format("sweep.zip: {} has {} values, {} has {}",
                           zip.front().path,
                           length,
                           list.path,
                           list.node->children.size()),
               list.node->origin,
               "lists under zip advance together and need one length");
        return axes;
      }
      for (size_t i = 0; i < length; ++i)
        axis[i].emplace_back(list.path, list.node->children[i].to_value());
    }
    axes.push_back(std::move(axis));
  }
  if (const Node* seeds = sweep.find("seeds"); seeds != nullptr && !seeds->children.empty()) {
    Axis& axis = axes.emplace_back();
    for (const Node& seed : seeds->children) axis.push_back({{"run.seed", seed.to_value()}});
  }
  return axes;
}

SweepRun run_of(const Point& settings) {
  SweepRun run;
  run.overrides.push_back({"~sweep", 0});
  for (const auto& [path, value] : settings) {
    const std::string leaf =
        path.substr(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
    const std::string text = value.is_string() ? value.as_string() : toml_inline(value);
    run.name += fmt::format("{}{}={}", run.name.empty() ? "" : ",", leaf, text);
    run.overrides.push_back({fmt::format("{}={}", path, toml_inline(value)), 0});
  }
  std::replace_if(
      run.name.begin(),
      run.name.end(),
      [](char c) { return c == '/' || c == ' ' || c == '"' || c == '\n'; },
      '_');
  return run;
}

}  // namespace

std::vector<SweepRun> expand_sweep(const Resolved& resolved, Diagnostics& diagnostics) {
  const Node* sweep = resolved.nodes.find("sweep");
  if (sweep == nullptr) return {};
  const std::vector<Axis> axes = axes_of(*sweep, diagnostics);
  size_t total = axes.empty() ? 0 : 1;
  for (const Axis& axis : axes) {
    total *= axis.size();
    if (total > kMaxRuns) {
      report(diagnostics,
             fmt::format("the sweep has more than {} runs", kMaxRuns),
             sweep->origin,
             "use fewer values, or zip");
      return {};
    }
  }
  std::vector<SweepRun> out;
  for (size_t i = 0; i < total; ++i) {
    Point settings;
    size_t rest = i, span = total, moved = 0;
    for (const Axis& axis : axes) {
      span /= axis.size();
      const Point& point = axis[rest / span];
      settings.insert(settings.end(), point.begin(), point.end());
      moved += rest / span > 0 ? 1 : 0;
      rest %= span;
    }
    out.push_back(run_of(settings));
    out.back().is_probe = moved <= 1;
  }
  return out;
}

std::vector<SweepRun> check_sweep(const std::string& path,
                                  const Catalog& catalog,
                                  const ResolveOptions& options,
                                  Outcome& outcome) {
  Diagnostics diagnostics;
  for (const Diagnostic& d : outcome.diagnostics) diagnostics.add(d);
  const std::vector<SweepRun> runs = expand_sweep(outcome.resolved, diagnostics);
  for (const SweepRun& run : runs) {
    if (!run.is_probe) continue;
    ResolveOptions one = options;
    one.overrides.insert(one.overrides.end(), run.overrides.begin(), run.overrides.end());
    for (const Diagnostic& d : check_recipe(path, catalog, one).diagnostics) diagnostics.add(d);
  }
  outcome.diagnostics = diagnostics.sorted();
  return runs;
}

}  // namespace mortise::core
