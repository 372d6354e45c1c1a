// Modules in another dtype than the run (run.precision): against the run in that dtype, together
// with adapters, experts and recompute, and what is refused.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::test;  // NOLINT
namespace fs = std::filesystem;

namespace {

constexpr const char *kBf16 = " --set run.dtype=bf16",
                     *kNorms = " --set 'run.precision.norms={match=\"*norm*\",dtype=\"fp32\"}'",
                     *kAll = " --set 'run.precision.all={match=\"*\",dtype=\"fp32\"}'";

constexpr const char* kMoe =
    " --set 'model.layer.dense={type=\"moe\",repeat=2,attention={type=\"gqa\",heads=4,kv_heads=2,"
    "qk_norm={type=\"rms_norm\"},position={type=\"rope\"}},router={type=\"topk\",experts=4,k=2},"
    "paths={type=\"swiglu_experts\",hidden=24}}' --set ~export.hf";

std::string weights_file(const std::string& dir, int64_t step = 20) {
  return fmt::format("{}/ckpt/step-{}/model.safetensors", dir, step);
}

void run(const std::string& dir, const std::string& more) {
  const Ran ran = train(dir, more);
  INFO(more, "\n", ran.output);
  REQUIRE(ran.code == 0);
}

std::string refused(const std::string& more) {
  const testing::TempDir temp;
  const Ran ran = train(temp.path + "/run", more);
  CHECK(ran.code == 2);
  CHECK(!fs::exists(temp.path + "/run/ckpt"));
  return ran.output;
}

bool contains(const std::string& text, const char* part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

double perplexity(const std::string& dir) {
  return parse_json(read_file(dir + "/status.json"))
      .at("scores")
      .get("test.perplexity", std::nan(""));
}

}  // namespace

TEST_SUITE("e2e.precision") {
  TEST_CASE("a bf16 run with every module in fp32 is the fp32 run, bit for bit") {
    const testing::TempDir temp;
    for (const std::string& model : {std::string(), std::string(kMoe)}) {
      const std::string name = temp.path + (model.empty() ? "/dense" : "/moe");
      run(name + "-fp32", model);
      run(name + "-all", model + kBf16 + kAll);
      CHECK(read_file(weights_file(name + "-fp32")) == read_file(weights_file(name + "-all")));
      CHECK(perplexity(name + "-fp32") == perplexity(name + "-all"));
    }
  }

  TEST_CASE("the modules that match are in their dtype, the others are not, and it matters") {
    const testing::TempDir temp;
    const std::string pure = temp.path + "/pure", mixed = temp.path + "/mixed";
    run(pure, kBf16);
    run(mixed, std::string(kBf16) + kNorms);
    const auto file = safetensors::File::open(weights_file(mixed));
    int64_t norms = 0;
    for (const safetensors::Entry& entry : file.header().entries) {
      const bool is_norm = entry.name.find("norm") != std::string::npos;
      norms += is_norm ? 1 : 0;
      CAPTURE(entry.name);
      CHECK(entry.dtype == (is_norm ? Dtype::F32 : Dtype::BF16));
    }
    CHECK(norms == 5);
    CHECK(perplexity(pure) != perplexity(mixed));
    CHECK(perplexity(mixed) == doctest::Approx(perplexity(pure)).epsilon(0.06));
    const std::string plan = read_file(mixed + "/plan.txt");
    CHECK(contains(plan, "weights in bf16 "));
    CHECK(contains(plan, ", fp32 640 B"));
    const auto exported =
        safetensors::File::open(mixed + "/export/hf/model.safetensors");  // one dtype: its own
    for (const safetensors::Entry& entry : exported.header().entries)
      CHECK(entry.dtype == Dtype::F32);
  }

  TEST_CASE("it resumes in the middle to the bits of the whole run") {
    const testing::TempDir temp;
    const std::string whole = temp.path + "/whole", parts = temp.path + "/parts",
                      set = std::string(kBf16) + kNorms +
                            " --set 'run.precision.ends={match=\"model.embed_tokens.*\"}' --set "
                            "'run.precision.ends_head={match=\"lm_head.*\"}' --set "
                            "checkpoint.every=10";
    run(whole, set);
    run(parts, set);
    fs::remove_all(parts + "/ckpt/step-20");
    std::ofstream(parts + "/ckpt/latest") << "step-10\n";
    const Ran resumed = mortise_cli("run --resume " + parts);
    INFO(resumed.output);
    REQUIRE(resumed.code == 0);
    CHECK(read_file(weights_file(whole)) == read_file(weights_file(parts)));
  }

  TEST_CASE("it composes with adapters, experts and recompute") {
    const testing::TempDir temp;
    const std::map<std::string, std::string> jobs = {
        {"lora", " --set 'adapter={type=\"lora\"}' --set 'run.precision.l={match=\"*.lora.*\"}'"},
        {"base",
         " --set 'adapter={type=\"lora\"}' --set 'run.precision.q={match=\"*q_proj.weight\"}'"},
        {"dora",
         " --set 'adapter={type=\"lora\",use_dora=true}' --set "
         "'run.precision.l={match=\"*.lora.*\"}'"},
        {"ia3", " --set 'adapter={type=\"ia3\"}' --set 'run.precision.l={match=\"*.ia3.*\"}'"},
        {"prefix",
         " --set 'adapter={type=\"prefix\",tokens=3}' --set "
         "'run.precision.p={match=\"adapter.*\"}'"},
        {"prompt",
         " --set 'adapter={type=\"prompt\",tokens=3}' --set "
         "'run.precision.p={match=\"adapter.*\"}' --set batch.packing=false"},
        {"layer", " --set 'run.precision.first={match=\"model.layers.0.*\"}'"},
        {"head", " --set model.head.tied=false --set 'run.precision.h={match=\"lm_head.*\"}'"},
        {"experts",
         std::string(kMoe) + " --set 'run.precision.r={match=\"*mlp.gate.*\"}' --set "
                             "'run.precision.e={match=\"*experts.up_proj*\"}'"}};
    for (const auto& [name, set] : jobs) {
      CAPTURE(name);
      const std::string dir = temp.path + "/" + name, short_run = " --set run.steps=4";
      run(dir, kBf16 + set + short_run);
      CHECK(std::isfinite(perplexity(dir)));
      run(dir + "-again", kBf16 + set + short_run + " --set 'parallel.r={type=\"recompute\"}'");
      CHECK(read_file(weights_file(dir, 4)) == read_file(weights_file(dir + "-again", 4)));
      const auto file = safetensors::File::open(weights_file(dir, 4));
      int64_t full = 0;
      for (const safetensors::Entry& entry : file.header().entries)
        full += entry.dtype == Dtype::F32 ? 1 : 0;
      CHECK(full > 0);
      CHECK(full < static_cast<int64_t>(file.header().entries.size()));
    }
  }

  TEST_CASE("what no pattern may do is told before training, with the fix") {
    CHECK(contains(refused(std::string(kBf16) + " --set 'run.precision.n={match=\"*nrom*\"}'"),
                   "did you mean \"*norm*\"?"));
    CHECK(
        contains(refused(" --set 'run.precision.n={match=\"*norm*\",dtype=\"fp8\"}'"), "\"fp8\""));
    const std::string tie =
        refused(std::string(kBf16) + " --set 'run.precision.h={match=\"lm_head.*\"}'");
    CHECK(contains(tie,
                   "model.embed_tokens.weight in bf16 (run.dtype), lm_head.weight in fp32 "
                   "(run.precision.h)"));
    CHECK(contains(tie, "model.head.tied = false"));
    const std::string split = refused(
        std::string(kBf16) +
        " --set model.layer.dense.attention.bias=true --set 'run.precision.b={match=\"*.bias\"}'");
    CHECK(contains(split, "run.precision splits model.layers.0.self_attn.q_proj"));
    CHECK(contains(split, "match all of it: \"model.layers.0.self_attn.q_proj.*\""));
    const std::string none =
        refused(std::string(kBf16) + kAll + " --set 'run.precision.norms={match=\"*norm*\"}'");
    CHECK(contains(none,
                   "nothing is left for run.precision.norms.match = \"*norm*\": "
                   "[run.precision.all] (match = \"*\") comes first by name"));
  }

  TEST_CASE("a group of the optimizer for which an earlier one left nothing is an error") {
    const std::string none = refused(
        " --set 'optimizer.groups.b={match=\"*q_proj*\",lr=2.0}' --set "
        "'optimizer.groups.a={match=\"*self_attn*\"}'");
    CHECK(contains(none,
                   "nothing is left for optimizer.groups.b.match = \"*q_proj*\": "
                   "[optimizer.groups.a] (match = \"*self_attn*\") comes first by name"));
    const testing::TempDir temp;
    run(temp.path + "/fine",
        "--set 'optimizer.groups.b={match=\"*self_attn*\"}' --set "
        "'optimizer.groups.a={match=\"*q_proj*\",lr=2.0}' --set run.steps=4");
  }
}
