// mortise show: the resolved recipe in several lights.  --from-hf opens architecture plugins (plain
// tier, no LibTorch).
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/plugin/plugin_host.hpp"
#include "core/recipe/model_folder.hpp"
#include "core/recipe/resolve.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

int show_missing(const Arguments& arguments) {
  ResolveOptions options;
  options.overrides = arguments.overrides();
  Outcome outcome = check_recipe(arguments.only("RECIPE"), arguments.catalog(), options);
  for (const Diagnostic& d : outcome.diagnostics)
    if (d.code.starts_with("E0"))
      throw RecipeErrors(std::move(outcome.diagnostics));  // unreadable: nothing is known
  std::string text;
  for (const std::string& name : outcome.missing) text += name + "\n";
  if (arguments.has("json")) {
    Value list = Value::array();
    for (const std::string& name : outcome.missing) list.as_array().push_back(name);
    text = to_json(list, 2) + "\n";
  }
  print(text);
  return 0;
}

int show_model_folder(const Arguments& arguments) {
  if (!arguments.positional().empty())
    throw Error(
        Code::Usage, "mortise show --from-hf takes no recipe", "mortise show --from-hf DIR");
  const Catalog catalog = arguments.catalog();
  PluginHost host(catalog);
  const ModelFolder folder = read_model_folder(arguments.get("from-hf"), catalog, host);
  Value out = Value::table();
  out["model"] = folder.spec;
  const std::string header =
      fmt::format("# {} (architecture {})\n", arguments.get("from-hf"), folder.architecture);
  print(arguments.has("json") ? to_json(out, 2) + "\n" : header + toml_document(out));
  host.shutdown();
  return 0;
}

int show_diff(const Arguments& arguments, const Catalog& catalog, const Resolved& after) {
  const Resolved before = resolve(arguments.get("diff"), catalog);
  Value list = Value::array();
  std::string text;
  for (const Change& change : diff(before, after)) {
    const std::string place =
        (change.after.empty() ? change.old_origin : change.new_origin).place();
    text += fmt::format("{}: {} -> {}{}\n",
                        change.path,
                        change.before.empty() ? "(absent)" : change.before,
                        change.after.empty() ? "(absent)" : change.after,
                        place.empty() ? "" : fmt::format("   ({})", place));
    list.as_array().push_back(Value::Table{{"path", change.path},
                                           {"before", change.before},
                                           {"after", change.after},
                                           {"place", place}});
  }
  print(arguments.has("json") ? to_json(list, 2) + "\n" : text.empty() ? "no differences\n" : text);
  return 0;
}

}  // namespace

int run_show(const std::vector<std::string>& words) {
  const Arguments arguments("show", words);
  if (arguments.has("missing")) return show_missing(arguments);
  if (arguments.has("from-hf")) return show_model_folder(arguments);
  const Catalog catalog = arguments.catalog();
  ResolveOptions options;
  options.overrides = arguments.overrides();
  const Resolved resolved = resolve(arguments.only("RECIPE"), catalog, options);
  if (arguments.has("diff")) return show_diff(arguments, catalog, resolved);
  if (arguments.has("json"))
    print(to_json(resolved.tree, 2) + "\n");
  else
    print(arguments.has("origin") ? to_toml_with_origins(resolved) : to_toml(resolved));
  return 0;
}

}  // namespace mortise::core
