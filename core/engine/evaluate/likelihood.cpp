// Scoring packed rows and adding the tokens up by document.
#include "core/engine/evaluate/likelihood.hpp"

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "mortise/torch/logits.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::core {

namespace {

Likelihoods empty_for(const TokenSet& tokens) {
  const auto count = static_cast<size_t>(tokens.num_documents());
  return {std::vector<double>(count), std::vector<int64_t>(count)};
}

}  // namespace

RowSet likelihood_rows(TokenSet& tokens, BatchTable batch) {
  tokens.labels.clear();
  tokens.pairs.clear();
  batch.shuffle = false;
  if (batch.overlong == "error") batch.overlong = "split";
  batch.document_mask = true;
  batch.curriculum = {};
  return {tokens, batch, 0};
}

Likelihoods model_likelihoods(LanguageModel& model,
                              const TokenSet& tokens,
                              const RowSet& rows,
                              int64_t micro,
                              const std::function<void(int64_t)>& tell) {
  at::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.train(false);
  Likelihoods out = empty_for(tokens);
  for (int64_t begin = 0; begin < rows.num_rows(); begin += micro) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(micro, rows.num_rows() - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    const Batch batch = make_batch(tokens, rows, indices);
    const at::Tensor hidden_ND = model.forward(batch.tokens).hidden_BTD.flatten(0, 1);
    const auto dense = model.head().dense();
    const at::Tensor log_probs =
        (dense ? ops::chunked_log_prob(hidden_ND, dense->weight_VD, dense->bias_V, batch.targets_N)
               : target_log_probs(hidden_ND, model.head(), batch.targets_N))
            .contiguous();
    const int64_t width = batch.tokens.ids_BT.size(1);
    for (size_t r = 0; r < indices.size(); ++r) {
      const float* row = log_probs.data_ptr<float>() + static_cast<int64_t>(r) * width;
      for (const Piece& piece : rows.row(indices[r])) {
        const auto document = static_cast<size_t>(piece.document);
        for (int64_t i = 0; i < piece.length; ++i)
          if (is_target(tokens, piece, i)) out.sums[document] += row[i];
        out.num_tokens[document] += piece.targets;
        row += piece.length;
      }
    }
    if (tell) tell(indices.back() + 1);
  }
  model.train(was_training);
  return out;
}

Unigram::Unigram(const TokenSet& train, int64_t vocab) {
  std::vector<int64_t> counts(static_cast<size_t>(vocab), 1);
  for (const int32_t id : train.ids) ++counts.at(static_cast<size_t>(id));
  const double total = static_cast<double>(train.num_tokens() + vocab);
  for (const int64_t count : counts)
    log_probability_.push_back(std::log(static_cast<double>(count) / total));
}

Likelihoods Unigram::likelihoods(const TokenSet& tokens, const RowSet& rows) const {
  Likelihoods out = empty_for(tokens);
  for (int64_t index = 0; index < rows.num_rows(); ++index)
    for (const Piece& piece : rows.row(index)) {
      const auto document = static_cast<size_t>(piece.document);
      for (int64_t i = 0; i < piece.length; ++i)
        if (is_target(tokens, piece, i))
          out.sums[document] += log_probability_.at(
              static_cast<size_t>(tokens.ids[static_cast<size_t>(piece.begin + i + 1)]));
      out.num_tokens[document] += piece.targets;
    }
  return out;
}

}  // namespace mortise::core
