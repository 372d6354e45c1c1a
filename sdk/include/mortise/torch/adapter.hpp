// Interface `adapter`: what is trained instead of, or beside, the base model.
//
// An adapter attaches in its constructor: it freezes what it wants frozen (requires_grad), wraps
// projections (LinearOp, GroupedLinearOp) or keeps parameters of its own, which the model takes in
// under "adapter".  Prefixes and virtual tokens enter through the hooks below, because everything a
// unit reads stands in BlockInput: so adapters compose with recompute, packing and routing.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

struct AdapterArgs {
  BuildContext build;
  Module* model = nullptr;  // built, also on the meta device; weights may not be there yet
  int64_t width = 0;
  int64_t num_layers = 0;
  Value file;  // adapter_config.json of the folder that it continues from; null: none
  /// The model is a stand-in with one layer of each kind (`plan`): patterns may match nothing in it.
  bool is_sample = false;
};

/// One tensor of the adapter's file.
struct AdapterTensor {
  std::string name;   // as PEFT writes it: "base_model.model.….q_proj.lora_A.weight"
  at::Tensor tensor;  // a handle; loading copies into it
  bool is_computed = false;  // made from other tensors, so it is written and never loaded
};

class MORTISE_API Adapter : public Module {
 public:
  using Interface = Adapter;
  using Args = AdapterArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "adapter/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_BLOCK_TYPES,
                               MORTISE_TYPE(AdapterArgs),
                               MORTISE_MEMBER(AdapterArgs, is_sample),
                               MORTISE_TYPE(AdapterTensor),
                               MORTISE_MEMBER(AdapterTensor, is_computed)});
  }

  /// Called before the first unit; may prepend virtual tokens (then it moves positions and borders,
  /// too) or change the embeddings (ids_BT as they were read).   Thread: [train-thread], as the
  /// next two.
  virtual void before_stack(BlockInput& /*in*/, const at::Tensor& /*ids_BT*/) {}

  /// Called before each unit; may set prefix_k_BGPK and prefix_v_BGPK.
  virtual void before_layer(int64_t /*layer*/, BlockInput& /*in*/) {}

  /// Called after the last unit; takes virtual tokens away again.  Shapes: x_BTD.
  virtual at::Tensor after_stack(const at::Tensor& x_BTD) { return x_BTD; }

  /// Virtual tokens that stand before every row (prompt) or every document (prefix).
  virtual int64_t virtual_tokens() const { return 0; }

  /// Starts from a prompt: the text (the recipe's; empty: none) that the engine runs once, cut or
  /// repeated to virtual_tokens(), and the keys and values that it left in each layer.  Shapes:
  /// k_1GPK, v_1GPK; x_PD embeddings.
  virtual std::string initial_prompt() const { return {}; }

  virtual void from_prompt(const std::vector<std::pair<at::Tensor, at::Tensor>>& /*kv*/,
                           const at::Tensor& /*x_PD*/) {}

  /// Called once after the base weights were loaded (DoRA reads their norms).
  virtual void weights_loaded() {}

  /// Folds itself into the base weights (fp32, one rounding); afterwards it does nothing.
  /// Throws: Error when it cannot be folded.   Thread: [main-thread], as all below.
  virtual void merge() = 0;
  virtual bool can_merge() const = 0;

  /// The tensors of adapter_model.safetensors; none: its work is in the base weights.
  virtual std::vector<AdapterTensor> file_tensors() = 0;
  /// adapter_config.json in PEFT's keys; `base` names the base model.
  virtual Value file_config(const std::string& base) const = 0;
};

/// True when a parameter or module path is meant by a target pattern: the last part equals it
/// ("q_proj"), or the whole path matches it with `*` for any run of characters.
MORTISE_API bool is_target(const std::string& pattern, const std::string& path);

/// Checks that every pattern means at least one path.  Throws: Error listing the nearest names.
MORTISE_API void check_targets(const std::vector<std::string>& patterns,
                               const std::vector<std::string>& paths);

}  // namespace mortise
