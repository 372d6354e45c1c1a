// Held-out scores of what is no language model: classes and pairs, through the built program.
#include <cmath>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;  // NOLINT: a test file
using test::Ran, test::train;

namespace {

// The class is the first word, so it can be learned whole.
const std::string kClassify =
    "--set '~eval.test' --set '~export' --set '~generate' "
    "--set 'data.pipeline.text={type=\"prompt_template\",order=2,template=\"{text}\"}' "
    "--set "
    "'data.pipeline.label={type=\"map_labels\",order=3,field=\"kind\",labels=[\"a\",\"the\"],"
    "unknown=\"drop\"}' "
    "--set 'model.head={type=\"classify\",labels=2}' --set objective.type=classification "
    "--set batch.overlong=truncate --set eval.dev.type=classification --set eval.dev.every=20 "
    "--set run.steps=40 ";

const std::string kPairs =
    "--set '~eval.test' --set '~export' --set '~generate' "
    "--set 'data.pipeline.pairs={type=\"make_pairs\",order=3,by=[\"split\"]}' "
    "--set batch.overlong=truncate --set batch.seq_len=64 --set eval.dev.type=preference "
    "--set eval.dev.every=1 ";

Value scores_of(const std::string& dir) {
  return parse_json(read_file(dir + "/status.json")).at("scores");
}

double first(const std::string& dir, const char* score) {
  const std::string lines = read_file(dir + "/metrics.jsonl");
  for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
    const Value line = parse_json(lines.substr(at, lines.find('\n', at) - at));
    if (line.find("eval") != nullptr) return line.at("scores").at(score).as_float();
  }
  FAIL("nothing was evaluated");
  return 0;
}

}  // namespace

TEST_SUITE("e2e.scores") {
  TEST_CASE("a classifier is judged on held-out documents, packed or not, whatever the batch") {
    const testing::TempDir temp;
    const std::string packed = temp.path + "/packed", single = temp.path + "/single",
                      other = temp.path + "/other";
    const Ran ran = train(packed, kClassify);
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    const Value scores = scores_of(packed);
    CHECK(scores.at("dev.accuracy").as_float() > 0.95);
    CHECK(scores.at("dev.macro_f1").as_float() > 0.95);
    CHECK(scores.at("dev.majority").as_float() < 0.8);
    CHECK(scores.at("dev.log_loss").as_float() < 0.3);
    CHECK(first(packed, "log_loss") > scores.at("dev.log_loss").as_float());
    CHECK(ran.has("accuracy "));
    const Value file = parse_json(read_file(packed + "/eval/dev.json"));
    CHECK(file.get("samples", 0) > 3);
    // One evaluation before any difference of training can show: at a rate of almost nothing.
    const std::string still =
        kClassify + "--set run.steps=1 --set schedule.warmup=0 --set optimizer.lr=1e-6 ";
    REQUIRE(train(single, still + "--set batch.packing=false").code == 0);
    REQUIRE(train(other, still + "--set batch.micro=1 --set batch.global=2").code == 0);
    for (const char* name : {"dev.log_loss", "dev.accuracy", "dev.macro_f1"}) {
      CAPTURE(name);
      CHECK(scores_of(single).at(name).as_float() ==
            doctest::Approx(scores_of(other).at(name).as_float()).epsilon(1e-3));
    }
  }

  TEST_CASE("a reward model is judged on held-out pairs") {
    const testing::TempDir temp;
    const Ran ran =
        train(temp.path + "/run",
              kPairs +
                  "--set 'model.head={type=\"classify\",labels=1}' --set "
                  "objective.type=reward_pair --set run.steps=3 --set schedule.warmup=1");
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    const Value scores = scores_of(temp.path + "/run");
    CHECK(scores.at("dev.accuracy").as_float() >= 0);
    CHECK(scores.at("dev.accuracy").as_float() <= 1);
    CHECK(
        scores.at("dev.margin").as_float() ==
        doctest::Approx(scores.at("dev.chosen").as_float() - scores.at("dev.rejected").as_float()));
    CHECK(std::fabs(scores.at("dev.margin").as_float()) > 0);
  }

  TEST_CASE("preferences are judged against the reference: nothing gained before the first step") {
    const testing::TempDir temp;
    const std::string dpo = kPairs + "--set reference.base.from= --set objective.type=dpo ";
    const Ran still =
        train(temp.path + "/still",
              dpo + "--set run.steps=1 --set schedule.warmup=0 --set optimizer.lr=1e-6");
    INFO(still.output);
    REQUIRE(still.code == 0);
    CHECK(std::fabs(scores_of(temp.path + "/still").at("dev.margin").as_float()) < 1e-3);
    CHECK(scores_of(temp.path + "/still").at("dev.log_loss").as_float() ==
          doctest::Approx(std::log(2.0)).epsilon(1e-3));
    REQUIRE(train(temp.path + "/moved", dpo + "--set run.steps=10").code == 0);
    CHECK(std::fabs(scores_of(temp.path + "/moved").at("dev.margin").as_float()) > 1e-3);
  }

  TEST_CASE("what cannot be judged is told before training, with both sides and a fix") {
    const testing::TempDir temp;
    const Ran language = train(temp.path + "/a", "--set eval.dev.type=classification");
    INFO(language.output);
    CHECK(language.code == 2);
    CHECK(
        language.has("error[E305] [eval.dev] \"classification\" needs the capability "
                     "`sample_scores`"));
    CHECK(language.has("objective \"reward_pair\""));
    const Ran unlabelled =
        train(temp.path + "/b", kClassify + "--set '~data.pipeline.label' --set run.steps=5");
    INFO(unlabelled.output);
    CHECK(unlabelled.code == 5);
    CHECK(unlabelled.has("the objective classifies documents, and none has a number `label`"));
    CHECK(unlabelled.has("add a `map_labels` step to [data.pipeline]"));
    CHECK_FALSE(unlabelled.has("step 1/"));
  }
}
