// Full fine-tuning with frozen parts: the weights that a pattern means get no gradient, the others
// are trained.  It has no file of its own: its work is in the model.
#include "full.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"
#include "mortise/plugin.hpp"

namespace mortise::adapter::full {

namespace {

/// A frozen path freezes all below it.
bool is_meant(const std::string& pattern, const std::string& path) {
  return is_target(pattern, path) || is_target(pattern + ".*", path) ||
         is_target("*." + pattern + ".*", path);
}

}  // namespace

Full::Full(Config config, const AdapterArgs& args) {
  MORTISE_CHECK(args.model != nullptr, "an adapter needs a model");
  MORTISE_CHECK(args.file.is_null(),
                "the adapter `full` has no folder to continue from: use model.from");
  std::vector<std::string> paths;
  for (const NamedTensor& tensor : args.model->parameters()) paths.push_back(tensor.name);
  for (const std::string& pattern : config.freeze) {
    const bool found = std::any_of(
        paths.begin(), paths.end(), [&](const auto& path) { return is_meant(pattern, path); });
    if (!found && !args.is_sample)
      throw_no_match(fmt::format("adapter.freeze: \"{}\"", pattern),
                     pattern,
                     paths,
                     "name a module, or a pattern on whole paths such as \"model.layers.0.*\"");
  }
  for (NamedTensor& tensor : args.model->parameters())
    if (std::any_of(config.freeze.begin(), config.freeze.end(), [&](const std::string& pattern) {
          return is_meant(pattern, tensor.name);
        }))
      tensor.tensor.set_requires_grad(false);
}

void Full::Config::describe(Schema<Config>& schema) {
  schema.field("freeze",
               &Config::freeze,
               "paths or patterns that stay as they are, with all below them: \"embed_tokens\", "
               "\"model.layers.0.*\"");
  schema.provides("merge");
}

}  // namespace mortise::adapter::full

MORTISE_PLUGIN("org.mortise.adapter.full",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::adapter::full::Full>(
                   "full", "all weights are trained, but for those that a pattern freezes"));
