// Interface `layer`: one unit of the stack: attention, feed-forward, norms and their wiring.
#pragma once

#include <memory>

#include "mortise/host.hpp"
#include "mortise/schema.hpp"
#include "mortise/torch/block.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise {

struct LayerArgs {
  BuildContext build;
  int64_t width = 0;
  Value norm;  // the model's norm table: used where the layer names none
};

class MORTISE_API Layer : public Module {
 public:
  using Interface = Layer;
  using Args = LayerArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "layer/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_BLOCK_TYPES, MORTISE_TYPE(LayerArgs), MORTISE_MEMBER(LayerArgs, norm)});
  }

  /// Pure with respect to its input: a replay gives the same output.   Thread: [train-thread].
  virtual BlockOutput forward(const BlockInput& in) = 0;
};

/// Makes a norm of a layer: its own choice, or the model's where it has none, which `host` (of any
/// other part) then makes.   Thread: [main-thread].
inline std::shared_ptr<Norm> make_norm(const Use<Norm>& own, const LayerArgs& args, Host* host) {
  const Use<Norm> norm = own.empty() ? Use<Norm>(args.norm, host) : own;
  return norm.make({args.build, args.width});
}

}  // namespace mortise
