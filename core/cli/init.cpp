// mortise init TASK: a starter recipe made from the schemas of the installed plugins, every
// parameter explained.
#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/recipe/starter.hpp"

namespace mortise::core {

int run_init(const std::vector<std::string>& words) {
  const Arguments arguments("init", words);
  print(starter_recipe(arguments.only("TASK"), arguments.catalog()));
  return 0;
}

}  // namespace mortise::core
