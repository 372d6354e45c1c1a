// Rows → the tensors of one forward pass.
#pragma once

#include <span>

#include "mortise/torch/objective.hpp"

#include "core/engine/data/rows.hpp"
#include "core/engine/model/language_model.hpp"

namespace mortise::core {

struct Batch {
  TokenBatch tokens;
  at::Tensor targets_N;  // int64, row-major as hidden.view(N, D)
  at::Tensor mask_N;     // bool; undefined when all targets count
  at::Tensor samples_N;  // int64 document of each token from 0, −1: padding
  at::Tensor labels_S;   // int64 by document; undefined when the data has none, as the next two
  at::Tensor pairs_S;    // int64
  at::Tensor chosen_S;   // bool
  int64_t num_targets = 0, num_samples = 0;
  int64_t num_inputs = 0;  // tokens that are no padding

  int64_t units(LossUnit unit) const {
    return unit == LossUnit::Target ? num_targets : num_samples / (unit == LossUnit::Pair ? 2 : 1);
  }
};

/// Inputs of a row, without padding.
int64_t row_length(std::span<const Piece> row);

/// What an objective sees of a batch, besides normaliser, scale and references.
/// Shapes: hidden_BTD.   Thread: [train-thread].
ObjectiveInput objective_input(const Batch& batch, const at::Tensor& hidden_BTD, Head& head);

/// Makes tensors of rows, each as long as the longest of them; what is missing is padding (segment
/// 0, masked by position). Thread: [any-thread].
Batch make_batch(const TokenSet& tokens, const RowSet& rows, std::span<const int64_t> indices);

}  // namespace mortise::core
