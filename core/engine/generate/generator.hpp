// Token by token: prompts in, continuations out, with a cache of keys and values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/sampler.hpp"
#include "mortise/tokenizer.hpp"

#include "core/engine/model/language_model.hpp"

namespace mortise::core {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  Sampling sampling;
  uint64_t seed = 0;
  std::vector<int32_t>
      stop_ids;            // end-of-text tokens; they end a continuation and are not part of it
  int64_t max_batch = 16;  // rows of one forward
};

/// Why a continuation ended: a stop token, max_new_tokens, or the model's longest sequence.
enum class Finish { Stop, Length, Context };
std::string_view finish_name(Finish finish);

struct Continuation {
  std::vector<int32_t> ids;  // new tokens only
  Finish finish = Finish::Length;
};

/// Called with each new token as soon as it is known.
using OnToken = std::function<void(size_t request, int32_t id)>;

/// The tokens of a prompt, with what the tokenizer adds; an empty one starts with the token that
/// begins or ends a text. Throws: Error when there is no such token.
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt);

/// Continues every prompt.  Request i draws from its own stream (seed, i), so other prompts do not
/// change its draws. Prompts of equal length share forwards.  The model's training flag is
/// restored. Throws: Error on an empty prompt or one longer than the model's context; DataError on
/// unknown ids. Thread: [train-thread].
std::vector<Continuation> generate(LanguageModel& model,
                                   const std::vector<std::vector<int32_t>>& prompts,
                                   const GenerateOptions& options,
                                   const OnToken& on_token = {});

}  // namespace mortise::core
