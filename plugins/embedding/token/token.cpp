// x = W[id]: a table of V learned vectors, not scaled (LLaMA); with a position x = W[id] + P[t]
// (GPT-2).
#include "token.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::embedding::token {

Token::Token(const Config& config, const EmbeddingArgs& args)
    : weight_VD_(add_parameter("weight", {args.vocab, args.width}, args.build, Init::normal())) {
  if (config.position.empty()) return;
  PositionArgs position;
  position.build = args.build;
  position.width = args.width;
  position_ = add_child("position", std::shared_ptr<Position>(config.position.make(position)));
}

at::Tensor Token::forward(const at::Tensor& ids_BT, const at::Tensor& positions_BT) {
  const at::Tensor x_BTD = at::embedding(weight_VD_, ids_BT);
  return position_ == nullptr ? x_BTD : position_->embed(x_BTD, positions_BT);
}

void Token::Config::describe(Schema<Config>& schema) {
  schema.field("position", &Config::position, "added to the vectors; absent: nothing");
}

}  // namespace mortise::embedding::token

MORTISE_PLUGIN("org.mortise.embedding.token",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::embedding::token::Token>("token",
                                                                    "one learned vector a token"));
