// Generation: batches, stops, limits, and text that appears in whole characters.
#include "mortise/text_stream.hpp"

#include "core/engine/generate/generator.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

GenerateOptions sampled(int64_t tokens, uint64_t seed = 9) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  options.sampling = {.temperature = 1.0, .top_k = 20, .top_p = 0.95};
  options.seed = seed;
  return options;
}

/// One byte an id: what a byte-level decoder does in the worst case.  Ids above 255 decode to
/// nothing.
class Bytes final : public Tokenizer {
 public:
  void load(const std::string&) override {}

  void save(const std::string&) const override {}

  Encoding encode(std::string_view text, const EncodeOptions&) const override {
    Encoding out;
    for (const char c : text) out.ids.push_back(static_cast<unsigned char>(c));
    return out;
  }

  std::string decode(const std::vector<int32_t>& ids, bool) const override {
    std::string raw;
    for (const int32_t id : ids)
      if (id < 256) raw.push_back(static_cast<char>(id));
    return repaired(raw);
  }

  int64_t vocab_size() const override { return 256; }

  std::optional<int32_t> special(SpecialToken token) const override {
    return token == SpecialToken::Eos ? eos : std::nullopt;
  }

  std::optional<int32_t> id_of(std::string_view) const override { return std::nullopt; }

  std::string fingerprint() const override { return "bytes"; }

  std::optional<int32_t> eos;

 private:
  /// Every byte that is not part of a whole character becomes U+FFFD; truncated characters become
  /// one.
  static std::string repaired(const std::string& raw) {
    std::string out;
    for (size_t i = 0; i < raw.size();) {
      const unsigned char first = static_cast<unsigned char>(raw[i]);
      const size_t length = first < 0x80    ? 1
                            : first >= 0xf0 ? 4
                            : first >= 0xe0 ? 3
                            : first >= 0xc0 ? 2
                                            : 0;
      size_t good = length == 0 ? 0 : 1;
      while (good > 0 && good < length && i + good < raw.size() &&
             (static_cast<unsigned char>(raw[i + good]) & 0xc0) == 0x80)
        ++good;
      if (length > 0 && good == length)
        out += raw.substr(i, length);
      else
        out += "\xef\xbf\xbd";
      i += std::max<size_t>(good, 1);
    }
    return out;
  }
};

}  // namespace

TEST_SUITE("generate.generator") {
  TEST_CASE("a prompt alone and the same prompt in a batch give the same tokens") {
    const auto model = build_tiny(tiny_spec());
    const std::vector<std::vector<int32_t>> prompts = {{1, 2, 3}, {4, 5, 6}, {7, 8}, {9, 10, 11}};
    const auto together = generate(*model, prompts, sampled(20));
    GenerateOptions single = sampled(20);
    single.max_batch = 1;
    const auto alone = generate(*model, prompts, single);
    for (size_t i = 0; i < prompts.size(); ++i) {
      CHECK(together[i].ids.size() == 20);
      CHECK((together[i].ids == alone[i].ids));
    }
  }

  TEST_CASE("beyond three times a sliding window the tokens are those of the full forward") {
    const auto model = open_model(golden_folder("mistral"), host(), catalog()).model;
    constexpr int64_t kWindow = 6;  // of this golden
    std::vector<int32_t> prompt;
    for (int32_t i = 0; i < 2 * kWindow + 1; ++i) prompt.push_back((7 * i + 3) % 50);
    GenerateOptions greedy;
    greedy.max_new_tokens = 3 * kWindow + 2;
    const Continuation got = generate(*model, {prompt}, greedy).front();
    REQUIRE(static_cast<int64_t>(got.ids.size()) == greedy.max_new_tokens);
    const c10::InferenceMode inference;
    std::vector<int32_t> all = prompt;
    for (const int32_t id : got.ids) {
      const at::Tensor ids_BT =
          at::tensor(std::vector<int64_t>(all.begin(), all.end())).unsqueeze(0);
      const at::Tensor hidden_BTD = model->forward(plain_batch(ids_BT)).hidden_BTD;
      CHECK(model->head().logits(hidden_BTD.select(1, -1)).argmax().item<int64_t>() == id);
      all.push_back(id);
    }
  }

  TEST_CASE("equal prompts draw from their own streams, and a seed repeats") {
    const auto model = build_tiny(tiny_spec());
    const std::vector<std::vector<int32_t>> prompts = {{1, 2, 3}, {1, 2, 3}};
    const auto first = generate(*model, prompts, sampled(24)),
               again = generate(*model, prompts, sampled(24));
    const auto other = generate(*model, prompts, sampled(24, 10));
    CHECK((first[0].ids != first[1].ids));
    CHECK((first[0].ids == again[0].ids));
    CHECK((first[0].ids != other[0].ids));
  }

  TEST_CASE("a stop token ends its row and is not part of it; the others go on") {
    const auto model = build_tiny(tiny_spec());
    const std::vector<std::vector<int32_t>> prompts = {{1, 2}, {3, 4}, {5, 6}};
    GenerateOptions options = sampled(16);
    const auto free = generate(*model, prompts, options);
    options.stop_ids = {free[1].ids[4]};
    std::vector<std::vector<int32_t>> seen(3);
    const auto out = generate(
        *model, prompts, options, [&](size_t request, int32_t id) { seen[request].push_back(id); });
    CHECK(out[1].finish == Finish::Stop);
    for (size_t i = 0; i < 3; ++i) {
      CHECK((seen[i] == out[i].ids));
      const auto stop = std::find(free[i].ids.begin(), free[i].ids.end(), options.stop_ids[0]);
      CHECK((out[i].ids == std::vector<int32_t>(free[i].ids.begin(), stop)));
    }
  }

  TEST_CASE("generation ends at the model's context and says so") {
    const auto model = build_tiny(tiny_spec());
    const auto out = generate(*model, {std::vector<int32_t>(30, 1), {1}}, sampled(10));
    CHECK(out[0].ids.size() == 2);
    CHECK(out[0].finish == Finish::Context);
    CHECK(out[1].ids.size() == 10);
    CHECK(out[1].finish == Finish::Length);
    CHECK(message_of([&] {
            generate(*model, {std::vector<int32_t>(33, 1)}, sampled(1));
          }).find("prompt 0 has 33 tokens, and the model was made for 32") != std::string::npos);
  }

  TEST_CASE("empty prompts and unknown ids are refused") {
    const auto model = build_tiny(tiny_spec());
    CHECK(message_of([&] { generate(*model, {{}}, sampled(1)); }).find("prompt 0 has no token") !=
          std::string::npos);
    CHECK(message_of([&] {
            generate(*model, {{40}}, sampled(1));
          }).find("outside the model's vocabulary") != std::string::npos);
    CHECK(generate(*model, {{1}}, sampled(0))[0].ids.empty());
  }

  TEST_CASE("the training flag survives, and training works afterwards") {
    const auto model = build_tiny(tiny_spec());
    generate(*model, {{1, 2}}, sampled(3));
    CHECK(model->is_training());
    model->forward(plain_batch(at::zeros({1, 4}, at::kLong))).hidden_BTD.sum().backward();
    CHECK(model->parameters()[0].tensor.grad().defined());
  }

  TEST_CASE("an empty prompt starts with the token that separates texts") {
    Bytes tokenizer;
    CHECK(message_of([&] { encode_prompt(tokenizer, ""); }).find("give a prompt") !=
          std::string::npos);
    tokenizer.eos = 7;
    CHECK((encode_prompt(tokenizer, "") == std::vector<int32_t>{7}));
    CHECK((encode_prompt(tokenizer, "a") == std::vector<int32_t>{97}));
  }
}

TEST_SUITE("generate.text_stream") {
  TEST_CASE("half a character is never shown, and nothing is lost") {
    const Bytes tokenizer;
    const std::string text = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x99\x82 z";
    TextStream stream(tokenizer);
    std::string shown;
    for (const char c : text) {
      const std::string fresh = stream.push(static_cast<unsigned char>(c));
      CHECK(fresh.find("\xef\xbf\xbd") == std::string::npos);
      shown += fresh;
      CHECK(text.starts_with(shown));
    }
    CHECK(shown + stream.finish() == text);
  }

  TEST_CASE("bytes that never become a character come at the end") {
    const Bytes tokenizer;
    TextStream stream(tokenizer);
    CHECK(stream.push('a') == "a");
    CHECK(stream.push(0xe4).empty());
    CHECK(stream.push(0xb8).empty());
    CHECK(stream.finish() == "\xef\xbf\xbd");
  }

  TEST_CASE("tokens without text are passed over") {
    const Bytes tokenizer;
    TextStream stream(tokenizer);
    CHECK(stream.push(300).empty());
    CHECK(stream.push('x') == "x");
    CHECK(stream.push(300).empty());
    CHECK(stream.finish().empty());
  }
}
