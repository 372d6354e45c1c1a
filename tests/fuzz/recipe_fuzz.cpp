// libFuzzer: any text → checked tree → resolved.toml → the same tree, against the small fixed
// catalog of the recipe tests.
//
// The text is read as if it stood in an empty folder, so that includes find nothing.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../core/recipe/fake_catalog.hpp"
#include "core/recipe/resolve.hpp"

using namespace mortise;
using namespace mortise::core;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fake::Plugins plugins;
  const Outcome outcome = check_recipe_text(std::string(reinterpret_cast<const char*>(data), size),
                                            "/nonexistent/recipe.toml",
                                            plugins.catalog());
  const std::string messages = render(outcome.diagnostics, /*color=*/false);
  if (!outcome.ok()) return messages.empty() ? std::abort(), 0 : 0;
  const std::string text = to_toml(outcome.resolved);
  const Outcome again = check_recipe_text(text, "/nonexistent/resolved.toml", plugins.catalog());
  if (!again.ok() || !(again.resolved.tree == outcome.resolved.tree)) {
    std::fprintf(stderr,
                 "does not read back:\n%s\n%s",
                 text.c_str(),
                 render(again.diagnostics, false).c_str());
    std::abort();
  }
  return 0;
}
