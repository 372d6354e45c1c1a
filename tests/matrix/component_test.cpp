// The swap matrix, first half: every component that the program knows, of the kind in
// MORTISE_MATRIX_KIND (all when it is unset), trains in a tiny job from its defaults: the same bits
// twice, the same bits when resumed, and its files read back. A new component is found by itself;
// one that needs more than its name brings a recipe.toml.
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/json.hpp"

#include "tests/matrix/job.hpp"

using namespace mortise;  // NOLINT: a test file
using namespace mortise::matrix;
using test::mortise_cli, test::Ran;

namespace {

struct Listed {
  std::string kind, name;
};

std::vector<Listed> components() {
  const Ran ran = mortise_cli("inspect --json");
  REQUIRE(ran.code == 0);
  const char* wanted = std::getenv("MORTISE_MATRIX_KIND");
  std::vector<Listed> out;
  const Value listing = parse_json(ran.output);
  for (const Value& plugin : listing.at("plugins").as_array())
    for (const Value& component : plugin.at("components").as_array()) {
      const std::string kind = component.get("kind", "");
      if (wanted == nullptr || kind == wanted) out.push_back({kind, component.get("name", "")});
    }
  return out;
}

/// The recipe and its overrides.
std::string job(const Listed& component) {
  const std::string own =
      fmt::format(MORTISE_SOURCE_DIR "/plugins/{}/{}/recipe.toml", component.kind, component.name);
  if (fs::exists(own)) return own;
  const auto place = places().find(component.kind);
  REQUIRE_MESSAGE((place != places().end()),
                  "tests/matrix/job.hpp names no place for kind " << component.kind);
  const std::string base =
      component.kind == "router" ? MORTISE_SOURCE_DIR "/plugins/layer/moe/recipe.toml" : kTiny;
  return base + " " + fmt::format(fmt::runtime(place->second), component.name);
}

std::string scored(const std::string& model) {
  const Ran ran = mortise_cli("score --threads 1 --text 'the old man' --json --model " + model);
  INFO(ran.output);
  REQUIRE(ran.code == 0);
  return to_json(parse_json(ran.output).at("log_probs"));
}

/// What a run wrote for others must say the same as the run itself.
void read_back(const std::string& dir) {
  const std::string exported = dir + "/export/hf";
  if (!fs::exists(exported + "/config.json")) return;
  CHECK(scored(exported) == scored(dir));
}

/// An adapter is trained over a base, and its own files over that base say what the run says.
void read_back_adapter(const Listed& component, const testing::TempDir& temp) {
  const std::string base = temp.path + "/base", tuned = temp.path + "/tuned";
  REQUIRE(run(kTiny + " --set model.max_seq_len=96", base).code == 0);
  const Ran ran =
      run(fmt::format("{} --set model.from={}/export/hf --set tokenizer.from={}/export/hf "
                      "--set ~model.layer --set ~model.embedding --set ~model.norm --set "
                      "~model.head --set ~model.width --set export.hf.merge_adapter=false",
                      job(component),
                      base,
                      base),
          tuned);
  INFO(ran.output);
  REQUIRE(ran.code == 0);
  CHECK(scored(base + "/export/hf") != scored(tuned));
  CHECK(scored(base + "/export/hf --adapter " + tuned + "/export/hf") == scored(tuned));
}

}  // namespace

TEST_SUITE("matrix.components") {
  TEST_CASE("each trains: the same bits twice and when resumed, and its files read back") {
    const auto all = components();
    REQUIRE_FALSE(all.empty());
    for (const Listed& component : all) {
      const testing::TempDir temp;
      const std::string recipe = job(component), first = temp.path + "/first",
                        second = temp.path + "/second";
      CAPTURE(recipe);
      const Ran ran = run(recipe, first);
      INFO(ran.output);
      CHECK(ran.code == 0);
      if (ran.code != 0) continue;
      CHECK(run(recipe, second).code == 0);
      CHECK(differing(first, second) == "");
      const Ran resumed = resume_in_the_middle(second);
      INFO(resumed.output);
      CHECK(resumed.code == 0);
      CHECK(differing(first, second) == "");
      read_back(first);
      if (component.kind == "adapter" && component.name != "full")
        read_back_adapter(component, temp);
    }
  }
}
