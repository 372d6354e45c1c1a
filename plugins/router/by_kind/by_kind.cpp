// path(sample) = map[kind of the sample], with weight 1; nothing is learned.
//
// Kinds come from the field `kind` of a record: a small integer, or a word, which kind_number()
// turns into a number.  Ours to define: the routing of modalities to their own networks.
#include "by_kind.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "mortise/plugin.hpp"
#include "mortise/record.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::router::by_kind {

namespace {

std::vector<std::string> path_names(const RouterArgs& args, int64_t num_paths) {
  std::vector<std::string> names = args.path_names;
  for (auto i = static_cast<int64_t>(names.size()); i < num_paths; ++i)
    names.push_back(std::to_string(i));
  return names;
}

int64_t path_number(const std::string& name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw Error(
        Code::Usage,
        fmt::format("by_kind names the path `{}`, and there are: {}", name, fmt::join(names, ", ")),
        "the paths are those of the path set beside the router");
  return found - names.begin();
}

}  // namespace

ByKind::ByKind(Config config, const RouterArgs& args) : config_(std::move(config)) {
  num_paths_ = args.num_paths;
  MORTISE_CHECK(num_paths_ > 0, "by_kind needs a path set that says how many paths it has");
  MORTISE_CHECK(!config_.map.empty(), "by_kind.map is empty: it must name a path for each kind");
  const std::vector<std::string> names = path_names(args, num_paths_);
  for (const auto& [kind, path] : config_.map)
    path_of_kind_.emplace(kind_number(kind), path_number(path, names));
  if (config_.otherwise) otherwise_ = path_number(*config_.otherwise, names);
}

at::Tensor ByKind::paths_of(const at::Tensor& kind_N, int64_t items) const {
  if (!kind_N.defined()) {
    if (otherwise_) return at::full({items}, *otherwise_, at::kLong);
    throw DataError("router by_kind needs the kind of each sample, and the data has none",
                    "give each record a field `kind` (an integer or a word), for example with a "
                    "prompt_template step whose output is \"kind\"; or set by_kind.otherwise");
  }
  const at::Tensor kinds = kind_N.to(at::kCPU, at::kLong).contiguous();
  at::Tensor paths = at::empty({items}, at::kLong);
  for (int64_t i = 0; i < items; ++i) {
    const int64_t kind = kinds.const_data_ptr<int64_t>()[i];
    const auto found = path_of_kind_.find(kind);
    if (found == path_of_kind_.end() && !otherwise_) {
      std::string known;
      for (const auto& [name, path] : config_.map) known += (known.empty() ? "" : ", ") + name;
      throw DataError(fmt::format("a sample is of {}, and by_kind.map knows only: {}",
                                  kind < 0             ? "no kind"
                                  : is_kind_word(kind) ? "another kind"
                                                       : fmt::format("kind {}", kind),
                                  known),
                      "add the kind to by_kind.map, or set by_kind.otherwise");
    }
    paths.mutable_data_ptr<int64_t>()[i] =
        found == path_of_kind_.end() ? *otherwise_ : found->second;
  }
  return paths;
}

Routes ByKind::route(const RouteInput& in) {
  const RouteItems items = valid_items(in);
  RouteDecision decision;
  if (in.replay_2M.defined()) {
    decision = replayed(in, items, num_paths_);
  } else {
    const at::Tensor path_N = paths_of(items.kind_N, items.count()).to(in.x_ND.device());
    decision.chosen_NP = at::one_hot(path_N, num_paths_).to(at::kBool);
  }
  const at::Tensor weight_NP =
      at::ones(decision.chosen_NP.sizes(), in.x_ND.options().dtype(route_dtype(in.x_ND)));
  Routes routes = make_routes(items, decision, weight_NP);
  routes.stats = load_stats(routes.counts_P);
  return routes;
}

void ByKind::Config::describe(Schema<Config>& schema) {
  schema
      .field("map",
             &Config::map,
             "kind of a sample → path, for example { noun = \"deep\" }; paths "
             "have the names of the path set, or numbers from 0")
      .required();
  schema.field("otherwise",
               &Config::otherwise,
               "path of samples of other kinds, or of none (texts to continue); absent: an error");
}

}  // namespace mortise::router::by_kind

MORTISE_PLUGIN("org.mortise.router.by_kind",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::router::by_kind::ByKind>(
                   "by_kind", "the kind of a sample says its path"));
