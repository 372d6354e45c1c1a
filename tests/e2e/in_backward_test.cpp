// Parameters that move inside the backward pass (optimizer.in_backward): the bits of the run
// without it, less memory, and what it cannot stand beside.
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

#include "tests/support/shell.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::test;  // NOLINT
namespace fs = std::filesystem;

namespace {

constexpr const char *kIn = " --set optimizer.in_backward=true",
                     *kWhole = " --set ~optimizer.clip_norm --set run.steps=8";

std::string checkpoint(const std::string& dir, int64_t step = 8) {
  const std::string folder = fmt::format("{}/ckpt/step-{}/", dir, step);
  return read_file(folder + "model.safetensors") + read_file(folder + "optim.safetensors");
}

void run(const std::string& dir, const std::string& more) {
  const Ran ran = train(dir, more);
  INFO(more, "\n", ran.output);
  REQUIRE(ran.code == 0);
}

double measure(const std::string& dir, const char* name) {
  return parse_json(read_file(dir + "/status.json")).at("measures").get(name, std::nan(""));
}

/// The gradient norms of a run, as they were logged.
std::string norms(const std::string& dir) {
  std::string out;
  std::ifstream file(dir + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);)
    if (const Value values = parse_json(line); values.find("grad_norm") != nullptr)
      out += to_json(values.at("grad_norm")) + " ";
  return out;
}

}  // namespace

TEST_SUITE("e2e.in_backward") {
  TEST_CASE("the bits are those of the run without it, whatever moves and is trained") {
    const testing::TempDir temp;
    const std::map<std::string, std::string> jobs = {
        {"tied", ""},
        {"untied", " --set model.head.tied=false --set optimizer.clip_value=0.01"},
        {"bf16", " --set run.dtype=bf16 --set ema.decay=0.8"},
        {"recompute", " --set 'parallel.r={type=\"recompute\"}'"},
        {"lora", " --set 'adapter={type=\"lora\",use_dora=true}'"},
        {"prefix", " --set 'adapter={type=\"prefix\",tokens=3}'"},
        {"sgd", " --set 'optimizer={type=\"sgd\",lr=0.1,momentum=0.9}'"},
        {"lion", " --set 'optimizer={type=\"lion\",lr=1e-3}'"},
        {"adafactor", " --set 'optimizer={type=\"adafactor\",lr=1e-2}'"},
        {"muon", " --set 'optimizer={type=\"muon\",lr=1e-2}'"},
        {"moe",
         " --set 'model.layer.dense={type=\"moe\",attention={type=\"gqa\",heads=4,kv_heads=2,"
         "position={type=\"rope\"}},router={type=\"topk\",experts=4,k=2},"
         "paths={type=\"swiglu_experts\",hidden=24}}' --set ~export.hf --set "
         "'parallel.r={type=\"recompute\"}'"}};
    for (const auto& [name, set] : jobs) {
      CAPTURE(name);
      run(temp.path + "/a-" + name, kWhole + set);
      run(temp.path + "/b-" + name, kWhole + set + kIn);
      CHECK(checkpoint(temp.path + "/a-" + name) == checkpoint(temp.path + "/b-" + name));
      CHECK(norms(temp.path + "/a-" + name) == norms(temp.path + "/b-" + name));
    }
  }

  TEST_CASE("it resumes in the middle to the bits of the whole run") {
    const testing::TempDir temp;
    const std::string whole = temp.path + "/whole", parts = temp.path + "/parts",
                      set = std::string(kWhole) + kIn + " --set checkpoint.every=4";
    run(whole, set);
    run(parts, set);
    fs::remove_all(parts + "/ckpt/step-8");
    std::ofstream(parts + "/ckpt/latest") << "step-4\n";
    const Ran resumed = mortise_cli("run --resume " + parts);
    INFO(resumed.output);
    REQUIRE(resumed.code == 0);
    CHECK(checkpoint(whole) == checkpoint(parts));
  }

  TEST_CASE("gradients are not kept: the measured peak is lower, and the plan knows it") {
    const testing::TempDir temp;
    // Where weights are large and rows are few, gradients are what the peak is made of.
    const std::string set = std::string(kWhole) +
                            " --set model.width=256 --set model.layer.dense.repeat=6 --set "
                            "model.layer.dense.ffn.hidden=704 --set batch.micro=1 --set "
                            "batch.global=1 --set optimizer.type=sgd --set optimizer.lr=1e-2";
    const std::string kept = temp.path + "/kept", freed = temp.path + "/freed";
    run(kept, set);
    run(freed, set + kIn);
    CHECK(checkpoint(kept) == checkpoint(freed));
    const double before = measure(kept, "peak_mib"), after = measure(freed, "peak_mib");
    MESSAGE("peak " << before << " MiB, in the backward pass " << after << " MiB");
    CHECK(after < 0.8 * before);
    for (const std::string& dir : {kept, freed}) {
      const Ran plan = mortise_cli("plan " + dir + "/resolved.toml --json");
      REQUIRE(plan.code == 0);
      const double planned = parse_json(plan.output).at("memory").get("peak", 0.0) / (1 << 20);
      CHECK(planned == doctest::Approx(measure(dir, "peak_mib")).epsilon(0.1));
    }
  }

  TEST_CASE("what it cannot stand beside is refused with both places and a fix") {
    const testing::TempDir temp;
    const auto refused = [&](const std::string& set) {
      const Ran ran =
          mortise_cli("validate " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml" + set + kIn);
      INFO(ran.output);
      CHECK(ran.code == 2);
      CHECK(ran.has("optimizer.in_backward = true"));
      CHECK(ran.has("optimizer.in_backward = false"));
      return ran.output;
    };
    const std::string free = " --set ~optimizer.clip_norm";
    const auto names = [](const std::string& text, const char* part) {
      INFO(text);
      CHECK(text.find(part) != std::string::npos);
    };
    names(refused(""), "optimizer.clip_norm needs all gradients at once");
    names(refused(""), "optimizer.clip_norm: ");
    names(refused(""), "tiny.toml:7:");
    names(refused(free + " --set batch.micro=2"), "batch.micro = 2, batch.global = 4");
    names(refused(free + " --set run.dtype=fp16"), "run.dtype = \"fp16\"");
    names(refused(free + " --set 'guard.n={type=\"nan\"}'"), "[guard.n] \"nan\"");
    names(refused(free + " --set 'guard.s={type=\"loss_spike\",action=\"skip\"}'"),
          "may leave an update out");
    for (const char* set : {" --set 'guard.n={type=\"nan\",action=\"rollback\"}'",
                            " --set 'guard.s={type=\"loss_spike\",action=\"warn\"}'"}) {
      const Ran fine =
          mortise_cli("validate " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml" + free + set + kIn);
      INFO(fine.output);
      CHECK(fine.code == 0);
    }
  }

  TEST_CASE("a gradient that is not finite moves nothing more, and the run ends with a message") {
    const testing::TempDir temp;
    const Ran ran = train(temp.path + "/run",
                          std::string(kWhole) + kIn +
                              " --set optimizer.lr=1 --set run.steps=200 "
                              "--set 'optimizer.type=sgd' --set "
                              "~schedule --set 'optimizer.groups.all="
                              "{match=\"*\",lr=1e9}'");
    INFO(ran.output);
    CHECK(ran.code == 4);
    CHECK(ran.has("at step"));
  }
}
