// Whole jobs through the real program: tests/recipes/tiny.toml, changed by --set.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;  // NOLINT: a test file
using test::mortise_cli, test::Ran, test::shell, test::train;
namespace fs = std::filesystem;

namespace {

const std::string kTiny = std::string(MORTISE_SOURCE_DIR) + "/tests/recipes/tiny.toml";

std::string bytes(const std::string& path) {
  REQUIRE_MESSAGE(fs::exists(path), path);
  return read_file(path);
}

/// The columns of metrics.jsonl that must not depend on the clock.
std::vector<std::string> curve(const std::string& dir) {
  std::vector<std::string> lines;
  std::ifstream file(dir + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Value row = parse_json(line);
    if (row.find("loss") == nullptr) continue;
    lines.push_back(fmt::format("{} {} {} {}",
                                row.get("step", 0),
                                row.get("loss", 0.0),
                                row.get("lr", 0.0),
                                row.get("grad_norm", 0.0)));
  }
  return lines;
}

void check_same_run(const std::string& a, const std::string& b, int64_t step) {
  for (const char* name : {"model.safetensors", "optim.safetensors"}) {
    CAPTURE(name);
    CHECK(bytes(fmt::format("{}/ckpt/step-{}/{}", a, step, name)) ==
          bytes(fmt::format("{}/ckpt/step-{}/{}", b, step, name)));
  }
  CHECK(curve(a) == curve(b));
  CHECK(curve(a).size() == static_cast<size_t>(step));
}

double score(const std::string& dir, const char* name) {
  return parse_json(bytes(dir + "/status.json")).at("scores").get(name, std::nan(""));
}

}  // namespace

TEST_SUITE("e2e.train") {
  TEST_CASE("a run fills its directory and learns") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    const Ran ran = train(dir);
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    for (const char* name : {"recipe.toml",
                             "resolved.toml",
                             "lock.toml",
                             "plan.txt",
                             "status.json",
                             "metrics.jsonl",
                             "report.html",
                             "samples/step-20.md",
                             "eval/test.json",
                             "tokenizer/tokenizer.json",
                             "export/hf/model.safetensors",
                             "export/hf/config.json",
                             "ckpt/latest",
                             "ckpt/step-20/manifest.json"})
      CHECK_MESSAGE(fs::exists(dir + "/" + name), name);
    CHECK(score(dir, "test.perplexity") < 0.9 * score(dir, "test.unigram_perplexity"));
    CHECK(bytes(dir + "/status.json").find("\"done\"") != std::string::npos);
    CHECK(ran.output.find("peak tensor memory") != std::string::npos);
    CHECK(mortise_cli("runs list " + temp.path).output.find("done") != std::string::npos);
    const Ran again = train(dir);
    CHECK(again.code == 2);
    CHECK(again.output.find("never overwritten") != std::string::npos);
  }

  TEST_CASE("the same recipe gives the same bits, also from resolved.toml") {
    const testing::TempDir temp;
    REQUIRE(train(temp.path + "/a").code == 0);
    REQUIRE(train(temp.path + "/b").code == 0);
    check_same_run(temp.path + "/a", temp.path + "/b", 20);
    const Ran third = mortise_cli(fmt::format(
        "run {0}/a/resolved.toml --locked {0}/a/lock.toml --set run.dir={0}/c", temp.path));
    INFO(third.output);
    REQUIRE(third.code == 0);
    check_same_run(temp.path + "/a", temp.path + "/c", 20);
  }

  TEST_CASE("ten steps, a resume and ten more equal twenty, bit for bit") {
    const testing::TempDir temp;
    for (const char* batch : {"--set batch.micro=4", "--set batch.micro=2 --set batch.global=6"}) {
      CAPTURE(batch);
      const std::string whole = temp.path + "/whole" + (batch[18] == '4' ? "4" : "2"),
                        parts = whole + "-parts";
      REQUIRE(train(whole, fmt::format("{} --set checkpoint.every=10", batch)).code == 0);
      REQUIRE(train(parts, fmt::format("{} --set checkpoint.every=10", batch)).code == 0);
      // as if the process had died after the checkpoint of step 10
      fs::remove_all(parts + "/ckpt/step-20");
      std::ofstream(parts + "/ckpt/latest") << "step-10\n";
      const Ran resumed = mortise_cli("run --resume " + parts);
      INFO(resumed.output);
      REQUIRE(resumed.code == 0);
      check_same_run(whole, parts, 20);
      CHECK(score(whole, "test.perplexity") == score(parts, "test.perplexity"));
    }
  }

  TEST_CASE("an interrupted run saves, ends with 130 and continues to the same bits") {
    const testing::TempDir temp;
    const std::string whole = temp.path + "/whole", dir = temp.path + "/run";
    REQUIRE(train(whole, "--set run.steps=60 --set eval.dev.every=0").code == 0);
    const pid_t child = fork();
    if (child == 0) {
      if (freopen((temp.path + "/out").c_str(), "w", stdout) == nullptr) _exit(99);
      execl(MORTISE_PROGRAM,
            MORTISE_PROGRAM,
            "run",
            kTiny.c_str(),
            "--set",
            ("run.dir=" + dir).c_str(),
            "--set",
            "run.steps=60",
            "--set",
            "eval.dev.every=0",
            nullptr);
      _exit(98);
    }
    for (int i = 0;
         i < 6000 && (!fs::exists(temp.path + "/out") ||
                      read_file(temp.path + "/out").find("step 5/") == std::string::npos);
         ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
    CHECK(bytes(dir + "/status.json").find("interrupted") != std::string::npos);
    CHECK(curve(dir).size() < 60);
    const Ran resumed = mortise_cli("run --resume " + dir);
    INFO(resumed.output);
    REQUIRE(resumed.code == 0);
    check_same_run(whole, dir, 60);
  }

  TEST_CASE("a resume refuses another recipe and allows more steps") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    REQUIRE(train(dir, "--set run.steps=4").code == 0);
    const Ran refused = mortise_cli("run --resume " + dir + " --set optimizer.lr=0.5");
    CHECK(refused.code == 2);
    CHECK(refused.output.find("optimizer.lr: 0.01 → 0.5") != std::string::npos);
    const Ran longer = mortise_cli("run --resume " + dir + " --set run.steps=6");
    INFO(longer.output);
    CHECK(longer.code == 0);
    CHECK(fs::exists(dir + "/ckpt/step-6"));
  }

  TEST_CASE("a lock names what drifted") {
    const testing::TempDir temp;
    REQUIRE(train(temp.path + "/a", "--set run.steps=5").code == 0);
    const Ran ran =
        train(temp.path + "/b",
              fmt::format("--set run.steps=5 --set optimizer.type=lion --locked {}/a/lock.toml",
                          temp.path));
    CHECK(ran.code == 3);
    CHECK(ran.output.find("plugins.org.mortise.optimizer.adamw.version: locked") !=
          std::string::npos);
  }

  TEST_CASE("how a global batch is cut does not matter") {
    const testing::TempDir temp;
    const std::string rest = "--set batch.global=8 --set run.steps=8 --set optimizer.lr=1e-3";
    REQUIRE(train(temp.path + "/whole", rest + " --set batch.micro=8").code == 0);
    REQUIRE(train(temp.path + "/cut", rest + " --set batch.micro=2").code == 0);
    const auto a = curve(temp.path + "/whole"), b = curve(temp.path + "/cut");
    REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      double loss_a = 0, loss_b = 0;
      int step = 0;
      REQUIRE(std::sscanf(a[i].c_str(), "%d %lf", &step, &loss_a) == 2);
      REQUIRE(std::sscanf(b[i].c_str(), "%d %lf", &step, &loss_b) == 2);
      CHECK(loss_a == doctest::Approx(loss_b).epsilon(1e-4));
    }
  }

  TEST_CASE("packing changes the speed, not the loss") {
    const testing::TempDir temp;
    // Evaluation packs its documents by batch.packing and sums likelihoods per document: equal
    // scores are the parity.
    REQUIRE(train(temp.path + "/a", "--set run.steps=6").code == 0);
    const std::string evaluate = fmt::format(
        "--set recipe.task=evaluate --set model.from={0}/a/export/hf --set "
        "tokenizer.from={0}/a/export/hf",
        temp.path);
    REQUIRE(train(temp.path + "/packed", evaluate).code == 0);
    REQUIRE(train(temp.path + "/unpacked", evaluate + " --set batch.packing=false").code == 0);
    CHECK(score(temp.path + "/packed", "test.perplexity") ==
          doctest::Approx(score(temp.path + "/unpacked", "test.perplexity")).epsilon(1e-5));
  }

  TEST_CASE("another optimizer and another metric are one line each, and a typo is told") {
    const testing::TempDir temp;
    const Ran lion = train(temp.path + "/lion",
                           "--set run.steps=5 --set optimizer.type=lion --set optimizer.lr=1e-3");
    INFO(lion.output);
    CHECK(lion.code == 0);
    const Ran rouge =
        train(temp.path + "/rouge",
              "--set run.steps=5 --set eval.rouge.type=rouge --set eval.rouge.data=test --set "
              "eval.rouge.limit=2 --set eval.rouge.max_new_tokens=4");
    INFO(rouge.output);
    CHECK(rouge.code == 0);
    CHECK(fs::exists(temp.path + "/rouge/eval/rouge.json"));
    const Ran typo = train(temp.path + "/typo", "--set optimizer.type=adanw");
    CHECK(typo.code == 6);
    CHECK(typo.output.find("no provider for [optimizer] type \"adanw\"") != std::string::npos);
    CHECK(typo.output.find("adamw") != std::string::npos);
    CHECK_FALSE(fs::exists(temp.path + "/typo"));
  }

  TEST_CASE("a full disk ends the run with one sentence and keeps the last checkpoint") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    REQUIRE(train(dir, "--set run.steps=4").code == 0);
    const Ran full = shell(fmt::format(
        "trap '' XFSZ; ulimit -f 80; {} run --resume {} --set run.steps=8", MORTISE_PROGRAM, dir));
    INFO(full.output);
    CHECK(full.code == 74);
    CHECK(full.output.find("File too large") != std::string::npos);
    CHECK(full.output.find("the last good one is") != std::string::npos);
    CHECK(fs::exists(dir + "/ckpt/step-4/manifest.json"));
    CHECK(mortise_cli(fmt::format("run --resume {} --set run.steps=8", dir)).code == 0);
  }

  TEST_CASE("a loss that is not finite stops the run and names step and checkpoint") {
    const testing::TempDir temp;
    const Ran ran =
        train(temp.path + "/run",
              "--set optimizer.lr=1.0 --set 'optimizer.betas=[0.0,0.0]' --set ~optimizer.clip_norm "
              "--set optimizer.weight_decay=1e30 --set checkpoint.every=1 --set ~schedule");
    CHECK(ran.code == 4);
    CHECK(ran.output.find("at step") != std::string::npos);
    CHECK(ran.output.find("the last checkpoint is") != std::string::npos);
    CHECK(bytes(temp.path + "/run/status.json").find("failed") != std::string::npos);
  }

  TEST_CASE("data that are empty, missing or without text are told before any training") {
    const testing::TempDir temp;
    std::ofstream(temp.path + "/empty.jsonl");
    std::ofstream(temp.path + "/other.jsonl")
        << "{\"group\": 1, \"body\": \"x\"}\n{\"group\": 2, \"body\": \"y\"}\n";
    const Ran empty =
        train(temp.path + "/a", "--set data.train.tiny.path=" + temp.path + "/empty.jsonl");
    CHECK(empty.code == 5);
    CHECK(empty.output.find("[data.train.tiny]") != std::string::npos);
    const Ran missing =
        train(temp.path + "/b", "--set data.train.tiny.path=" + temp.path + "/none.jsonl");
    CHECK(missing.code != 0);
    CHECK(missing.output.find("none.jsonl") != std::string::npos);
    const Ran other = train(
        temp.path + "/c",
        "--set ~data.pipeline.split --set ~eval.dev --set ~eval.test --set data.train.tiny.path=" +
            temp.path + "/other.jsonl");
    CHECK(other.code == 5);
    CHECK(other.output.find("has no field `text`") != std::string::npos);
  }

  TEST_CASE("plan and data tell what a run would do") {
    const Ran plan = mortise_cli("plan " + kTiny);
    INFO(plan.output);
    CHECK(plan.code == 0);
    for (const char* word : {"plugins",
                             "model",
                             "parameters",
                             "tokens",
                             "EOS trained: yes",
                             "schedule",
                             "memory",
                             "fits"})
      CHECK_MESSAGE(plan.output.find(word) != std::string::npos, word);
    const Ran stats = mortise_cli("data stats " + kTiny + " --json");
    CHECK(stats.code == 0);
    CHECK(parse_json(stats.output).at("sources").at("train.tiny").get("records", 0) == 160);
    const Ran preview = mortise_cli("data preview " + kTiny + " --rows 1");
    CHECK(preview.output.find("<|endoftext|>⟧") != std::string::npos);
  }

  TEST_CASE("a file of predictions is scored without a model") {
    const testing::TempDir temp;
    const Ran ran = mortise_cli(
        fmt::format("run {}/configs/recipes/evaluate_file.toml --set run.dir={}/run --json",
                    MORTISE_SOURCE_DIR,
                    temp.path));
    INFO(ran.output);
    CHECK(ran.code == 0);
    CHECK(score(temp.path + "/run", "exact.exact_match") == doctest::Approx(1.0 / 3));
    CHECK(fs::exists(temp.path + "/run/eval/bleu.json"));
  }

  TEST_CASE("an exported model is evaluated to the same score") {
    const testing::TempDir temp;
    REQUIRE(train(temp.path + "/a", "--set run.steps=5").code == 0);
    const Ran ran = train(temp.path + "/b",
                          fmt::format("--set recipe.task=evaluate --set model.from={0}/a/export/hf "
                                      "--set tokenizer.from={0}/a/export/hf",
                                      temp.path));
    INFO(ran.output);
    CHECK(ran.code == 0);
    CHECK(score(temp.path + "/b", "test.perplexity") ==
          doctest::Approx(score(temp.path + "/a", "test.perplexity")).epsilon(1e-6));
  }

  TEST_CASE("a sweep makes one run a point and a table") {
    const testing::TempDir temp;
    std::ofstream(temp.path + "/sweep.toml") << fmt::format(
        "extends = [\"{}\"]\n[run]\nsteps = 5\ndir = \"{}/s\"\n[sweep.grid.optimizer]\nlr = [1e-3, "
        "1e-2]\n[data.train.tiny]\npath = \"{}/tests/recipes/tiny.jsonl\"\n",
        kTiny,
        temp.path,
        MORTISE_SOURCE_DIR);
    const Ran ran = mortise_cli("run " + temp.path + "/sweep.toml");
    INFO(ran.output);
    CHECK(ran.code == 0);
    CHECK(std::distance(fs::directory_iterator(temp.path + "/s"), fs::directory_iterator{}) == 2);
    for (const char* column : {"exit   trainable", "tokens_per_s", "dev.perplexity", "lr=0.001  "})
      CHECK_MESSAGE(ran.has(column), column);
  }

  TEST_CASE("a run of a sweep that fails is a row of its table, and the rest go on") {
    const testing::TempDir temp;
    temp.put("sweep.toml",
             fmt::format("extends = [\"{}\"]\n[run]\nsteps = 5\ndir = \"{}/s\"\n"
                         "[data.train.tiny]\npath = \"x\"\n[sweep.grid.data.train.tiny]\n"
                         "path = [\"{}/none.jsonl\", \"{}/tests/recipes/tiny.jsonl\"]\n",
                         kTiny,
                         temp.path,
                         temp.path,
                         MORTISE_SOURCE_DIR));
    const Ran ran = mortise_cli("run " + temp.file("sweep.toml"));
    INFO(ran.output);
    CHECK(ran.code == 5);
    CHECK(ran.has("    5  failed: "));
    CHECK(ran.has("none.jsonl does not exist"));
    CHECK(ran.has("    0       25760"));
    std::vector<std::string> status;
    for (const auto& entry : fs::recursive_directory_iterator(temp.path + "/s"))
      if (entry.path().filename() == "status.json")
        status.push_back(parse_json(bytes(entry.path().string())).get("status", ""));
    std::sort(status.begin(), status.end());
    CHECK(status == std::vector<std::string>{"done", "failed"});
  }

  TEST_CASE("no space while a checkpoint is written: one sentence, the last good one stays") {
    const testing::TempDir temp;
    const std::string dir = temp.path + "/run";
    REQUIRE(train(dir, "--set run.steps=4").code == 0);
    const std::string before = bytes(dir + "/ckpt/step-4/model.safetensors");
    const std::string resume =
        fmt::format("{} run --resume {} --set run.steps=8", MORTISE_PROGRAM, dir);
    for (const char* limit : {"0", "4096", "100000"}) {
      CAPTURE(limit);
      // A sanitized program would refuse a library that is loaded before its runtime.
      const Ran full =
          shell(fmt::format("ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 "
                            "NO_SPACE_AFTER={} LD_PRELOAD={} {}",
                            limit,
                            MORTISE_BUILD_DIR "/tests/no_space.so",
                            resume));
      INFO(full.output);
      CHECK(full.code == 74);
      CHECK(full.has("No space left on device"));
      CHECK(full.has("the last good one is"));
      CHECK(bytes(dir + "/ckpt/step-4/model.safetensors") == before);
      CHECK(bytes(dir + "/ckpt/latest").find("step-4") != std::string::npos);
      CHECK_FALSE(fs::exists(dir + "/ckpt/step-8"));
    }
    CHECK(shell(resume).code == 0);
    CHECK(fs::exists(dir + "/ckpt/step-8/manifest.json"));
  }

  TEST_CASE("bf16 trains, gives the same bits twice, and is saved as bf16") {
    const testing::TempDir temp;
    const Ran whole = train(temp.path + "/a", "--set run.dtype=bf16 --set checkpoint.every=10");
    INFO(whole.output);
    REQUIRE(whole.code == 0);
    CHECK(score(temp.path + "/a", "test.perplexity") <
          0.9 * score(temp.path + "/a", "test.unigram_perplexity"));
    REQUIRE(train(temp.path + "/b", "--set run.dtype=bf16 --set checkpoint.every=10").code == 0);
    check_same_run(temp.path + "/a", temp.path + "/b", 20);
    CHECK(bytes(temp.path + "/a/ckpt/step-20/model.safetensors").find("\"BF16\"") !=
          std::string::npos);
  }

  TEST_CASE("a pipeline runs its stages one after another, and a missed gate stops it") {
    const testing::TempDir temp;
    const auto pipeline = [&](const char* name, const char* max) {
      return temp.put(std::string(name) + ".toml",
                      fmt::format("extends = [\"{0}\"]\nrecipe.task = \"pipeline\"\n"
                                  "data.train.tiny.path = \"{1}/tests/recipes/tiny.jsonl\"\n"
                                  "run.dir = \"{2}/{3}\"\n[stage.first]\ntask = \"train\"\n"
                                  "run.steps = 6\ngate.\"test.perplexity\".max = {4}\n"
                                  "[stage.second]\ntask = \"evaluate\"\n"
                                  "model.from = \"${{stage.first.out}}\"\n"
                                  "tokenizer.from = \"${{stage.first.out}}\"\n",
                                  kTiny,
                                  MORTISE_SOURCE_DIR,
                                  temp.path,
                                  name,
                                  max));
    };
    const Ran good = mortise_cli("run " + pipeline("good", "1e9"));
    INFO(good.output);
    REQUIRE(good.code == 0);
    CHECK(good.has("== stage first (train)"));
    CHECK(good.has("== stage second (evaluate)"));
    CHECK(good.has("run     exit   trainable    peak_mib  tokens_per_s"));
    const std::string dir = temp.path + "/good";
    CHECK(parse_json(bytes(dir + "/status.json")).get("status", "") == "done");
    CHECK(score(dir, "second.test.perplexity") ==
          doctest::Approx(score(dir, "first.test.perplexity")).epsilon(1e-6));
    const Ran bad = mortise_cli("run " + pipeline("bad", "1.5"));
    INFO(bad.output);
    CHECK(bad.code == 4);
    CHECK(bad.has("gate: test.perplexity"));
    CHECK_FALSE(bad.has("== stage second"));
    const Value status = parse_json(bytes(temp.path + "/bad/status.json"));
    CHECK(status.get("status", "") == "failed");
    CHECK(status.get("message", "") == "stage first ended with 4");
    CHECK_FALSE(fs::exists(temp.path + "/bad/second"));
  }

  TEST_CASE("a stage exports as the architecture that its model.from was read by") {
    const testing::TempDir temp;
    const std::string recipe = temp.put(
        "two.toml",
        fmt::format(R"(recipe = {{ task = "pipeline", name = "two", order = ["first", "second"] }}
run = {{ seed = 3, steps = 2, threads = 2, dir = "{0}/two" }}
batch = {{ seq_len = 32, micro = 4, global = 4 }}
tokenizer = {{ type = "byte_bpe", vocab = 300 }}
objective = {{ type = "causal_lm" }}
optimizer = {{ type = "adamw", lr = 1e-3 }}
data.train.tiny = {{ type = "jsonl", path = "{1}/tests/recipes/tiny.jsonl" }}
export.hf = {{ type = "hf_safetensors" }}
[stage.first]
task = "train"
export.hf.architecture = "gpt2"
[stage.first.model]
width = 16
embedding = {{ type = "token", position = {{ type = "learned", max_positions = 32 }} }}
norm = {{ type = "layer_norm" }}
head = {{ type = "lm", tied = true }}
[stage.first.model.layer.dense]
type = "prenorm"
attention = {{ type = "gqa", heads = 2, kv_heads = 2, bias = true, output_bias = true, position = {{ type = "none" }} }}
ffn = {{ type = "gelu", hidden = 24, bias = true, form = "tanh" }}
[stage.second]
task = "train"
model.from = "${{stage.first.out}}"
tokenizer.from = "${{stage.first.out}}"
)",
                    temp.path,
                    MORTISE_SOURCE_DIR));
    const Ran ran = mortise_cli("run " + recipe);
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    const std::string second = temp.path + "/two/second";
    CHECK(parse_json(bytes(second + "/export/hf/config.json")).get("model_type", "") == "gpt2");
    CHECK(bytes(second + "/resolved.toml").find("architecture = \"gpt2\"") != std::string::npos);
    const Ran again =
        mortise_cli(fmt::format("export {}/ckpt/step-2 --to {}/again", second, second));
    INFO(again.output);
    CHECK(parse_json(bytes(second + "/again/config.json")).get("model_type", "") == "gpt2");
  }

  TEST_CASE("what an export or an evaluation cannot do is told before the first step") {
    const testing::TempDir temp;
    const Ran exported = train(temp.path + "/a", "--set export.hf.architecture=gpt2");
    INFO(exported.output);
    CHECK(exported.code == 2);
    CHECK(exported.has("a GPT-2 folder cannot express"));
    CHECK(exported.has("for [export.hf], written when training ends"));
    CHECK_FALSE(exported.has("step 1/"));
    const Ran scored =
        train(temp.path + "/b",
              "--set 'model.head={type=\"classify\",labels=4}' --set "
              "objective.type=classification --set 'export.hf={type=\"none\"}' --set "
              "batch.overlong=truncate --set "
              "'data.pipeline.label={type=\"map_labels\",order=2,field=\"kind\","
              "labels=[\"the\",\"a\",\"an\",\"my\"]}'");
    INFO(scored.output);
    CHECK(scored.code == 2);
    CHECK(scored.has("[eval.dev] needs a model that predicts tokens"));
    CHECK_FALSE(scored.has("step 1/"));
  }

  TEST_CASE("a gate that is missed ends with 4") {
    const testing::TempDir temp;
    CHECK(train(temp.path + "/a", "--set run.steps=5 --set 'gate.\"test.perplexity\".max=1.5'")
              .code == 4);
    CHECK(train(temp.path + "/b", "--set run.steps=5 --set 'gate.\"test.perplexity\".max=1e9'")
              .code == 0);
  }
}
