// z = h · Wᵀ + b with one row of W a label: the vocabulary of the model does not matter here.
#include "classify.hpp"

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::head::classify {

Classify::Classify(Config config, const HeadArgs& args)
    : weight_LD_(add_parameter("weight", {config.labels, args.width}, args.build, Init::normal())) {
  if (config.bias) bias_L_ = add_parameter("bias", {config.labels}, args.build, Init::zeros());
}

at::Tensor Classify::logits(const at::Tensor& hidden_ND) {
  return ops::linear(hidden_ND, weight_LD_, bias_L_);
}

std::optional<Head::Dense> Classify::dense() const { return Dense{weight_LD_, bias_L_}; }

void Classify::Config::describe(Schema<Config>& schema) {
  schema.field("labels", &Config::labels, "number of scores; 1: a reward").required().min(1);
  schema.field("bias", &Config::bias, "add one number a label");
}

}  // namespace mortise::head::classify

MORTISE_PLUGIN("org.mortise.head.classify",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::head::classify::Classify>(
                   "classify", "a few scores for each vector: classes, or a reward"));
