// The way from a recipe's text to a checked, completed tree.
#include "core/recipe/resolve.hpp"

#include <doctest/doctest.h>

#include "core/recipe/tables.hpp"
#include "fake_catalog.hpp"

using namespace mortise;
using namespace mortise::core;

namespace {

std::string errors_of(const Outcome& outcome) { return render(outcome.diagnostics, false); }

Outcome check(const std::string& text, const std::vector<Override>& overrides = {}) {
  static const fake::Plugins plugins;
  ResolveOptions options;
  options.overrides = overrides;
  return check_recipe_text(text, "test.toml", plugins.catalog(), options);
}

struct Watch {
  std::string metric;

  static void describe(Schema<Watch>& s) {
    s.field("metric", &Watch::metric, "a score").required().names_score();
  }
};

// What is said when a schedule watches `score` and ppl is evaluated every `every` steps.
std::string watching(const std::string& score, const std::string& every) {
  fake::Plugins plugins;
  plugins.add("org.acme.watch", "1.0.0", fake::component_text<Watch>("watch", "schedule/1.0"));
  const std::string text = fmt::format(
      "{}every = {}\n[schedule]\ntype = \"watch\"\nmetric = \"{}\"\n", fake::kRecipe, every, score);
  return errors_of(check_recipe_text(text, "test.toml", plugins.catalog(), {}));
}

}  // namespace

TEST_SUITE("core.recipe") {
  TEST_CASE("a parameter that names a score is held to what is evaluated during training") {
    CHECK(watching("ppl.perplexity", "100") == "");
    const std::string absent = watching("pppl.perplexity", "100");
    CHECK_MESSAGE(
        absent.find("error[E306] schedule.metric = \"pppl.perplexity\": this score is not "
                    "evaluated, there is no [eval.pppl]   test.toml:30:10") == 0,
        absent);
    CHECK_MESSAGE(absent.find("did you mean `ppl.perplexity`?") != std::string::npos, absent);
    CHECK_MESSAGE(absent.find("name a score of [eval.ppl]") != std::string::npos, absent);
    const std::string late = watching("ppl.perplexity", "0");
    CHECK_MESSAGE(late.find("taken only when training ends") != std::string::npos, late);
    CHECK_MESSAGE(late.find("eval.ppl.every = 100") != std::string::npos, late);
    CHECK(watching("ppl", "100").find("expected EVAL.SCORE") != std::string::npos);
    CHECK(watching("ppl.", "100").find("expected EVAL.SCORE") != std::string::npos);
  }

  TEST_CASE("a recipe resolves with all defaults, units and nested components") {
    const Outcome outcome = check(fake::kRecipe);
    REQUIRE_MESSAGE(outcome.ok(), errors_of(outcome));
    const Value& tree = outcome.resolved.tree;
    CHECK(describe<RunTable>().read(tree.at("run"), nullptr).steps == 1000);
    CHECK(tree.at("batch").at("seq_len") == Value(256));
    const Value& text = tree.at("data").at("train").at("a");
    CHECK(text.at("buffer") == Value(4 << 20));
    CHECK(text.at("timeout") == Value(120.0));
    CHECK(text.at("span").at("to") == Value(7));  // the field's default, not the nested struct's
    CHECK(text.find("limit") == nullptr);
    const Value& attention = tree.at("model").at("layer").at("dense").at("attention");
    CHECK(attention.at("kv_heads") == Value(2));
    CHECK(attention.at("position").at("type") == Value("rope"));
    CHECK(attention.at("position").at("theta") == Value(1e4));
    CHECK(tree.at("optimizer").at("lr") == Value(1e-3));
  }

  TEST_CASE("a resolved recipe reads back as itself") {
    const Outcome first = check(fake::kRecipe);
    REQUIRE(first.ok());
    const std::string text = to_toml(first.resolved);
    const Outcome second = check(text);
    REQUIRE_MESSAGE(second.ok(), errors_of(second));
    CHECK(second.resolved.tree == first.resolved.tree);
    CHECK(to_toml(second.resolved) == text);
  }

  TEST_CASE("a component gets its own parameters only") {
    const Outcome outcome = check(fake::kRecipe);
    const Value own =
        component_config(outcome.resolved.tree.at("optimizer"), *find_slot("optimizer"));
    CHECK(own.find("lr") == nullptr);
    CHECK(own.find("clip_norm") == nullptr);
    CHECK(own.at("type") == Value("adamw"));
    CHECK(own.at("betas").as_array().size() == 2);
  }
}
