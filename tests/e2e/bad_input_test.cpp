// The mistakes that training by composition invites, with the real plugins: one clear error each,
// before the first step, with names, values and a fix.
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"

#include "tests/support/shell.hpp"

using namespace mortise;  // NOLINT: a test file
using test::mortise_cli, test::Ran, test::train;

namespace {

const std::string kRecipe = MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml ";
const std::string kGolden = MORTISE_SOURCE_DIR "/tests/golden/";

struct Mistake {
  std::string name;
  std::string sets;               // --set …
  int code;                       // of `plan`
  std::vector<std::string> says;  // what its message holds
};

std::string moe(const char* router) {
  return fmt::format(
      "--set 'model.layer.dense={{type=\"moe\",repeat=2,attention={{type=\"gqa\",heads=4}},paths="
      "{{type=\"swiglu_experts\",hidden=16}},router={}}}'",
      router);
}

std::vector<Mistake> mistakes() {
  return {
      {"targets that match nothing",
       "--set 'adapter={type=\"lora\",targets=[\"q_prj\"]}'",
       2,
       {"\"q_prj\" matches nothing in this model; it has: ", "did you mean \"q_proj\"?"}},
      {"a prefix longer than the window",
       "--set 'adapter={type=\"prefix\",tokens=60}'",
       2,
       {"the adapter puts 60 tokens before every document, and a window (batch.seq_len) holds 48",
        "lower adapter.tokens, or batch.seq_len = 120"}},
      {"more experts a token than there are",
       moe(R"({type="topk",experts=4,k=5})"),
       2,
       {"error[E301] [model.layer.dense.router] k must not be larger than the number of experts"}},
      {"groups that do not divide the experts",
       moe(R"({type="sigmoid_bias",experts=10,k=2,groups=4,group_limit=2})"),
       2,
       {"error[E301] [model.layer.dense.router]", "groups must divide experts"}},
      {"a plateau on a metric that is not evaluated",
       "--set 'schedule={type=\"plateau\",metric=\"val.perplexity\"}'",
       2,
       {"error[E306] schedule.metric = \"val.perplexity\": this score is not evaluated, there is "
        "no "
        "[eval.val]",
        "or name a score of [eval.dev"}},
      {"a plateau on a metric that comes too late",
       "--set 'schedule={type=\"plateau\",metric=\"test.perplexity\"}'",
       2,
       {"[eval.test] is taken only when training ends, too late for it", "eval.test.every = 100"}},
      {"accumulation that does not divide the global batch",
       "--set batch.micro=4 --set batch.global=6",
       2,
       {"error[E412] batch.global must be a multiple of batch.micro (batch.global = 6, batch.micro "
        "= 4)"}},
  };
}

}  // namespace

TEST_SUITE("e2e.bad_input") {
  TEST_CASE("each mistake of a recipe has its error, and `plan` and `run` tell it alike") {
    const testing::TempDir temp;
    int number = 0;
    for (const Mistake& mistake : mistakes()) {
      CAPTURE(mistake.name);
      const Ran plan = mortise_cli("plan " + kRecipe + mistake.sets);
      INFO(plan.output);
      CHECK(plan.code == mistake.code);
      for (const std::string& part : mistake.says) CHECK_MESSAGE(plan.has(part), part);
      const Ran run = train(fmt::format("{}/{}", temp.path, ++number), mistake.sets);
      CHECK(run.code == mistake.code);
      CHECK_MESSAGE(run.has(mistake.says.front()), run.output);
      CHECK_FALSE(run.has("step 1/"));
    }
  }

  TEST_CASE("an adapter made for another base: names and shapes are compared") {
    const testing::TempDir temp;
    const std::string lora = kGolden + "adapters/lora";
    const Ran by_recipe =
        train(temp.path + "/run", "--set 'adapter={type=\"lora\"}' --set adapter.from=" + lora);
    const Ran by_option = mortise_cli(
        fmt::format("score --model {}llama/tied_mha --adapter {} --ids 1,2,3", kGolden, lora));
    for (const Ran& ran : {by_recipe, by_option}) {
      INFO(ran.output);
      CHECK(ran.code == 5);
      CHECK(ran.has("was made for another base model"));
      CHECK(ran.has("q_proj.lora_A.weight: this model needs [4, "));
      CHECK_FALSE(ran.has("step 1/"));
    }
  }

  TEST_CASE("a conversation with an unknown role names record, message and role") {
    const testing::TempDir temp;
    std::string lines;
    for (int i = 0; i < 40; ++i)
      lines += fmt::format(
          R"({{"group": {0}, "messages": [{{"role": "user", "content": "word {0}"}}, {{"role": "{1}", "content": "yes {0}"}}]}})"
          "\n",
          i,
          i == 33 ? "asistant" : "assistant");
    const std::string data = temp.put("chat.jsonl", lines);
    const Ran ran = mortise_cli(
        "plan " + kRecipe + "--set data.train.tiny.path=" + data +
        " --set 'data.pipeline.chat={type=\"chat_template\",order=2}' --set tokenizer.vocab=280");
    INFO(ran.output);
    CHECK(ran.code == 5);
    CHECK(ran.has("chat_template: message 2 has the role `asistant`; known are: "));
    CHECK(ran.has("chat.jsonl:34"));
  }

  TEST_CASE("a row whose every token is masked is left out, counted and reported") {
    const testing::TempDir temp;
    std::string lines;
    for (int i = 0; i < 40; ++i)
      lines += fmt::format(
          R"({{"segments": [{{"text": "say {0} ", "train": false}}, {{"text": "well", "train": {1}}}]}})"
          "\n",
          i,
          i >= 3);
    const std::string sets =
        " --set '~data.pipeline.split' --set '~eval.dev' --set '~eval.test' --set "
        "tokenizer.vocab=280 --set data.train.tiny.path=";
    const Ran plan = mortise_cli("plan " + kRecipe + sets + temp.put("some.jsonl", lines));
    INFO(plan.output);
    CHECK(plan.code == 0);
    CHECK(plan.has("; 3 documents left out, nothing in them is trained"));
    CHECK(plan.has("documents left out: nothing in them is trained count=3 of=40"));

    // the first three alone
    std::string masked;
    for (size_t at = 0, line = 0; line < 3; ++line) {
      masked += lines.substr(at, lines.find('\n', at) + 1 - at);
      at = lines.find('\n', at) + 1;
    }
    const std::string all = temp.put("all.jsonl", masked);
    const Ran none = mortise_cli("plan " + kRecipe + sets + all);
    INFO(none.output);
    CHECK(none.code == 5);
    CHECK(none.has("no document has a token to predict: "));
    CHECK(none.has("documents wholly masked"));
  }

  TEST_CASE("teacher and student with different vocabularies: both sizes, before the first step") {
    const testing::TempDir temp;
    const Ran ran = train(temp.path + "/run",
                          fmt::format("--set objective.type=distill_soft --set "
                                      "reference.teacher.from={}llama/gqa_head_dim",
                                      kGolden));
    INFO(ran.output);
    CHECK(ran.code == 5);
    CHECK(ran.has("[reference.teacher] "));
    CHECK(ran.has("has a vocabulary of 97 tokens, the trained model one of "));
    CHECK(ran.has("both must use one tokenizer: set tokenizer.from to the reference's folder"));
    CHECK_FALSE(ran.has("step 1/"));
  }
}
