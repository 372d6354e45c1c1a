// logits = h · Wᵀ, without bias.  Tied: W is the embedding's table, and its gradient sums both
// uses. Source of the tie: Press & Wolf, "Using the Output Embedding to Improve Language Models",
// arXiv:1608.05859.
#include "lm.hpp"

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::head::lm {

Lm::Lm(Config config, const HeadArgs& args) {
  if (!config.tied) {
    weight_VD_ = add_parameter("weight", {args.vocab, args.width}, args.build, Init::normal());
    return;
  }
  MORTISE_CHECK(args.embedding_VD.defined() && args.embedding_VD.size(0) == args.vocab &&
                    args.embedding_VD.size(1) == args.width,
                "a tied head needs an embedding of {} × {}",
                args.vocab,
                args.width);
  weight_VD_ = args.embedding_VD;
  add_tied("weight", weight_VD_, args.embedding_path);
}

at::Tensor Lm::logits(const at::Tensor& hidden_ND) {
  return ops::linear(hidden_ND, weight_VD_, at::Tensor());
}

std::optional<Head::Dense> Lm::dense() const { return Dense{weight_VD_, at::Tensor()}; }

void Lm::Config::describe(Schema<Config>& schema) {
  schema.field("tied", &Config::tied, "use the embedding's table");
}

}  // namespace mortise::head::lm

MORTISE_PLUGIN("org.mortise.head.lm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::head::lm::Lm>("lm", "one score a token, by one matrix"));
