// Muon (Jordan et al., kellerjordan.github.io/posts/muon; Liu et al., arXiv:2502.16982) as
// torch.optim.Muon computes it: momentum, then five steps of a quintic Newton–Schulz iteration that
// bring all singular values near 1.
//
//   m ← m + (1−μ)(g − m),   u = g + μ(m − g) if nesterov, else m
//   X = u / max(‖u‖, eps), then ns_steps times:  A = XXᵀ,  X ← aX + (bA + cA²)X
//   w ← (1 − lr·λ)·w − lr·r·X,   r = √max(1, rows/columns)  or  0.2·√max(rows, columns)
//
// Parameters that are no matrices, and matrices that stand for tokens, go to a second optimizer;
// its slots are copies whose gradient and rate are handed on before each step.
#include "muon.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "mortise/names.hpp"
#include "mortise/plugin.hpp"

namespace mortise::optimizer::muon {

namespace {

// Puts the second optimizer's names behind "other.", so that they cannot meet ours.
class Nested final : public StateIo {
 public:
  explicit Nested(StateIo& outer) : outer_(outer) {}

  bool loading() const override { return outer_.loading(); }

  void value(std::string_view name, Value& value) override {
    outer_.value(fmt::format("other.{}", name), value);
  }

  void tensor(std::string_view name, at::Tensor& tensor) override {
    outer_.tensor(fmt::format("other.{}", name), tensor);
  }

 private:
  StateIo& outer_;
};

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return matches(pattern, name);
  });
}

}  // namespace

Muon::Muon(Config config, const Slots& slots) : config_(std::move(config)), slots_(slots) {
  MORTISE_CHECK(config_.ns_coefficients.size() == 3,
                "muon: ns_coefficients are three numbers, got {}",
                config_.ns_coefficients.size());
  std::vector<Slot> handed_on;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.param.dim() == 2 && !matches_any(config_.not_matrices, slot.name)) {
      matrices_.push_back(i);
      m_.push_back(at::zeros(slot.param.sizes(),
                             slot.param.options().dtype(at::kFloat).requires_grad(false)));
    } else {
      others_.push_back(i);
      handed_on.push_back(slot);
      handed_on.back().grad = at::Tensor();
    }
  }
  other_slots_ = Slots(std::move(handed_on));
  if (!others_.empty()) other_ = config_.other.make(other_slots_);
}

at::Tensor Muon::orthogonal(const at::Tensor& update) const {
  const double a = config_.ns_coefficients[0], b = config_.ns_coefficients[1],
               c = config_.ns_coefficients[2];
  const bool is_tall = update.size(0) > update.size(1);
  at::Tensor x = update.to(config_.ns_dtype == "bf16" ? at::kBFloat16 : at::kFloat);
  if (is_tall) x = x.t();
  x = x.div(at::linalg_vector_norm(x, 2).clamp_min(config_.eps));
  for (int64_t k = 0; k < config_.ns_steps; ++k) {
    const at::Tensor gram = x.matmul(x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, b, c), x, a);
  }
  return is_tall ? x.t() : x;
}

void Muon::step_matrix(const Slot& slot, at::Tensor& momentum) const {
  const at::Tensor grad = slot.grad.to(at::kFloat);
  momentum.lerp_(grad, 1 - config_.momentum);
  const at::Tensor update =
      orthogonal(config_.nesterov ? grad.lerp(momentum, config_.momentum) : momentum);
  const auto rows = static_cast<double>(slot.param.size(0));
  const auto columns = static_cast<double>(slot.param.size(1));
  const double ratio = config_.adjust_lr == "original" ? std::sqrt(std::max(1.0, rows / columns))
                                                       : 0.2 * std::sqrt(std::max(rows, columns));
  at::Tensor weight = slot.param.to(at::kFloat);  // the parameter itself when it is fp32
  weight.mul_(1 - slot.lr * slot.weight_decay).sub_(update, slot.lr * ratio);
  if (!weight.is_same(slot.param)) slot.param.copy_(weight);
}

void Muon::step(const StepContext& context) {
  for (size_t k = 0; k < matrices_.size(); ++k) {
    const Slot& slot = slots_[matrices_[k]];
    if (slot.grad.defined()) step_matrix(slot, m_[k]);
  }
  if (other_ == nullptr) return;
  for (size_t k = 0; k < others_.size(); ++k) {
    const Slot& from = slots_[others_[k]];
    Slot& to = other_slots_[k];
    to.grad = from.grad;
    to.lr = from.lr * config_.other_lr;
    to.weight_decay = from.weight_decay;
  }
  other_->step(context);
  for (Slot& slot : other_slots_) slot.grad.reset();
}

void Muon::state(StateIo& io) {
  io.tensors("m", m_);
  if (other_ == nullptr) return;
  Nested nested(io);
  other_->state(nested);
}

void Muon::Config::describe(Schema<Config>& schema) {
  schema.field("momentum", &Config::momentum, "decay of the momentum").range(0, 1);
  schema.field("nesterov", &Config::nesterov, "look one step ahead along the momentum");
  schema.field("ns_steps", &Config::ns_steps, "steps of the Newton–Schulz iteration").range(1, 99);
  schema.field("ns_coefficients", &Config::ns_coefficients, "a, b, c of its polynomial");
  schema.field("eps", &Config::eps, "least norm that a momentum is divided by").above(0);
  schema.field("ns_dtype", &Config::ns_dtype, "what the iteration computes in")
      .one_of({"bf16", "fp32"});
  schema
      .field("adjust_lr",
             &Config::adjust_lr,
             "by the matrix's shape; match_rms_adamw lets lr and weight_decay of adamw stay")
      .one_of({"original", "match_rms_adamw"});
  schema.field("not_matrices",
               &Config::not_matrices,
               "patterns on parameter names (embeddings, heads) that go to `other`; * is any run");
  schema.field("other", &Config::other, "the optimizer of what is no matrix");
  schema.field("other_lr", &Config::other_lr, "factor on lr for `other`").min(0);
  schema.provides("in_backward");
}

}  // namespace mortise::optimizer::muon

MORTISE_PLUGIN("org.mortise.optimizer.muon",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::optimizer::muon::Muon>(
                   "muon", "orthogonal momentum for matrices, a second optimizer for the rest"));
