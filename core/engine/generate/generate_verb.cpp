// `mortise generate`: continues one prompt, or several, with a trained or a foreign model.
//
// Options: model, adapter (see choose_adapter), use, prompt (text or list of texts),
// max_new_tokens, temperature, top_k, top_p, seed, json, stream.
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/text_stream.hpp"

#include "core/engine/generate/generator.hpp"
#include "core/engine/model/adapter_set.hpp"
#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

std::vector<std::string> prompts_of(const Value& options) {
  const Value* prompt = options.find("prompt");
  if (prompt == nullptr || prompt->is_null()) return {""};
  return texts_of(*prompt);
}

GenerateOptions options_of(const Value& options, const Tokenizer& tokenizer) {
  GenerateOptions out;
  out.max_new_tokens = options.get("max_new_tokens", out.max_new_tokens);
  out.sampling.temperature = options.get("temperature", out.sampling.temperature);
  out.sampling.top_k = options.get("top_k", out.sampling.top_k);
  out.sampling.top_p = options.get("top_p", out.sampling.top_p);
  out.seed = static_cast<uint64_t>(options.get("seed", 0));
  if (const auto eos = tokenizer.special(SpecialToken::Eos)) out.stop_ids.push_back(*eos);
  return out;
}

Value to_value(const std::string& prompt,
               const Continuation& continuation,
               size_t prompt_tokens,
               const Tokenizer& tokenizer) {
  Value ids = Value::array();
  for (const int32_t id : continuation.ids) ids.as_array().emplace_back(int64_t{id});
  Value out = Value::table();
  out["prompt"] = prompt;
  out["text"] = tokenizer.decode(continuation.ids, /*skip_special=*/true);
  out["ids"] = std::move(ids);
  out["prompt_tokens"] = static_cast<int64_t>(prompt_tokens);
  out["new_tokens"] = static_cast<int64_t>(continuation.ids.size());
  out["finish"] = finish_name(continuation.finish);
  return out;
}

void show(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt) {
  std::vector<int32_t> ids =
      tokenizer.encode(prompt, {.add_special = true, .parse_special = true, .offsets = false}).ids;
  if (!ids.empty()) return ids;
  // Nothing to start from: what separates documents in training starts one.
  for (const SpecialToken token : {SpecialToken::Bos, SpecialToken::Eos})
    if (const auto id = tokenizer.special(token)) return {*id};
  throw Error(Code::Usage,
              "the prompt is empty, and the tokenizer has no token that begins a text",
              "give a prompt");
}

int run_generate(const EngineCall& call) {
  const OpenedModel opened =
      open_model(call.options->at("model").as_string(), *call.host, *call.catalog);
  AdapterSet adapters(opened, *call.host, *call.catalog);
  LanguageModel& model = choose_adapter(adapters, *call.options);
  if (opened.tokenizer == nullptr)
    throw DataError(
        fmt::format("{} has no tokenizer.json, so a text prompt cannot be read", opened.weights),
        "put the model's tokenizer.json beside its config.json");
  const Tokenizer& tokenizer = *opened.tokenizer;
  const bool as_json = call.options->get("json", false),
             stream = call.options->get("stream", false) && !as_json;
  const std::vector<std::string> prompts = prompts_of(*call.options);
  MORTISE_CHECK(
      !stream || prompts.size() == 1, "--stream shows one prompt, got {}", prompts.size());
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& prompt : prompts) ids.push_back(encode_prompt(tokenizer, prompt));

  TextStream text(tokenizer);
  OnToken on_token;
  if (stream) {
    show(prompts[0]);
    on_token = [&](size_t, int32_t id) { show(text.push(id)); };
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Continuation> out =
      generate(model, ids, options_of(*call.options, tokenizer), on_token);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (stream) show(text.finish() + "\n");
  for (size_t i = 0; i < out.size() && !stream; ++i) {
    Value value = to_value(prompts[i], out[i], ids[i].size(), tokenizer);
    if (!as_json) {
      show(prompts[i] + value.at("text").as_string() + "\n");
      continue;
    }
    value["model"] = opened.weights;
    value["seconds"] = seconds;
    show(to_json(value) + "\n");
  }
  return 0;
}

}  // namespace mortise::core
