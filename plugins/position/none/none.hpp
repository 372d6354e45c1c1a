// No position: queries, keys and embeddings stay as they are.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/position.hpp"

namespace mortise::position::none {

class None final : public Position {};

}  // namespace mortise::position::none
