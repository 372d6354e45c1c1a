// What objectives over whole samples and pairs share: one vector or one sum a sample, and who is
// whose pair.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "mortise/metric.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise {

enum class Pooling { Last, Mean };

/// One vector of each sample: its last token's, or the mean of its tokens.  Padding never counts.
/// Shapes: hidden_ND → SD, S = the number of labels or pairs.  Throws: Error when the data has
/// neither.   Thread: [train-thread], as all here.
MORTISE_API at::Tensor pool_samples(const ObjectiveInput& in, Pooling pooling);

/// Sums the values of the unmasked tokens by sample.  `tokens_M` are their places (see
/// unmasked_tokens).  Shapes: values_M → S.
MORTISE_API at::Tensor sum_samples(const ObjectiveInput& in,
                                   const at::Tensor& tokens_M,
                                   const at::Tensor& values_M);

/// Places of the tokens that count, int64, ascending.
MORTISE_API at::Tensor unmasked_tokens(const ObjectiveInput& in);

/// The samples of each pair: first[p] is preferred to second[p].  Throws: Error when the data has
/// no pairs, or a pair is not whole.
MORTISE_API std::pair<at::Tensor, at::Tensor> pair_samples(const ObjectiveInput& in);

/// Hands each held-out sample to `use`: its class's scores and label, or of each pair the scores of
/// the preferred one and the other, with label 0.  Throws: Error when the objective has no
/// SampleScores, and what that throws.
MORTISE_API void judge_samples(Objective& objective,
                               const ObjectiveInput& in,
                               const std::function<void(const Sample&)>& use);

/// The reference of that name; with an empty name the only one.  Throws: Error listing those there
/// are, with the table to add.
MORTISE_API const ReferenceHidden& find_reference(const ObjectiveInput& in, std::string_view name);

}  // namespace mortise
