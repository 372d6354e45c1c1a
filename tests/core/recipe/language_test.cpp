// The language beyond plain keys: includes, type swaps, overrides, references, stages, gates,
// sweeps, ranges, rules.
#include <filesystem>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "mortise/expression.hpp"
#include "mortise/units.hpp"
#include "mortise/version_range.hpp"

#include "core/recipe/json_schema.hpp"
#include "core/recipe/stage.hpp"
#include "core/recipe/starter.hpp"
#include "core/recipe/suggest.hpp"
#include "core/recipe/sweep.hpp"
#include "fake_catalog.hpp"

using namespace mortise;
using namespace mortise::core;

namespace {

const fake::Plugins& plugins() {
  static const fake::Plugins all;
  return all;
}

Outcome check(const std::string& text,
              const std::vector<std::string>& sets = {},
              ResolveOptions options = {}) {
  for (const std::string& set : sets) options.overrides.push_back({set, 3});
  Outcome outcome = check_recipe_text(text, "test.toml", plugins().catalog(), options);
  CAPTURE(render(outcome.diagnostics, false));
  CHECK(outcome.ok());
  return outcome;
}

Value value_at(const Outcome& outcome, const std::string& path) {
  const Node* node = outcome.resolved.nodes.find_path(path);
  return node == nullptr ? Value() : node->to_value();
}

/// What an architecture made of a folder's config.json.
Value folder_spec() {
  Value spec = Value::table();
  spec["width"] = 32;
  spec["embedding"]["type"] = "token";
  spec["norm"]["type"] = "rms_norm";
  spec["head"]["type"] = "lm";
  spec["layer"]["all"]["type"] = "prenorm";
  spec["layer"]["all"]["repeat"] = 3;
  spec["layer"]["all"]["attention"]["type"] = "gqa";
  return spec;
}

constexpr const char* kOverFolder =
    "model.from = \"dir\"\nrun.steps = 1\ntokenizer.type = \"byte_bpe\"\n"
    "data.train.a = { type = \"text\", path = \"a\" }\n"
    "objective.type = \"causal_lm\"\noptimizer.type = \"adamw\"\n";

bool evaluates(const std::string& expression, const Value& table) {
  return Expression(expression).holds([&](std::string_view path) { return table.find(path); });
}

}  // namespace

TEST_SUITE("core.recipe.language") {
  TEST_CASE("changing the type drops the old parameters, keeps the slot's keys, and says so") {
    const Outcome outcome = check(fake::kRecipe, {"optimizer.type=lion"});
    CHECK(value_at(outcome, "optimizer.lr") == Value(1e-3));
    CHECK(value_at(outcome, "optimizer.betas").is_null());
    CHECK(value_at(outcome, "optimizer.beta1") == Value(0.9));
    REQUIRE(outcome.resolved.dropped.size() == 1);
    CHECK(outcome.resolved.dropped[0].path == "optimizer.betas");
    CHECK(outcome.resolved.dropped[0].old_type == "adamw");
    CHECK(outcome.resolved.dropped[0].because.place() ==
          "override --set optimizer.type=lion (argument 3)");
  }

  TEST_CASE("a stage of a pipeline says what a change of type dropped in it") {
    std::string text = fake::kRecipe;
    text.replace(text.find("task = \"train\""), 14, "task = \"pipeline\", order = [\"a\", \"b\"]");
    text +=
        "[stage.a]\ntask = \"train\"\noptimizer.betas = [0.8, 0.9]\n"
        "[stage.b]\ntask = \"train\"\noptimizer = { type = \"adamw\", amsgrad = true }\n";
    const Outcome outcome = check(text, {"stage.b.optimizer.type=lion"});
    REQUIRE(outcome.resolved.stages.size() == 2);
    CHECK(outcome.resolved.stages[0].dropped.empty());
    std::set<std::string> paths;
    for (const Dropped& dropped : outcome.resolved.stages[1].dropped) paths.insert(dropped.path);
    CHECK(paths.contains("stage.b.optimizer.amsgrad"));
  }

  TEST_CASE("what changed is told against what extends gave: from where, to what") {
    const testing::TempDir dir;
    dir.put("base.toml", fake::kRecipe);
    const std::string path = dir.put("own.toml",
                                     "extends = [\"base.toml\"]\noptimizer.lr = 5e-4\n"
                                     "optimizer.type = \"lion\"\nlog.every = 5\n"
                                     "[eval.more]\ntype = \"rouge\"\nevery = 3\n");
    ResolveOptions options;
    options.overrides = {{"run.steps=7", 3}, {"~eval.ppl", 5}};
    const Outcome outcome = check_recipe(path, plugins().catalog(), options);
    REQUIRE(outcome.ok());
    std::map<std::string, Change> found;
    for (const Change& change : outcome.resolved.changed) found[change.path] = change;
    CHECK(found.size() == 6);  // optimizer.betas was dropped with its type, and is listed there
    CHECK(found["optimizer.lr"].before == "0.001");
    CHECK(found["optimizer.lr"].after == "5e-04");
    CHECK(found["optimizer.lr"].old_origin.place().find("base.toml:") != std::string::npos);
    CHECK(found["optimizer.lr"].new_origin.place().find("own.toml:2:16") != std::string::npos);
    CHECK(found["run.steps"].new_origin.place().find("--set run.steps=7") != std::string::npos);
    CHECK(found["log"].before.empty());
    CHECK(found["eval.more"].after == "{ type = \"rouge\", every = 3 }");
    CHECK(found["eval.ppl"].after.empty());
    CHECK(found.count("optimizer.type") == 1);
    CHECK(check(fake::kRecipe).resolved.changed.empty());
  }

  TEST_CASE("${recipe.dir} is the folder of the file that says it, wherever that is extended") {
    const testing::TempDir dir;
    std::filesystem::create_directories(dir.path + "/base");
    dir.put("base/base.toml",
            std::string(fake::kRecipe) + "\n[vars]\nhere = \"${recipe.dir}/x\"\n");
    const std::string path =
        dir.put("own.toml", "extends = [\"base/base.toml\"]\nvars.own = \"${recipe.dir}/y\"\n");
    const Outcome outcome = check_recipe(path, plugins().catalog(), {});
    CAPTURE(render(outcome.diagnostics, false));
    REQUIRE(outcome.ok());
    const std::string folder = std::filesystem::canonical(dir.path).string();
    CHECK(value_at(outcome, "vars.here") == Value(folder + "/base/x"));
    CHECK(value_at(outcome, "vars.own") == Value(folder + "/y"));
  }

  TEST_CASE(
      "a part with a default cannot be switched off, for its absence would mean the default") {
    ResolveOptions options;
    options.overrides = {{"model.layer.dense.attention.position.type=none", 3}};
    const Outcome outcome =
        check_recipe_text(fake::kRecipe, "test.toml", plugins().catalog(), options);
    const std::string text = render(outcome.diagnostics, false);
    CHECK_MESSAGE(text.find("[model.layer.dense.attention.position] cannot be switched off") !=
                      std::string::npos,
                  text);
    CHECK(text.find("leave it out for \"rope\", or name another") != std::string::npos);
  }

  TEST_CASE("overrides of one command line form one layer, whatever their order") {
    const Outcome outcome = check(fake::kRecipe, {"optimizer.beta2=0.5", "optimizer.type=lion"});
    CHECK(value_at(outcome, "optimizer.beta2") == Value(0.5));
  }

  TEST_CASE("an override is a TOML value, else a text; ~ removes") {
    const Outcome outcome = check(fake::kRecipe,
                                  {"recipe.name=a b",
                                   "recipe.notes=\"7\"",
                                   "generate.prompts=[\"x\"]",
                                   "~eval.ppl",
                                   "run.steps=2K"});
    CHECK(value_at(outcome, "recipe.name") == Value("a b"));
    CHECK(value_at(outcome, "recipe.notes") == Value("7"));
    CHECK(value_at(outcome, "generate.prompts") == Value(Value::Array{"x"}));
    CHECK(value_at(outcome, "eval").as_table().empty());
    CHECK(value_at(outcome, "run.steps") == Value(2000));
  }

  TEST_CASE("a reference keeps its type, a text takes pieces, $${ is literal") {
    const std::string more = "vars = { n = 512, a = { type = \"gqa\", heads = 2 } }\n";
    const Outcome outcome = check(more + fake::kRecipe,
                                  {"batch.seq_len=${vars.n}",
                                   "recipe.notes=n ${vars.n} $${x}",
                                   "model.layer.two={type=\"prenorm\", attention=\"${vars.a}\"}",
                                   "recipe.name=${env:MORTISE_NO_SUCH:other}",
                                   "run.dir=d",
                                   "batch.micro=${batch.global}"});
    CHECK(value_at(outcome, "batch.seq_len") == Value(512));
    CHECK(value_at(outcome, "batch.micro") == Value(8));
    CHECK(value_at(outcome, "recipe.notes") == Value("n 512 ${x}"));
    CHECK(value_at(outcome, "recipe.name") == Value("other"));
    CHECK(value_at(outcome, "model.layer.two.attention.heads") == Value(2));
    const Outcome again = check(to_toml(outcome.resolved));
    CHECK(again.resolved.tree == outcome.resolved.tree);
  }

  TEST_CASE("a profiled step is one that the run reaches") {
    CHECK(value_at(check(fake::kRecipe, {"profile.steps=[1, 1000]"}), "profile.steps") ==
          Value(Value::Array{1, 1000}));
    ResolveOptions options;
    options.overrides = {{"profile.steps=[3, 1001]", 3}};
    const Outcome outcome =
        check_recipe_text(fake::kRecipe, "test.toml", plugins().catalog(), options);
    REQUIRE(outcome.diagnostics.size() == 1);
    CHECK(outcome.diagnostics[0].code == "E415");
    CHECK(outcome.diagnostics[0].message ==
          "profile.steps names step 1001, and the run ends after 1000");
  }

  TEST_CASE("type = \"none\" switches a component off") {
    const Outcome outcome = check(fake::kRecipe, {"eval.ppl.type=none"});
    CHECK(value_at(outcome, "eval.ppl").is_null());
  }

  TEST_CASE("type = \"none\" is a component where one has that name") {
    fake::Plugins more;
    more.add("org.acme.none", "1.0.0", fake::component_text<fake::Empty>("none", "position/1.0"));
    ResolveOptions options;
    options.overrides = {{"model.layer.dense.attention.position={type=\"none\"}", 3},
                         {"eval.ppl.type=none", 5}};
    const Outcome outcome = check_recipe_text(fake::kRecipe, "test.toml", more.catalog(), options);
    REQUIRE(outcome.ok());
    CHECK(value_at(outcome, "model.layer.dense.attention.position.type") == Value("none"));
    CHECK(value_at(outcome, "eval.ppl").is_null());
  }

  TEST_CASE("origins name files, overrides and defaults") {
    const Outcome outcome = check(fake::kRecipe, {"optimizer.eps=1e-9"});
    const Node* optimizer = outcome.resolved.nodes.find("optimizer");
    CHECK(optimizer->find("lr")->origin.place() == "test.toml:23:6");
    CHECK(optimizer->find("eps")->origin.place() ==
          "override --set optimizer.eps=1e-9 (argument 3)");
    CHECK(optimizer->find("amsgrad")->origin.place() == "default of adamw@1.2.0");
    CHECK(outcome.resolved.nodes.find_path("batch.micro")->origin.place() == "default of Mortise");
    CHECK(to_toml_with_origins(outcome.resolved)
              .find("eps = 1e-09  # override --set optimizer.eps=1e-9 (argument 3)") !=
          std::string::npos);
  }

  TEST_CASE("what a model folder says stands below the recipe") {
    const Value spec = folder_spec();
    const std::string text =
        std::string("model.layer.all.attention.kernel = \"sdpa\"\n") + kOverFolder;
    check(text);
    ResolveOptions options;
    options.model_spec = &spec;
    options.model_folder = "dir";
    const Outcome outcome = check(text, {}, options);
    CHECK(value_at(outcome, "model.layer.all.repeat") == Value(3));
    CHECK(value_at(outcome, "model.layer.all.attention.kernel") == Value("sdpa"));
    CHECK(value_at(outcome, "model.layer.all.attention.position.theta") == Value(1e4));
    CHECK(outcome.resolved.nodes.find_path("model.width")->origin.place() == "dir/config.json");
  }

  TEST_CASE("exports default to the architecture that read the model folder") {
    const Value spec = folder_spec();
    const std::string text = std::string(kOverFolder) +
                             "export.a.type = \"hf_safetensors\"\n"
                             "export.b = { type = \"hf_safetensors\", architecture = \"llama\" }\n";
    ResolveOptions options;
    CHECK(value_at(check(text), "export.a.architecture") == Value("llama"));
    options.model_spec = &spec;
    options.model_folder = "dir";
    options.model_architecture = "other";
    fake::Plugins more;
    more.add(
        "org.acme.other", "1.0.0", fake::component_text<fake::Empty>("other", "architecture/1.0"));
    const Outcome outcome = check_recipe_text(text, "test.toml", more.catalog(), options);
    REQUIRE(outcome.ok());
    CHECK(value_at(outcome, "export.a.architecture") == Value("other"));
    CHECK(outcome.resolved.nodes.find_path("export.a.architecture")->origin.place() ==
          "dir/config.json");
    CHECK(value_at(outcome, "export.b.architecture") == Value("llama"));
  }

  TEST_CASE("a precision that the device does not compute in is refused with one that does") {
    fake::Plugins more;
    more.add("org.acme.half", "1.0.0", fake::component_text<fake::Half>("half", "device/1.0"));
    const auto checked = [&](const char* dtype, const char* device) {
      std::string recipe = fake::kRecipe;
      const std::string steps = "run.steps = \"1K\"";
      recipe.replace(
          recipe.find(steps),
          steps.size(),
          fmt::format("run = {{ steps = 5, dtype = \"{}\", device = \"{}\" }}", dtype, device));
      return check_recipe_text(recipe, "test.toml", more.catalog()).diagnostics;
    };
    const auto refused = checked("fp16", "cpu");
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].code == "E305");
    CHECK(refused[0].message ==
          "run.device \"cpu\" does not compute in fp16, which run.dtype asks for");
    CHECK(refused[0].fix == "run.dtype = \"fp32\", or use device \"half\"");
    CHECK(checked("fp32", "cpu").empty());
    CHECK(checked("fp16", "half").empty());
    CHECK(checked("bf16", "half").size() == 1);
  }

  TEST_CASE("what an adapter needs of the attention is checked when a folder gives the attention") {
    fake::Plugins more;
    more.add("org.acme.prefix",
             "1.0.0",
             fake::component_text<fake::Prefix>("prefix", "adapter/1.0") +
                 fake::component_text<fake::Prefixed>("prefixed", "attention/1.0"));
    const std::string text = std::string(kOverFolder) + "adapter.type = \"prefix\"\n";
    Value spec = folder_spec();
    ResolveOptions options;
    options.model_folder = "dir";
    // Before the folder can be read nothing is known about its attention.
    const Outcome early = check_recipe_text(text, "test.toml", more.catalog(), options);
    REQUIRE(early.ok());
    options.model_spec = &spec;
    const Outcome late = check_recipe_text(text, "test.toml", more.catalog(), options);
    REQUIRE(late.diagnostics.size() == 1);
    CHECK(late.diagnostics[0].code == "E305");
    CHECK(late.diagnostics[0].message ==
          "[adapter] \"prefix\" needs the capability `prefix`, which [model.layer.all.attention] "
          "\"gqa\" lacks");
    CHECK(late.diagnostics[0].fix == "use attention \"prefixed\", or another adapter.type");
    CHECK_THROWS_AS(complete(early.resolved, more.catalog(), options), RecipeErrors);
    spec["layer"]["all"]["attention"] = Value::Table{{"type", "prefixed"}};
    const Resolved whole = complete(early.resolved, more.catalog(), options);
    CHECK(whole.tree.at("model").at("layer").at("all").at("repeat") == Value(3));
    CHECK(whole.tree.at("model").at("width") == Value(32));
    // One layer that takes prefixes does not make up for another that does not.
    spec["layer"]["some"] = Value::Table{
        {"type", "prenorm"}, {"attention", Value::Table{{"type", "gqa"}}}, {"repeat", 1}};
    CHECK_THROWS_WITH_AS(complete(early.resolved, more.catalog(), options),
                         doctest::Contains("[model.layer.some.attention]"),
                         RecipeErrors);
  }

  TEST_CASE("stages overlay the common part, see one another, and read back") {
    const std::string text = R"(recipe = { task = "pipeline", name = "two" }
vars.limit = 5
[eval.ppl]
type = "perplexity"
limit = "${vars.limit}"
[stage.one]
task = "evaluate"
[stage.two]
task = "evaluate"
vars.limit = 6
recipe.notes = "${stage.one.out}"
eval.rouge = { type = "rouge", data = "${stage.one.out}/p.jsonl" }
gate = { "ppl.perplexity" = { max_increase = "3%" } }
)";
    ResolveOptions options;
    options.run_dir = "runs/two-1";
    const Outcome outcome = check(text, {}, options);
    REQUIRE(outcome.resolved.stages.size() == 2);
    CHECK(outcome.resolved.stages[0].tree.at("eval").at("ppl").at("limit") == Value(5));
    CHECK(outcome.resolved.stages[1].tree.at("eval").at("ppl").at("limit") == Value(6));
    CHECK(outcome.resolved.stages[1].tree.at("eval").at("rouge").at("data") ==
          Value("runs/two-1/one/out/p.jsonl"));
    const Outcome again = check(to_toml(outcome.resolved));
    REQUIRE(again.resolved.stages.size() == 2);
    CHECK(again.resolved.stages[1].tree.at("eval") == outcome.resolved.stages[1].tree.at("eval"));
    CHECK(to_toml(again.resolved) == to_toml(outcome.resolved));
  }

  TEST_CASE("a gate compares with limits and with the nearest earlier stage") {
    Value gate;
    gate["ppl.value"]["max_increase"] = "3%";
    gate["f1"]["min"] = 0.8;
    const std::vector<std::pair<std::string, Scores>> earlier = {{"base", {{"ppl.value", 10}}},
                                                                 {"mid", {{"f1", 0.9}}}};
    CHECK(check_gate({{"ppl.value", 10.2}, {"f1", 0.8}}, gate, earlier).empty());
    const auto failures = check_gate({{"ppl.value", 10.4}}, gate, earlier);
    REQUIRE(failures.size() == 2);
    CHECK(failures[0].message == "ppl.value: 10.4 exceeds 10.3 (stage base had 10)");
    CHECK(failures[1].message == "f1: there is no such score");
  }

  TEST_CASE("a sweep is the product of its lists, zip advances together") {
    const std::string text = std::string(fake::kRecipe) +
                             "[sweep]\ngrid.optimizer.lr = [1e-3, 1e-4]\nzip.batch.micro = [2, "
                             "4]\nzip.batch.global = [4, 8]\nseeds = [1, 2, 3]\n";
    const Outcome outcome = check(text);
    Diagnostics diagnostics;
    const auto runs = expand_sweep(outcome.resolved, diagnostics);
    REQUIRE(runs.size() == 12);
    CHECK(runs[0].name == "lr=0.001,micro=2,global=4,seed=1");
    CHECK(runs[11].name == "lr=1e-04,micro=4,global=8,seed=3");
    ResolveOptions options;
    options.overrides = runs[11].overrides;
    const Outcome last = check_recipe_text(text, "test.toml", plugins().catalog(), options);
    REQUIRE(last.ok());
    CHECK(value_at(last, "optimizer.lr") == Value(1e-4));
    CHECK(value_at(last, "run.seed") == Value(3));
    CHECK(value_at(last, "sweep").is_null());
  }

  TEST_CASE("missing components are listed by kind and name") {
    const Outcome outcome = check_recipe_text(
        fake::kRecipe,
        "test.toml",
        plugins().catalog(),
        {{{"optimizer.type=muon", 1}, {"model.layer.dense.attention.position.type=alibi", 2}},
         "",
         nullptr,
         "",
         ""});
    CHECK(outcome.missing == std::vector<std::string>{"optimizer/muon", "position/alibi"});
  }

  TEST_CASE("only missing plugins exit with 6, any other mistake with 2") {
    const auto code = [&](std::vector<Override> overrides) {
      ResolveOptions options;
      options.overrides = std::move(overrides);
      return RecipeErrors(
                 check_recipe_text(fake::kRecipe, "t", plugins().catalog(), options).diagnostics)
          .code();
    };
    CHECK(code({{"optimizer.type=muon", 1}}) == Code::Plugin);
    CHECK(code({{"optimizer.type=muon", 1}, {"run.sede=1", 2}}) == Code::Usage);
  }

  TEST_CASE("starters validate") {
    for (const char* task : {"train", "evaluate", "pipeline"})
      check(starter_recipe(task, plugins().catalog()));
    CHECK_THROWS_AS(starter_recipe("dance", plugins().catalog()), Error);
  }

  TEST_CASE("JSON Schema holds slots, their keys and nested kinds") {
    const Value schema = recipe_schema(plugins().catalog());
    CHECK(schema.at("properties").at("run").at("properties").find("steps") != nullptr);
    CHECK(schema.at("$defs").at("attention").at("anyOf").as_array().size() == 1);
    const Value optimizer = slot_schema(plugins().catalog(), "optimizer");
    CHECK(optimizer.at("anyOf").as_array()[0].at("properties").find("lr") != nullptr);
    CHECK_THROWS_AS(slot_schema(plugins().catalog(), "optimiser"), Error);
  }
}

TEST_SUITE("core.recipe.parts") {
  TEST_CASE("quantities read by their unit") {
    CHECK(parse_quantity("4GiB", "bytes") == 4.0 * (1 << 30));
    CHECK(parse_quantity("1.5 KB", "bytes") == 1500);
    CHECK(parse_quantity("1h30min", "seconds") == 5400);
    CHECK(parse_quantity("2s", "ms") == 2000);
    CHECK(parse_quantity("10M", "tokens") == 1e7);
    CHECK(parse_quantity("20%", "fraction") == 0.2);
    CHECK_FALSE(parse_quantity("4GiB", "seconds").has_value());
    CHECK_FALSE(parse_quantity("10M5", "tokens").has_value());
    CHECK_FALSE(parse_quantity("", "tokens").has_value());
    CHECK_FALSE(parse_quantity("inf", "bytes").has_value());
  }

  TEST_CASE("version ranges follow semantic versions") {
    CHECK(in_version_range("1.9.9", "^1.2"));
    CHECK_FALSE(in_version_range("2.0.0", "^1.2"));
    CHECK_FALSE(in_version_range("1.1.0", "^1.2"));
    CHECK_FALSE(in_version_range("0.3.0", "^0.2"));
    CHECK(in_version_range("1.5.0", ">=1 <2"));
    CHECK(in_version_range("1.2.7", "~1.2"));
    CHECK(in_version_range("9.0.0", "*"));
    CHECK(in_version_range("1.2.3-rc1", "1.2"));
    CHECK_FALSE(is_version_range("newest"));
    CHECK_FALSE(is_version_range(""));
  }

  TEST_CASE("rules compute, compare and know what is absent") {
    Value t;
    t["a"] = 6;
    t["b"] = 4;
    t["s"] = "x";
    t["on"] = true;
    CHECK(evaluates("a % b == 2 and a / b == 1.5", t));
    CHECK(evaluates("on implies a > b", t));
    CHECK_FALSE(evaluates("s == 'x' and not on", t));
    CHECK(evaluates("has(a) and not has(z)", t));
    CHECK(evaluates("z < 3", t));  // absent: the rule does not apply
    CHECK(evaluates("-a + 2 * (b - 1) == 0 or false", t));
    CHECK_THROWS_AS(evaluates("a % 0 == 0", t), Error);
    CHECK_THROWS_AS(Expression("a <"), Error);
    CHECK_THROWS_AS(Expression(std::string(5000, '(')), Error);
    CHECK_THROWS_AS(Expression("a ; b"), Error);
  }

  TEST_CASE("suggestions are near, and foreign names are translated") {
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("form", "from") == 1);
    CHECK(nearest("optimiser", {"model", "optimizer"}) == "optimizer");
    CHECK(nearest("x", {"y"}).empty());
    REQUIRE((foreign_name("learning_rate") != nullptr));
    CHECK(foreign_name("learning_rate")->ours == "optimizer.lr");
    CHECK((foreign_name("lora_alpa") != nullptr));
  }
}
