// Contract of `objective`: masked targets do not count, normaliser and scale are honoured, sums add
// up, gradients flow.  The batch has labels, pairs and a reference for those that want them.
#include "mortise/torch/objective.hpp"

#include <cmath>

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

// The simplest head: one dense weight.
class PlainHead final : public Head {
 public:
  explicit PlainHead(uint64_t seed)
      : weight_VD_(randn({kVocab, kWidth}, seed).requires_grad_(true)) {}

  void keep_one_score() { weight_VD_ = weight_VD_.detach().narrow(0, 0, 1).requires_grad_(true); }

  at::Tensor logits(const at::Tensor& hidden_ND) override {
    return at::matmul(hidden_ND, weight_VD_.t());
  }

  std::optional<Dense> dense() const override { return Dense{weight_VD_, at::Tensor()}; }

 private:
  at::Tensor weight_VD_;
};

constexpr int64_t kTokens = 12, kEach = 3;  // of all samples and of one

// Four samples, which are two pairs.
struct Case {
  PlainHead head, reference;
  at::Tensor hidden_ND, reference_ND, targets_N, mask_N;

  explicit Case(uint64_t seed)
      : head(seed),
        reference(seed + 2),
        hidden_ND(randn({kTokens, kWidth}, seed + 1) * 0.3),
        reference_ND(randn({kTokens, kWidth}, seed + 3) * 0.3) {
    targets_N = at::arange(kTokens) * 7 % kVocab;
    mask_N = at::arange(kTokens).remainder(kEach) != 0;
  }

  ObjectiveInput input(int64_t begin = 0, int64_t count = kTokens) {
    const at::Tensor samples_S = at::arange(begin / kEach, (begin + count) / kEach);
    ObjectiveInput in;
    in.hidden_ND = hidden_ND.narrow(0, begin, count);
    in.head = &head;
    in.targets_N = targets_N.narrow(0, begin, count).contiguous();
    in.mask_N = mask_N.narrow(0, begin, count).contiguous();
    in.samples_N = at::arange(count).div(kEach, "floor");
    in.labels_S = samples_S.remainder(2);
    in.pairs_S = samples_S.div(2, "floor");
    in.chosen_S = samples_S.remainder(2) == 0;
    in.references.push_back({"reference", reference_ND.narrow(0, begin, count), &reference});
    return in;
  }
};

std::unique_ptr<Objective> ready(Factory& f) { return make<Objective>(f); }

double sum_of(Objective& objective, const ObjectiveInput& in) {
  return objective.forward(in).loss_sum.item<double>();
}

// Rewards are made of one score, everything else of one a token or class.
void prepare(Objective& objective, Case& c) {
  try {
    objective.forward(c.input());
    return;
  } catch (const Error&) {
    c.head.keep_one_score();
  }
  try {
    objective.forward(c.input());
  } catch (const Error& error) {
    skip("it needs more than labels, pairs and a reference: " + error.message());
  }
}

void mask_counts(Factory& f) {
  const auto objective = ready(f);
  Case c(f.seed());
  prepare(*objective, c);
  const double before = sum_of(*objective, c.input());
  ObjectiveInput in = c.input();
  in.targets_N = at::where(in.mask_N, in.targets_N, at::full_like(in.targets_N, 3));
  MORTISE_EXPECT(std::fabs(sum_of(*objective, in) - before) <= 1e-5 * (1 + std::fabs(before)),
                 "a masked target changes the loss");
  if (objective->unit() != LossUnit::Target) return;  // a sample counts whatever is masked in it
  in.mask_N = at::zeros({kTokens}, at::kBool);
  const double none = sum_of(*objective, in);
  MORTISE_EXPECT(none == 0, "with everything masked the loss sum is {}", none);
}

void normalised(Factory& f) {
  const auto objective = ready(f);
  Case c(f.seed());
  prepare(*objective, c);
  ObjectiveInput in = c.input();
  const double plain = objective->forward(in).loss.item<double>();
  in.normaliser = 4;
  in.loss_scale = 8;
  const ObjectiveOutput out = objective->forward(in);
  MORTISE_EXPECT(std::fabs(out.loss.item<double>() - 2 * plain) <= 1e-5 * (1 + std::fabs(plain)),
                 "loss is {} with normaliser 4 and scale 8, {} without",
                 out.loss.item<double>(),
                 plain);
  MORTISE_EXPECT(!out.loss_sum.requires_grad(), "loss_sum is not detached");
}

void adds_up(Factory& f) {
  const auto objective = ready(f);
  Case c(f.seed());
  prepare(*objective, c);
  const double whole = sum_of(*objective, c.input()),
               parts = sum_of(*objective, c.input(0, 6)) + sum_of(*objective, c.input(6, 6));
  MORTISE_EXPECT(std::fabs(whole - parts) <= 1e-4 * (1 + std::fabs(whole)),
                 "the loss sum is {} at once and {} in two parts",
                 whole,
                 parts);
}

void gradients_flow(Factory& f) {
  const auto objective = ready(f);
  Case c(f.seed());
  prepare(*objective, c);
  c.hidden_ND = c.hidden_ND.detach().requires_grad_(true);
  objective->forward(c.input()).loss.backward();
  MORTISE_EXPECT(c.hidden_ND.grad().defined(), "no gradient reaches the hidden states");
  expect_finite(c.hidden_ND.grad(), "the gradient");
  const at::Tensor masked = c.hidden_ND.grad().index({c.mask_N.logical_not()});
  MORTISE_EXPECT(masked.abs().max().item<double>() == 0, "a gradient reaches a masked token");
}

void extremes(Factory& f) {
  const auto objective = ready(f);
  Case c(f.seed());
  prepare(*objective, c);
  c.hidden_ND = c.hidden_ND * 1000;
  expect_finite(objective->forward(c.input()).loss, "the loss of huge hidden states");
}

}  // namespace

Suite objective_suite() {
  return {"objective",
          args<Objective>,
          {{"masked targets do not count", mask_counts},
           {"honours normaliser and loss scale", normalised},
           {"its sums add up", adds_up},
           {"gradients flow to unmasked tokens only", gradients_flow},
           {"is finite for huge hidden states", extremes}}};
}

}  // namespace mortise::conform
