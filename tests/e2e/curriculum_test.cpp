// A curriculum by the perplexity of another model, through the built program.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;  // NOLINT: a test file
using test::mortise_cli, test::Ran, test::train;
namespace fs = std::filesystem;

namespace {

/// A run of another seed, whose model judges, and the tokenizer that it shares.
struct Judge {
  testing::TempDir temp;
  std::string dir = temp.path + "/judge";

  Judge() { REQUIRE(train(dir, "--set run.steps=6 --set run.seed=9").code == 0); }

  std::string by() const {
    return fmt::format(
        "--set 'batch.curriculum={{by=\"perplexity\",model=\"{0}\",over=1.0}}' --set "
        "tokenizer.from={0}/tokenizer --set run.steps=6 --set checkpoint.every=3 --set "
        "batch.seq_len=24 --set batch.packing=false ",
        dir);
  }
};

const Judge& judge() {
  static const Judge made;
  return made;
}

}  // namespace

TEST_SUITE("e2e.curriculum") {
  TEST_CASE("documents are scored once, as `score` scores them, and the easiest come first") {
    const std::string dir = judge().temp.path + "/a";
    const Ran ran = train(dir, judge().by());
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    CHECK(ran.has(" rows  eta 0:00"));
    CHECK(read_file(dir + "/plan.txt")
              .find("tokens are scored once, before training, by " + judge().dir) !=
          std::string::npos);
    const Value file = parse_json(read_file(dir + "/curriculum.json"));
    const auto& nll = file.as_array();
    REQUIRE(nll.size() > 20);
    for (const Value& each : nll) CHECK(each.as_float() > 0);

    // One document is judged by `score` alone: the same mean of −log p.
    std::ifstream lines(MORTISE_SOURCE_DIR "/tests/recipes/tiny.jsonl");
    std::vector<double> alone;
    for (std::string line; std::getline(lines, line) && alone.size() < 12;) {
      const std::string text = parse_json(line).at("text").as_string() + "<|endoftext|>";
      const Ran scored = mortise_cli(
          fmt::format("score --threads 2 --model {} --text '{}' --json", judge().dir, text));
      REQUIRE(scored.code == 0);
      const Value value = parse_json(scored.output);
      alone.push_back(-value.at("sum").as_float() /
                      static_cast<double>(value.at("log_probs").as_array().size() - 1));
    }
    int found = 0;  // held-out ones are not scored
    for (const double expected : alone)
      for (const Value& each : nll)
        if (std::fabs(each.as_float() - expected) < 1e-4) {
          ++found;
          break;
        }
    CHECK(found >= 8);
  }

  TEST_CASE("the same scores give the same bits, and a resumed run scores nothing again") {
    const std::string whole = judge().temp.path + "/whole", parts = judge().temp.path + "/parts";
    REQUIRE(train(whole, judge().by()).code == 0);
    REQUIRE(train(parts, judge().by()).code == 0);
    CHECK(read_file(whole + "/curriculum.json") == read_file(parts + "/curriculum.json"));
    fs::remove_all(parts + "/ckpt/step-6");
    std::ofstream(parts + "/ckpt/latest") << "step-3\n";
    const Ran resumed = mortise_cli("run --resume " + parts);
    INFO(resumed.output);
    REQUIRE(resumed.code == 0);
    CHECK_FALSE(resumed.has("curriculum scored"));
    CHECK(read_file(whole + "/ckpt/step-6/model.safetensors") ==
          read_file(parts + "/ckpt/step-6/model.safetensors"));
    const Ran by_length = train(judge().temp.path + "/length",
                                judge().by() + "--set 'batch.curriculum={by=\"length\",over=1.0}'");
    REQUIRE(by_length.code == 0);
    CHECK(read_file(whole + "/ckpt/step-6/model.safetensors") !=
          read_file(judge().temp.path + "/length/ckpt/step-6/model.safetensors"));
  }

  TEST_CASE("a model of other tokens, none at all and one too many are refused with a fix") {
    const std::string& root = judge().temp.path;
    const Ran other =
        train(root + "/other", judge().by() + "--set tokenizer.from= --set tokenizer.vocab=300");
    INFO(other.output);
    CHECK(other.code == 5);
    CHECK(other.has("reads other tokens than this run: it knows 320, and the tokenizer here has"));
    CHECK(other.has(fmt::format("tokenizer.from = \"{}/tokenizer\"", judge().dir)));
    CHECK_FALSE(other.has("step 1/"));
    const std::string recipe = "validate " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml --set ";
    for (const char* set : {"'batch.curriculum={by=\"perplexity\"}'",
                            "'batch.curriculum={by=\"length\",model=\"x\"}'"}) {
      const Ran ran = mortise_cli(recipe + set);
      INFO(ran.output);
      CHECK(ran.code == 2);
      CHECK(
          ran.has("error[E417] a curriculum by perplexity needs a model, and no other "
                  "curriculum does"));
    }
    const Ran plan =
        mortise_cli("plan " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml " + judge().by());
    INFO(plan.output);
    CHECK(plan.code == 0);
    CHECK(plan.has("; rows above are by length"));
  }
}
