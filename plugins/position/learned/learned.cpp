// x + P[position].  Source: Radford et al., "Language Models are Unsupervised Multitask Learners"
// (GPT-2), §2.3, after Gehring et al., arXiv:1705.03122, §3.1.
#include "learned.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::position::learned {

Learned::Learned(Config config, const PositionArgs& args) {
  MORTISE_CHECK(args.width > 0,
                "learned positions are added to embeddings: give them to the embedding "
                "(embedding = {{ type = \"token\", position = {{ type = \"learned\", … }} }}), and "
                "position = {{ type = \"none\" }} to the attention");
  weight_PD_ =
      add_parameter("weight", {config.max_positions, args.width}, args.build, Init::normal());
}

at::Tensor Learned::embed(const at::Tensor& x_BTD, const at::Tensor& positions_BT) {
  if (positions_BT.numel() > 0 && positions_BT.device().is_cpu()) {
    const int64_t largest = positions_BT.max().item<int64_t>();
    MORTISE_CHECK(largest < weight_PD_.size(0),
                  "the sequence reaches {} tokens, and there are {} learned positions "
                  "(max_positions); shorten it, or make the table longer before training",
                  largest + 1,
                  weight_PD_.size(0));
  }
  return in_dtype_of(weight_PD_, x_BTD, [&](const at::Tensor& own_BTD) {
    return own_BTD + at::embedding(weight_PD_, positions_BT);
  });
}

void Learned::Config::describe(Schema<Config>& schema) {
  schema.field("max_positions", &Config::max_positions, "length of the table")
      .required()
      .min(1)
      .unit("tokens");
}

}  // namespace mortise::position::learned

MORTISE_PLUGIN("org.mortise.position.learned",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::position::learned::Learned>(
                   "learned", "adds one learned vector a position to the embeddings"));
