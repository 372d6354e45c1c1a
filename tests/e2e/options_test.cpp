// What a training recipe may ask for beside the plain loop: precision, averages, noise, recompute,
// guards.  Each is checked against its twin, and against having been interrupted.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::test;  // NOLINT
namespace fs = std::filesystem;

namespace {

std::string weights(const std::string& dir, int64_t step) {
  return read_file(fmt::format("{}/ckpt/step-{}/model.safetensors", dir, step));
}

double score(const std::string& dir, const char* name) {
  return parse_json(read_file(dir + "/status.json")).at("scores").get(name, std::nan(""));
}

/// Names of a trace's events, and how often each stands there.
std::map<std::string, int64_t> events_of(const std::string& dir, int64_t step) {
  const std::string file = fmt::format("{}/profile/step-{}.json", dir, step);
  std::map<std::string, int64_t> events;
  const Value trace = parse_json(read_file(file), file);
  for (const Value& event : trace.at("traceEvents").as_array()) ++events[event.get("name", "")];
  return events;
}

int64_t count_of(const std::map<std::string, int64_t>& events, const char* name) {
  const auto found = events.find(name);
  return found == events.end() ? 0 : found->second;
}

/// Matrix products, by whatever way the processor and the shape choose (sdk/ops/products.hpp).
int64_t products_of(const std::map<std::string, int64_t>& events) {
  return count_of(events, "aten::mm") + count_of(events, "aten::addmm_") +
         count_of(events, "mkldnn::_linear_pointwise");
}

/// As if the process had died after the checkpoint of step 10.
void forget_after_step_10(const std::string& dir) {
  fs::remove_all(dir + "/ckpt/step-20");
  std::ofstream(dir + "/ckpt/latest") << "step-10\n";
}

void run(const std::string& dir, const std::string& more) {
  const Ran ran = train(dir, more);
  INFO(more, "\n", ran.output);
  REQUIRE(ran.code == 0);
}

/// Names with what it sets.
struct Option {
  const char* name;
  const char* set;
};

constexpr Option kOptions[] = {
    {"recompute", "--set 'parallel.r={type=\"recompute\"}'"},
    {"bf16", "--set run.dtype=bf16"},
    {"fp16", "--set run.dtype=fp16 --set run.loss_scale.interval=3"},
    {"average", "--set ema.decay=0.8"},
    {"noise", "--set run.neftune_alpha=5"},
    {"clipped", "--set optimizer.clip_value=0.01 --set batch.micro=2"},
    {"guarded",
     "--set 'guard.spike={type=\"loss_spike\",warmup=3,window=5,threshold=1}' --set "
     "'guard.nan={type=\"nan\"}'"},
    {"plateau",
     "--set 'schedule={type=\"plateau\",metric=\"dev.perplexity\",patience=0}' --set "
     "eval.dev.every=2"},
    {"muon", "--set 'optimizer={type=\"muon\",lr=1e-2}'"},
    {"adafactor", "--set 'optimizer={type=\"adafactor\",lr=1e-2}'"},
    {"sgd", "--set 'optimizer={type=\"sgd\",lr=1e-1,momentum=0.9}'"},
};

/// A rate at which the loss jumps about, and a guard that goes back.
constexpr const char* kSpikes =
    "--set optimizer.lr=0.9 --set ~optimizer.clip_norm --set "
    "'guard.s={type=\"loss_spike\",action=\"rollback\",warmup=3,window=5,threshold=3}'";

}  // namespace

TEST_SUITE("e2e.options") {
  TEST_CASE("each resumes in its middle to the bits of the whole run") {
    for (const Option& option : kOptions) {
      CAPTURE(option.name);
      const testing::TempDir temp;
      const std::string whole = temp.path + "/whole", parts = temp.path + "/parts",
                        set = fmt::format("{} --set checkpoint.every=10", option.set);
      run(whole, set);
      run(parts, set);
      forget_after_step_10(parts);
      const Ran resumed = mortise_cli("run --resume " + parts);
      INFO(resumed.output);
      REQUIRE(resumed.code == 0);
      CHECK(weights(whole, 20) == weights(parts, 20));
      CHECK(score(whole, "test.perplexity") == score(parts, "test.perplexity"));
    }
  }

  TEST_CASE("recompute saves memory and changes no bit, with noise on the embeddings too") {
    const testing::TempDir temp;
    const std::string noise = "--set run.neftune_alpha=5";
    run(temp.path + "/plain", noise);
    run(temp.path + "/again", noise + " --set 'parallel.r={type=\"recompute\"}'");
    CHECK(weights(temp.path + "/plain", 20) == weights(temp.path + "/again", 20));
  }

  TEST_CASE("16-bit training with fp32 copies comes near to fp32") {
    const testing::TempDir temp;
    run(temp.path + "/fp32", "");
    const double exact = score(temp.path + "/fp32", "test.perplexity");
    for (const char* dtype : {"bf16", "fp16"}) {
      const std::string dir = temp.path + "/" + dtype;
      run(dir, fmt::format("--set run.dtype={}", dtype));
      CHECK(score(dir, "test.perplexity") == doctest::Approx(exact).epsilon(0.06));
    }
  }

  TEST_CASE("an average is evaluated and exported by choice, and trains nothing") {
    const testing::TempDir temp;
    run(temp.path + "/plain", "");
    run(temp.path + "/average", "--set ema.decay=0.8 --set ema.exported=true");
    run(temp.path + "/unused", "--set ema.decay=0.8 --set ema.evaluate=false");
    CHECK(weights(temp.path + "/plain", 20) == weights(temp.path + "/average", 20));
    CHECK(score(temp.path + "/plain", "test.perplexity") ==
          score(temp.path + "/unused", "test.perplexity"));
    CHECK(score(temp.path + "/plain", "test.perplexity") !=
          score(temp.path + "/average", "test.perplexity"));
    const std::string exported = "/export/hf/model.safetensors";
    CHECK(read_file(temp.path + "/plain" + exported) !=
          read_file(temp.path + "/average" + exported));
    CHECK(read_file(temp.path + "/plain" + exported) ==
          read_file(temp.path + "/unused" + exported));
  }

  TEST_CASE("a reached target stops with 4 and a checkpoint") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    const Ran ran = train(dir,
                          "--set eval.dev.every=5 --set "
                          "'guard.s={type=\"early_stop\",metric=\"dev.perplexity\",target=1e6}'");
    CHECK(ran.code == 4);
    CHECK(ran.has("guard s: dev.perplexity reached"));
    CHECK(fs::exists(dir + "/ckpt/step-5"));
    CHECK(parse_json(read_file(dir + "/status.json")).get("status", "") == "stopped");
  }

  TEST_CASE("a guard leaves steps that are no numbers out, and stops when they do not end") {
    const testing::TempDir temp;
    const Ran ran =
        train(temp.path + "/run",
              "--set optimizer.lr=1.0 --set 'optimizer.betas=[0.0,0.0]' --set ~optimizer.clip_norm "
              "--set optimizer.weight_decay=1e30 --set ~schedule --set "
              "'guard.nan={type=\"nan\",patience=3}' --set eval.dev.every=0 --set ~eval.test");
    INFO(ran.output);
    CHECK(ran.code == 4);
    CHECK(ran.has("the 3. time in a row"));
    CHECK(parse_json(read_file(temp.path + "/run/status.json")).get("status", "") == "stopped");
  }

  TEST_CASE("a guard rolls back to the checkpoint and goes on with later data") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    const Ran ran = train(dir, std::string("--set checkpoint.every=2 ") + kSpikes);
    INFO(ran.output);
    CHECK(ran.has("guard s: the loss jumped to"));
    CHECK(ran.has("back to step"));
    // Trackers tell the attempts apart: a step is one row of the table, and the log says the rest.
    std::string last = "0", steps;
    std::ifstream table(dir + "/metrics.csv");
    std::getline(table, steps);
    for (std::string line; std::getline(table, line); last = line.substr(0, line.find(',')))
      CHECK(std::stoll(line) == std::stoll(last) + 1);
    CHECK(fs::exists(dir + "/metrics.rollback-1.csv"));
    const std::string log = read_file(dir + "/metrics.jsonl");
    CHECK(log.find("\"rollback_from\":") != std::string::npos);
    CHECK(log.find("\"attempt\": 2") != std::string::npos);
    CHECK(read_file(dir + "/report.html").find("given up by a rollback") != std::string::npos);
  }

  TEST_CASE("a rollback without a checkpoint says what to set") {
    const testing::TempDir temp;
    const Ran ran = train(temp.path + "/run", kSpikes);
    CHECK(ran.code == 4);
    CHECK(ran.has("there is no checkpoint to roll back to"));
    CHECK(ran.has("set checkpoint.every"));
  }

  TEST_CASE("chosen steps leave a trace of themselves and of no other, and no bit changes") {
    const testing::TempDir temp;
    const std::string plain = temp.path + "/plain", traced = temp.path + "/traced";
    run(plain, "");
    const Ran ran = train(traced, "--set 'profile.steps=[3,4]'");
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    CHECK(ran.has("profile " + traced + "/profile/step-3.json"));
    CHECK_FALSE(ran.has("ERROR"));  // Kineto's own log
    CHECK(weights(plain, 20) == weights(traced, 20));
    CHECK(!fs::exists(plain + "/profile"));
    CHECK(std::distance(fs::directory_iterator(traced + "/profile"), {}) == 2);
    for (const int64_t step : {3, 4}) {
      CAPTURE(step);
      const std::map<std::string, int64_t> events = events_of(traced, step);
      CHECK(events.count(fmt::format("step {}", step)) == 1);
      CHECK(events.count(fmt::format("step {}", 7 - step)) == 0);
      // One micro-batch, two layers: what one step computes, once.
      CHECK(count_of(events, "mortise::rms_norm") == 3);
      CHECK(count_of(events, "mortise::add_rms_norm") == 2);
      CHECK(count_of(events, "mortise::swiglu") == 2);
      CHECK(count_of(events, "mortise::document_attention") == 2);
      CHECK(count_of(events, "mortise::chunked_cross_entropy") == 1);
      CHECK(products_of(events) == products_of(events_of(traced, 7 - step)));
      CHECK(products_of(events) > 0);
      CHECK(std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.first.find("RmsNorm") != std::string::npos;  // the backward pass
      }));
    }
  }

  TEST_CASE("a step that the run never reaches cannot be profiled") {
    const testing::TempDir temp;
    const Ran late = train(temp.path + "/a", "--set 'profile.steps=[3,21]'");
    CHECK(late.code == 2);
    CHECK(late.has("E415"));
    CHECK(late.has("profile.steps names step 21, and the run ends after 20"));
    const Ran tokens =
        train(temp.path + "/b", "--set ~run.steps --set run.epochs=1 --set 'profile.steps=[9999]'");
    CHECK(tokens.code == 2);
    CHECK(tokens.has("profile.steps names step 9999, and the run ends after"));
    CHECK(train(temp.path + "/c", "--set 'profile.steps=[0]'").code == 2);
  }

  TEST_CASE("a group of the optimizer that means no parameter is told before training") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    const Ran ran = train(dir, "--set 'optimizer.groups.a={match=\"*.q_prj.*\",lr=2.0}'");
    INFO(ran.output);
    CHECK(ran.code == 2);
    CHECK(
        ran.has("optimizer.groups.a.match = \"*.q_prj.*\" matches nothing in this model; it has: "
                "model.embed_tokens.weight, model.layers.*."));
    CHECK(ran.has("did you mean \"*.q_proj.*\"?"));
    CHECK(!fs::exists(dir + "/ckpt"));
    const Ran part = train(temp.path + "/part", "--set 'optimizer.groups.a={match=\"q_proj\"}'");
    CHECK(part.code == 2);
    CHECK(part.has("did you mean \"*q_proj*\"?"));
    run(temp.path + "/fine", "--set 'optimizer.groups.a={match=\"*q_proj*\",lr=2.0}'");
  }

  TEST_CASE("a guard on a score that is not taken is told before training") {
    const testing::TempDir temp;
    const Ran ran = train(temp.path + "/run",
                          "--set 'guard.s={type=\"early_stop\",metric=\"dve.perplexity\"}'");
    CHECK(ran.code == 2);
    CHECK(ran.has("E306"));
    CHECK(ran.has("did you mean `dev.perplexity`?"));
  }
}
