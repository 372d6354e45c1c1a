// x = W[id]: a table of V learned vectors, not scaled (LLaMA).
#include "token.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::embedding::token {

Token::Token(const EmbeddingArgs& args)
    : weight_VD_(add_parameter("weight", {args.vocab, args.width}, args.build, Init::normal())) {}

at::Tensor Token::forward(const at::Tensor& ids_BT, const at::Tensor&) {
  return at::embedding(weight_VD_, ids_BT);
}

}  // namespace mortise::embedding::token

MORTISE_PLUGIN("org.mortise.embedding.token",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::embedding::token::Token>("token",
                                                                    "one learned vector a token"));
