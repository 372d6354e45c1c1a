// Batches of equal prompt lengths: one prefill, then one token of every row a step.  Rows that have
// ended go on being computed (their tokens are dropped) until the whole batch has ended; that keeps
// the cache free of gaps.
#include "core/engine/generate/generator.hpp"

#include <algorithm>
#include <map>

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise::core {

namespace {

/// Restores the training flag.
class EvalGuard {
 public:
  explicit EvalGuard(LanguageModel& model) : model_(model), was_training_(model.is_training()) {
    model.train(false);
  }

  ~EvalGuard() { model_.train(was_training_); }

  EvalGuard(const EvalGuard&) = delete;
  EvalGuard& operator=(const EvalGuard&) = delete;

 private:
  LanguageModel& model_;
  bool was_training_;
};

struct Row {
  size_t request = 0;
  Philox random;
  bool has_ended = false;
};

at::Tensor ids_tensor(const std::vector<std::vector<int32_t>>& rows) {
  const int64_t length = static_cast<int64_t>(rows.front().size());
  at::Tensor ids = at::empty({static_cast<int64_t>(rows.size()), length}, at::kLong);
  int64_t* data = ids.mutable_data_ptr<int64_t>();
  for (const std::vector<int32_t>& row : rows) data = std::copy(row.begin(), row.end(), data);
  return ids;
}

/// Scores of the next token.  Shapes: ids_BT → [B, V], fp32, contiguous.
at::Tensor next_logits(LanguageModel& model, const at::Tensor& ids_BT, KvCache& cache) {
  TokenBatch batch = plain_batch(ids_BT);
  batch.positions_BT = batch.positions_BT + cache.length();
  batch.cache = &cache;
  const at::Tensor hidden_BTD = model.forward(batch).hidden_BTD;
  return model.head().logits(hidden_BTD.select(1, -1)).to(at::kFloat).contiguous();
}

/// Continues prompts of one length.
void generate_batch(LanguageModel& model,
                    const std::vector<std::vector<int32_t>>& prompts,
                    const GenerateOptions& options,
                    const OnToken& on_token,
                    std::vector<Row>& rows,
                    std::vector<Continuation>& out) {
  const int64_t prompt_length = static_cast<int64_t>(prompts.front().size());
  const int64_t added = model.has_adapter() ? model.adapter()->virtual_tokens() : 0;
  const int64_t room = model.max_seq_len() > 0 ? model.max_seq_len() - prompt_length - added
                                               : options.max_new_tokens;
  const int64_t steps = std::min(options.max_new_tokens, room);
  for (const Row& row : rows)
    out[row.request].finish = steps < options.max_new_tokens ? Finish::Context : Finish::Length;
  KvCache cache(model.num_layers(), added + prompt_length + std::max<int64_t>(steps, 0));
  at::Tensor ids_BT = ids_tensor(prompts);
  for (int64_t step = 0; step < steps; ++step) {
    const at::Tensor logits_BV = next_logits(model, ids_BT, cache);
    const float* scores = logits_BV.const_data_ptr<float>();
    const size_t vocab = static_cast<size_t>(logits_BV.size(1));
    ids_BT = at::zeros({static_cast<int64_t>(rows.size()), 1}, at::kLong);
    bool all_ended = true;
    for (size_t i = 0; i < rows.size(); ++i) {
      Row& row = rows[i];
      if (row.has_ended) continue;
      const int32_t id = pick({scores + i * vocab, vocab}, options.sampling, row.random);
      if (std::find(options.stop_ids.begin(), options.stop_ids.end(), id) !=
          options.stop_ids.end()) {
        row.has_ended = true;
        out[row.request].finish = Finish::Stop;
        continue;
      }
      all_ended = false;
      out[row.request].ids.push_back(id);
      ids_BT.mutable_data_ptr<int64_t>()[i] = id;
      if (on_token) on_token(row.request, id);
    }
    if (all_ended) return;
  }
}

}  // namespace

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::Stop:
      return "stop";
    case Finish::Length:
      return "length";
    case Finish::Context:
      return "context";
  }
  return "";
}

std::vector<Continuation> generate(LanguageModel& model,
                                   const std::vector<std::vector<int32_t>>& prompts,
                                   const GenerateOptions& options,
                                   const OnToken& on_token) {
  check(options.sampling);
  MORTISE_CHECK(options.max_new_tokens >= 0,
                "max_new_tokens must be at least 0, got {}",
                options.max_new_tokens);
  const c10::InferenceMode inference;
  const EvalGuard eval(model);
  std::map<size_t, std::vector<size_t>> by_length;
  for (size_t i = 0; i < prompts.size(); ++i) {
    MORTISE_CHECK(!prompts[i].empty(), "prompt {} has no token to start from", i);
    const int64_t length = static_cast<int64_t>(prompts[i].size());
    if (model.max_seq_len() > 0 && length > model.max_seq_len())
      throw Error(Code::Usage,
                  fmt::format("prompt {} has {} tokens, and the model was made for {}",
                              i,
                              length,
                              model.max_seq_len()),
                  "shorten the prompt");
    by_length[prompts[i].size()].push_back(i);
  }
  std::vector<Continuation> out(prompts.size());
  const size_t max_batch = static_cast<size_t>(std::max<int64_t>(1, options.max_batch));
  for (const auto& [length, requests] : by_length) {
    for (size_t begin = 0; begin < requests.size(); begin += max_batch) {
      std::vector<Row> rows;
      std::vector<std::vector<int32_t>> chosen;
      for (size_t i = begin; i < std::min(requests.size(), begin + max_batch); ++i) {
        rows.push_back(
            {requests[i], Philox(mix_key(options.seed, "generate"), requests[i]), false});
        chosen.push_back(prompts[requests[i]]);
      }
      generate_batch(model, chosen, options, on_token, rows, out);
    }
  }
  return out;
}

}  // namespace mortise::core
