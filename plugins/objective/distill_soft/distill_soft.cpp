// Divergence from a teacher, chunk by chunk (see README.md for the formula): neither model's logits
// are ever there for all tokens.
#include "distill_soft.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/logits.hpp"
#include "mortise/torch/samples.hpp"

namespace mortise::objective::distill_soft {

namespace {

at::Tensor precise(const at::Tensor& logits) {
  return logits.to(logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

/// T²·KL and cross-entropy of each token.  Shapes: → C2.
at::Tensor both_losses(const at::Tensor& student_CV,
                       const at::Tensor& teacher_CV,
                       const at::Tensor& targets_C,
                       double temperature) {
  if (student_CV.size(1) != teacher_CV.size(1))
    throw Error(Code::Usage,
                fmt::format("the student has a vocabulary of {} tokens and its teacher one of {}",
                            student_CV.size(1),
                            teacher_CV.size(1)),
                "both must use one tokenizer: set tokenizer.from to the teacher's folder");
  const at::Tensor log_s = at::log_softmax(precise(student_CV) / temperature, -1),
                   log_t = at::log_softmax(precise(teacher_CV) / temperature, -1);
  const at::Tensor divergence = (log_t.exp() * (log_t - log_s)).sum(-1);
  const at::Tensor log_p = temperature == 1 ? log_s : at::log_softmax(precise(student_CV), -1);
  return at::stack({divergence * (temperature * temperature),
                    -log_p.gather(1, targets_C.unsqueeze(1)).squeeze(1)},
                   1);
}

}  // namespace

DistillSoft::DistillSoft(Config config) : config_(std::move(config)) {}

ObjectiveOutput DistillSoft::forward(const ObjectiveInput& in) {
  const ReferenceHidden& teacher = find_reference(in, config_.reference);
  const at::Tensor tokens_M = unmasked_tokens(in);
  const at::Tensor targets_M = in.targets_N.index_select(0, tokens_M);
  const at::Tensor teacher_MD = teacher.hidden_ND.detach().index_select(0, tokens_M);
  const double temperature = config_.temperature;
  Head* teacher_head = teacher.head;
  const auto losses = [=](const at::Tensor& logits_CV, int64_t begin) {
    const int64_t count = logits_CV.size(0);
    at::Tensor teacher_CV;
    {
      const at::NoGradGuard no_grad;
      teacher_CV = teacher_head->logits(teacher_MD.narrow(0, begin, count));
    }
    return both_losses(logits_CV, teacher_CV, targets_M.narrow(0, begin, count), temperature);
  };
  const at::Tensor sums_2 =
      map_logits(in.hidden_ND.index_select(0, tokens_M), *in.head, losses, config_.chunk).sum(0);
  const at::Tensor sum =
      config_.alpha * sums_2.select(0, 0) + (1 - config_.alpha) * sums_2.select(0, 1);
  ObjectiveOutput out;
  out.loss = sum * (in.loss_scale / in.normaliser);
  out.loss_sum = sum.detach();
  out.parts = {{"kl", sums_2.select(0, 0).detach()}, {"hard", sums_2.select(0, 1).detach()}};
  return out;
}

void DistillSoft::Config::describe(Schema<Config>& schema) {
  schema
      .field("temperature",
             &Config::temperature,
             "divides both logits: higher values show more of the teacher's second choices")
      .above(0);
  schema.field("alpha", &Config::alpha, "weight of the teacher; the text has the rest").range(0, 1);
  schema.field("reference",
               &Config::reference,
               "NAME of the [reference.NAME] that teaches; empty: the only one");
  schema.field("chunk", &Config::chunk, "tokens whose logits live at once; 0: chosen")
      .unit("tokens")
      .min(0);
}

}  // namespace mortise::objective::distill_soft

MORTISE_PLUGIN("org.mortise.objective.distill_soft",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::objective::distill_soft::DistillSoft>(
                   "distill_soft", "divergence from a teacher's distribution beside the text"));
