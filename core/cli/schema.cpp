// mortise schema [SLOT]: JSON Schema (draft 2020-12) for editors, from the installed plugins.
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/recipe/json_schema.hpp"

namespace mortise::core {

int run_schema(const std::vector<std::string>& words) {
  const Arguments arguments("schema", words);
  const Catalog catalog = arguments.catalog();
  const Value schema = arguments.positional().empty()
                           ? recipe_schema(catalog)
                           : slot_schema(catalog, arguments.only("[SLOT]"));
  print(to_json(schema, 2) + "\n");
  return 0;
}

}  // namespace mortise::core
