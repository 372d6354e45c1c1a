// The verbs around a run, through the built program on one tiny model: what they print and write.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;  // NOLINT: a test file
using test::mortise_cli, test::Ran, test::train;
namespace fs = std::filesystem;

namespace {

std::vector<Value> json_lines(const std::string& text) {
  std::vector<Value> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out.push_back(parse_json(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

/// A run of five steps, made once for all cases; its events are what --json printed.
struct TinyRun {
  testing::TempDir temp;
  std::string dir = temp.path + "/run";
  std::vector<Value> events;

  TinyRun() {
    const Ran ran = train(dir, "--set run.steps=5 --json");
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    events = json_lines(ran.output);
  }
};

const TinyRun& tiny() {
  static const TinyRun run;
  return run;
}

}  // namespace

TEST_SUITE("e2e.verbs") {
  TEST_CASE("run --json prints one event a line, from start to summary") {
    std::multiset<std::string> kinds;
    int64_t step = 0;
    for (const Value& event : tiny().events) {
      kinds.insert(event.get("event", "?"));
      if (event.get("event", "") != "step") continue;
      CHECK(event.get("step", 0) == ++step);
      CHECK(event.get("total", 0) == 5);
      CHECK(event.get("loss", 0.0) > 0);
      for (const char* key : {"lr", "grad_norm", "tokens_per_s", "tensor_bytes", "eta_seconds"})
        CHECK_MESSAGE(event.find(key) != nullptr, key);
    }
    CHECK(kinds.count("step") == 5);
    for (const char* kind : {"start", "plan", "eval", "export", "summary"})
      CHECK_MESSAGE(kinds.count(kind) >= 1, kind);
    CHECK(kinds.count("?") == 0);
    CHECK(tiny().events.front().get("event", "") == "start");
    CHECK(tiny().events.back().get("event", "") == "summary");
  }

  TEST_CASE("generate continues prompts: greedy twice alike, sampled by seed, streamed alike") {
    const std::string model = "generate --threads 1 --max-new-tokens 6 --model " + tiny().dir;
    const Ran one = mortise_cli(model + " --prompt 'the old' --json");
    INFO(one.output);
    REQUIRE(one.code == 0);
    const Value value = parse_json(one.output);
    CHECK(value.get("prompt", "") == "the old");
    CHECK(value.get("new_tokens", 0) == static_cast<int64_t>(value.at("ids").as_array().size()));
    CHECK(value.get("new_tokens", 0) <= 6);
    CHECK(value.get("finish", "") == (value.get("new_tokens", 0) == 6 ? "length" : "stop"));
    const std::string text = "the old" + value.get("text", "?") + "\n";
    CHECK(mortise_cli(model + " --prompt 'the old'").output == text);
    CHECK(mortise_cli(model + " --prompt 'the old' --stream").output == text);
    const Ran two = mortise_cli(model + " --prompt 'the old' --prompt 'a' --json");
    const auto both = json_lines(two.output);
    REQUIRE(both.size() == 2);
    CHECK(both[0].at("ids") == value.at("ids"));
    const std::string sampled = model + " --prompt a --temperature 1.5 --json --seed ";
    const auto ids = [&](const char* seed) {
      return parse_json(mortise_cli(sampled + seed).output).at("ids");
    };
    CHECK(ids("1") == ids("1"));
    CHECK_FALSE(ids("1") == ids("2"));
    const Ran nothing = mortise_cli("generate --prompt a");
    CHECK(nothing.code == 2);
    CHECK(nothing.has("generate needs --model DIR"));
    CHECK(mortise_cli(model + " --prompt a --top-k x").has("--top-k wants an integer, got `x`"));
  }

  TEST_CASE("score: text, ids and files agree, and the logits give the log-probabilities") {
    const std::string model = "score --threads 1 --model " + tiny().dir;
    const Ran by_text = mortise_cli(model + " --text 'the old man' --json");
    INFO(by_text.output);
    REQUIRE(by_text.code == 0);
    const Value scored = parse_json(by_text.output);
    const auto& ids = scored.at("ids").as_array();
    const auto& logs = scored.at("log_probs").as_array();
    REQUIRE(ids.size() == logs.size());
    REQUIRE(ids.size() >= 3);
    CHECK(logs[0].is_null());
    double sum = 0;
    for (size_t i = 1; i < logs.size(); ++i) sum += logs[i].as_float();
    CHECK(scored.get("sum", 0.0) == doctest::Approx(sum));
    CHECK(scored.get("perplexity", 0.0) ==
          doctest::Approx(std::exp(-sum / static_cast<double>(ids.size() - 1))));

    std::string list;
    for (const Value& id : ids) list += fmt::format("{}{}", list.empty() ? "" : ",", id.as_int());
    const std::string logits = tiny().temp.file("logits.safetensors");
    const Ran by_ids = mortise_cli(model + " --ids " + list + " --json --logits " + logits);
    CHECK(parse_json(by_ids.output).at("log_probs") == scored.at("log_probs"));
    const auto file = safetensors::File::open(logits);
    const auto* entry = file.header().find("logits");
    REQUIRE((entry != nullptr));
    REQUIRE(entry->shape.size() == 2);
    REQUIRE(entry->shape[0] == static_cast<int64_t>(ids.size()));
    const auto vocab = static_cast<size_t>(entry->shape[1]);
    std::vector<float> rows(ids.size() * vocab);
    std::memcpy(rows.data(), file.data(*entry).data(), rows.size() * sizeof(float));
    for (size_t i = 1; i < ids.size(); ++i) {
      double total = 0;
      for (size_t v = 0; v < vocab; ++v) total += std::exp(rows[(i - 1) * vocab + v]);
      const auto target = static_cast<size_t>(ids[i].as_int());
      CHECK(logs[i].as_float() ==
            doctest::Approx(rows[(i - 1) * vocab + target] - std::log(total)).epsilon(1e-5));
    }

    const std::string jsonl = tiny().temp.put(
        "score.jsonl", fmt::format("{{\"text\": \"the old man\"}}\n\n{{\"ids\": [{}]}}\n", list));
    const auto lines = json_lines(mortise_cli(model + " --json --file " + jsonl).output);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].at("sum") == scored.at("sum"));
    CHECK(lines[1].at("sum") == scored.at("sum"));
    CHECK(lines[2].at("total").get("sum", 0.0) == doctest::Approx(2 * sum));
    const Ran table = mortise_cli(model + " --text 'the old man'");
    CHECK(table.has(fmt::format("tokens {}  perplexity", ids.size() - 1)));
    CHECK(mortise_cli(model).has("score needs exactly one of --text, --ids and --file, got 0"));
    CHECK(mortise_cli(model + " --ids 1,x").has("--ids must be numbers separated by commas"));
  }

  TEST_CASE("score and generate: adapters by name, and the base by `none`") {
    const std::string golden = std::string(MORTISE_SOURCE_DIR) + "/tests/golden/";
    const std::string model = fmt::format(
        "score --threads 1 --ids 1,2,3,4,5 --json --model {}llama/gqa_head_dim", golden);
    const std::string lora = golden + "adapters/lora", prefix = golden + "adapters/prefix";
    const std::string both = fmt::format("{} --adapter a={} --adapter b={}", model, lora, prefix);
    const Ran base = mortise_cli(model), alone = mortise_cli(model + " --adapter " + prefix);
    INFO(base.output, alone.output);
    REQUIRE(alone.code == 0);
    CHECK(alone.output != base.output);
    CHECK(mortise_cli(both + " --use b").output == alone.output);
    CHECK(mortise_cli(both + " --use none").output == base.output);
    CHECK(mortise_cli(both + " --use a").output ==
          mortise_cli(model + " --adapter " + lora).output);
    const Ran open = mortise_cli(both), wrong = mortise_cli(both + " --use c");
    CHECK(open.code == 2);
    CHECK(open.has("2 adapters are loaded, and none is chosen: a, b"));
    CHECK(wrong.code == 2);
    CHECK(wrong.has("there are: a, b"));
    CHECK(mortise_cli("generate --model " + tiny().dir + " --prompt a --use x")
              .has("no adapter is called \"x\"; there are: none"));
  }

  TEST_CASE("export writes a folder that scores alike, and never over another") {
    const std::string to = tiny().temp.file("exported");
    const Ran ran = mortise_cli(fmt::format("export {} --to {} --verify 2", tiny().dir, to));
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"})
      CHECK_MESSAGE(fs::exists(to + "/" + name), name);
    const std::string score = "score --threads 1 --ids 1,2,3 --json --model ";
    const Value one = parse_json(mortise_cli(score + tiny().dir).output),
                two = parse_json(mortise_cli(score + to).output);
    CHECK(one.get("sum", 0.0) == doctest::Approx(two.get("sum", 1.0)).epsilon(1e-6));
    const Ran half = mortise_cli(fmt::format("export {} --to {}16 --dtype bf16", tiny().dir, to));
    CHECK(half.code == 0);
    CHECK(safetensors::File::open(to + "16/model.safetensors").header().entries[0].dtype ==
          Dtype::BF16);
    const Ran nowhere = mortise_cli("export " + tiny().dir);
    CHECK(nowhere.code == 2);
    CHECK(nowhere.has("export needs --to DIR"));
    CHECK(mortise_cli(fmt::format("export {}/none --to {}/x", to, to)).code != 0);
  }

  TEST_CASE("data preview shows rows with their borders, and refuses no rows") {
    const std::string preview = "data preview " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml";
    const Ran one = mortise_cli(preview + " --rows 1"), two = mortise_cli(preview + " --rows 2");
    CHECK(one.code == 0);
    CHECK(one.has("<|endoftext|>"));
    CHECK(two.output.size() > one.output.size());
    const Ran none = mortise_cli(preview + " --rows 0");
    CHECK(none.code == 2);
    CHECK(none.has("--rows is how many rows to show"));
  }

  TEST_CASE("runs lists, shows and compares") {
    const std::string other = tiny().temp.path + "/other";
    REQUIRE(train(other, "--set run.steps=6 --set optimizer.lr=1e-3").code == 0);
    const Ran list = mortise_cli("runs list " + tiny().temp.path + " --json");
    std::set<std::string> dirs;
    const Value runs = parse_json(list.output);
    for (const Value& run : runs.as_array()) {
      dirs.insert(fs::path(run.get("dir", "")).filename().string());
      CHECK(run.get("status", "") == "done");
    }
    CHECK(dirs == std::set<std::string>{"run", "other"});
    CHECK(mortise_cli("runs list " + tiny().temp.path).has("done"));
    CHECK(mortise_cli("runs show " + other).has("tiny"));
    const Ran diff = mortise_cli("runs diff " + tiny().dir + " " + other);
    CHECK(diff.code == 0);
    CHECK(diff.has("optimizer.lr"));
    CHECK(diff.has("run.steps"));
    const Ran wrong = mortise_cli("runs compare");
    CHECK(wrong.code == 2);
    CHECK(mortise_cli("runs show " + tiny().temp.path + "/none").code == 2);
  }
}
