// First values of parameters by seed and path (mortise/torch/fill.hpp draws them).
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/random.hpp"
#include "mortise/torch/fill.hpp"

#include "core/engine/model/language_model.hpp"

namespace mortise::core {

void initialise(
    LanguageModel& model, uint64_t seed, double std, bool scale_residual, Initialise which) {
  const at::NoGradGuard no_grad;
  const double residual_scale =
      scale_residual ? 1 / std::sqrt(2.0 * static_cast<double>(model.num_layers())) : 1;
  std::vector<RandomFill> fills;
  for (NamedTensor& parameter : model.parameters()) {
    if (which == Initialise::Adapter && model.is_base(parameter.name)) continue;
    MORTISE_ASSERT(!parameter.tensor.is_meta(), "{} is on the meta device", parameter.name);
    const Init init = parameter.init;
    if (init.kind == Init::Kind::Ones || init.kind == Init::Kind::Zeros) {
      parameter.tensor.fill_(init.kind == Init::Kind::Ones ? 1 : 0);
      continue;
    }
    const double scale = init.scale > 0 ? init.scale : std * (init.residual ? residual_scale : 1);
    fills.push_back(
        {parameter.tensor, mix_key(seed, parameter.name), scale, init.kind == Init::Kind::Uniform});
  }
  fill_random(fills);
}

}  // namespace mortise::core
