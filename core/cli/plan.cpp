// mortise plan and mortise data: what a recipe will cost and what its data are, without training
// anything.
#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/cli/engine_loader.hpp"
#include "core/cli/run_job.hpp"
#include "core/cli/verbs.hpp"

namespace mortise::core {

namespace {

int call_with_recipe(const Arguments& arguments,
                     const std::string& path,
                     std::string_view verb,
                     Value options) {
  const Catalog catalog = arguments.catalog();
  PluginHost host(catalog);
  const JobContext context{catalog, host, arguments.has("json"), false, {}};
  ResolveOptions resolve_options;
  resolve_options.overrides = arguments.overrides();
  const Resolved resolved = resolve_job(path, context, resolve_options);
  MORTISE_CHECK(resolved.tree.find("data") != nullptr && resolved.tree.find("tokenizer") != nullptr,
                "`mortise {}` is about training data; {} has no [data.train.*] and [tokenizer]",
                verb,
                path);
  options["json"] = arguments.has("json");
  options["notes"] = plan_notes(resolved);
  EngineCall call;
  call.verb = verb;
  call.options = &options;
  call.recipe = &resolved.tree;
  call.host = &host;
  call.catalog = &catalog;
  call.threads = resolved.tree.at("run").get("threads", int64_t{0});
  const int code = call_engine(call);
  host.shutdown();
  return code;
}

}  // namespace

int run_plan(const std::vector<std::string>& words) {
  const Arguments arguments("plan", words);
  return call_with_recipe(arguments, arguments.only("RECIPE"), "plan", Value::table());
}

int run_data(const std::vector<std::string>& words) {
  const Arguments arguments("data", words);
  const std::vector<std::string>& given = arguments.positional();
  if (given.size() != 2 || (given[0] != "stats" && given[0] != "preview" && given[0] != "batches"))
    throw Error(Code::Usage,
                "expected `mortise data stats RECIPE`, `mortise data preview RECIPE` or `mortise "
                "data batches RECIPE --to FILE`",
                "mortise data --help");
  if ((given[0] == "batches") != arguments.has("to"))
    throw Error(Code::Usage,
                "--to FILE.safetensors belongs to `mortise data batches`",
                "mortise data --help");
  Value options = Value::table();
  options["what"] = given[0];
  options["to"] = arguments.get("to");
  if (arguments.has("rows")) {
    const int64_t rows = arguments.integer("rows", 0);
    MORTISE_CHECK_LT(0, rows, "--rows is how many rows to show");
    options["rows"] = rows;
  }
  return call_with_recipe(arguments, given[1], "data", std::move(options));
}

}  // namespace mortise::core
