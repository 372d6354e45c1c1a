// Pooling by scatter, pairing by one stable sort.
#include "mortise/torch/samples.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

int64_t num_samples(const ObjectiveInput& in) {
  const at::Tensor& by_sample = in.labels_S.defined() ? in.labels_S : in.pairs_S;
  if (!by_sample.defined() || !in.samples_N.defined())
    throw Error(
        Code::Data,
        "this objective is about whole samples, and the data has neither labels nor pairs",
        "give every record a number `label` (a `map_labels` step maps words), or `chosen` and "
        "`rejected`");
  return by_sample.size(0);
}

at::Tensor tokens_of_samples(const ObjectiveInput& in) {
  return (in.samples_N >= 0).nonzero().squeeze(1);
}

}  // namespace

at::Tensor pool_samples(const ObjectiveInput& in, Pooling pooling) {
  const int64_t count = num_samples(in);
  const at::Tensor tokens_M = tokens_of_samples(in);
  const at::Tensor samples_M = in.samples_N.index_select(0, tokens_M);
  if (pooling == Pooling::Last) {
    const at::Tensor last_S =
        at::zeros({count}, tokens_M.options()).scatter_reduce(0, samples_M, tokens_M, "amax");
    return in.hidden_ND.index_select(0, last_S);
  }
  const at::Tensor lengths_S = at::bincount(samples_M, {}, count).clamp_min(1);
  const at::Tensor sums_SD = at::zeros({count, in.hidden_ND.size(1)}, in.hidden_ND.options())
                                 .index_add(0, samples_M, in.hidden_ND.index_select(0, tokens_M));
  return sums_SD / lengths_S.unsqueeze(1).to(sums_SD.scalar_type());
}

at::Tensor unmasked_tokens(const ObjectiveInput& in) {
  if (in.mask_N.defined()) return in.mask_N.nonzero().squeeze(1);
  return at::arange(in.targets_N.size(0), in.targets_N.options());
}

at::Tensor sum_samples(const ObjectiveInput& in,
                       const at::Tensor& tokens_M,
                       const at::Tensor& values_M) {
  return at::zeros({num_samples(in)}, values_M.options())
      .index_add(0, in.samples_N.index_select(0, tokens_M), values_M);
}

std::pair<at::Tensor, at::Tensor> pair_samples(const ObjectiveInput& in) {
  if (!in.pairs_S.defined() || !in.chosen_S.defined())
    throw Error(
        Code::Data,
        "this objective compares two answers, and the data has no pairs",
        "give every record `prompt`, `chosen` and `rejected`; a `make_pairs` step makes them");
  // Sorted by pair, and within a pair the chosen one first.
  const at::Tensor key_S = in.pairs_S * 2 + in.chosen_S.logical_not().to(at::kLong);
  const at::Tensor order_S = at::argsort(key_S, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const int64_t size = order_S.size(0);
  bool whole = size % 2 == 0 && size > 0;
  if (whole) {
    const at::Tensor keys_P2 = key_S.index_select(0, order_S).view({-1, 2});
    const at::Tensor first_P = keys_P2.select(1, 0);
    whole = at::equal(keys_P2.select(1, 1), first_P + 1) && first_P.min().item<int64_t>() >= 0 &&
            first_P.remainder(2).max().item<int64_t>() == 0;
  }
  if (!whole)
    throw Error(Code::Data,
                "this objective compares two answers, and a document here has no partner",
                "every record needs both `chosen` and `rejected`");
  const at::Tensor order_P2 = order_S.view({-1, 2});
  return {order_P2.select(1, 0), order_P2.select(1, 1)};
}

void judge_samples(Objective& objective,
                   const ObjectiveInput& in,
                   const std::function<void(const Sample&)>& use) {
  auto* judge = query<ext::SampleScores>(objective);
  MORTISE_CHECK(judge != nullptr, "this objective scores no samples");
  at::Tensor scores_SL = judge->sample_scores(in), labels_S = in.labels_S;
  if (objective.unit() == LossUnit::Pair) {
    const auto [chosen_P, rejected_P] = pair_samples(in);
    scores_SL =
        at::cat({scores_SL.index_select(0, chosen_P), scores_SL.index_select(0, rejected_P)}, 1);
    labels_S = at::zeros_like(chosen_P);
  }
  scores_SL = scores_SL.to(at::kDouble).contiguous();
  const auto width = static_cast<size_t>(scores_SL.size(1));
  for (int64_t s = 0; s < scores_SL.size(0); ++s) {
    Sample sample;
    sample.scores = {scores_SL.select(0, s).data_ptr<double>(), width};
    sample.label = labels_S.data_ptr<int64_t>()[s];
    use(sample);
  }
}

const ReferenceHidden& find_reference(const ObjectiveInput& in, std::string_view name) {
  std::string known;
  for (const ReferenceHidden& reference : in.references) {
    if (reference.name == name || (name.empty() && in.references.size() == 1)) return reference;
    known += (known.empty() ? "" : ", ") + reference.name;
  }
  throw Error(
      Code::Usage,
      fmt::format("the objective needs {}; there are: {}",
                  name.empty() ? "one [reference.NAME]" : fmt::format("[reference.{}]", name),
                  known.empty() ? "none" : known),
      "reference.base = {} is a frozen copy of the weights that training starts from; "
      "reference.teacher.from = \"FOLDER\" another model");
}

}  // namespace mortise
