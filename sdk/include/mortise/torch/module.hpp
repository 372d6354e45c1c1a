// A light tree of named parameters, buffers and children over at::Tensor (no torch::nn, so that
// plugins compile fast and the layout is ours; nn_bridge.hpp wraps any torch::nn::Module).
//
// Paths are the Hugging Face names: "model.layers.0.self_attn.q_proj.weight".  A tensor handle is
// never replaced: moves and loads change what it points to, so every copy of the handle (also a
// tied one) sees the change.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/component.hpp"
#include "mortise/layout.hpp"

namespace mortise {

/// How core fills a new parameter.  The numbers are drawn from a stream named by seed and path, so
/// they do not depend on the order of construction.
struct Init {
  enum class Kind { Normal, Zeros, Ones, Uniform } kind = Kind::Normal;
  bool residual =
      false;         // writes into the residual stream: may be scaled down by the number of layers
  double scale = 0;  // Normal: its own standard deviation, 0: the recipe's; Uniform: ± this

  static Init normal(bool into_residual = false) { return {Kind::Normal, into_residual, 0}; }

  static Init normal_with(double std) { return {Kind::Normal, false, std}; }

  /// PyTorch's default for a linear layer of that many inputs: bound = 1 / √inputs.
  static Init uniform(double bound) { return {Kind::Uniform, false, bound}; }

  static Init zeros() { return {Kind::Zeros, false, 0}; }

  static Init ones() { return {Kind::Ones, false, 0}; }
};

/// What every block is told when it is built.  On the meta device nothing is allocated: that is how
/// `plan` counts.
struct BuildContext {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  int64_t layer_index = 0;
  int64_t num_layers = 1;
  int64_t max_seq_len = 0;  // longest sequence that the job will run; tables may be sized by it
  /// Parts without parameters that equal blocks may share (a rope table): key → part.  Null:
  /// nothing is shared.
  std::map<std::string, std::shared_ptr<Component>>* shared = nullptr;
};

/// One tensor of a module tree.
struct NamedTensor {
  std::string name;   // full path
  at::Tensor tensor;  // the handle itself
  Init init;
  bool is_buffer = false;  // no gradient; saved unless !persistent
  bool persistent = true;
};

/// Thread: construction and changes [main-thread]; forward of blocks [train-thread].
class MORTISE_API Module : public Component {
 public:
  ~Module() override;

  /// All parameters / parameters and persistent buffers, depth first, in order of registration.  A
  /// tied tensor appears once, under the path that owns it.
  std::vector<NamedTensor> parameters() const;
  std::vector<NamedTensor> tensors() const;
  /// Alias path → owning path of tied tensors ("lm_head.weight" → "model.embed_tokens.weight").
  std::vector<std::pair<std::string, std::string>> ties() const;
  /// Visits this module and all below it with their paths.
  void visit(const std::function<void(const std::string& path, Module& module)>& visitor);

  /// Switches dropout and the like; the whole tree follows.
  void train(bool on);

  bool is_training() const { return training_; }

  /// Moves all floating-point tensors to a dtype and everything to a device, keeping handles.
  void to(at::ScalarType dtype, at::Device device);

 protected:
  /// Registers an uninitialised parameter; returns its handle.  Throws: Error on a duplicate name.
  at::Tensor add_parameter(std::string name,
                           at::IntArrayRef shape,
                           const BuildContext& build,
                           Init init);
  /// Registers a parameter that exists already (nn_bridge.hpp); its values are left as they are
  /// until core initialises them.
  void adopt_parameter(std::string name, at::Tensor tensor, Init init);
  /// Registers a tensor that another module owns under `owner_path`.
  void add_tied(std::string name, at::Tensor tensor, std::string owner_path);
  void add_buffer(std::string name, at::Tensor tensor, bool persistent);

  /// Registers a child and returns it.  Owns: shared with the caller.
  template <class Child>
  std::shared_ptr<Child> add_child(std::string name, std::shared_ptr<Child> child) {
    register_child(std::move(name), child);
    return child;
  }

 private:
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };

  struct Tie {
    std::string name, owner_path;
    at::Tensor tensor;
  };

  void register_child(std::string name, std::shared_ptr<Module> child);
  void check_free(const std::string& name) const;
  void walk(const std::string& prefix,
            const std::function<void(const std::string&, const Module&)>& visitor) const;

  std::vector<NamedTensor> tensors_;
  std::vector<Tie> ties_;
  std::vector<Child> children_;
  bool training_ = true;
};

/// Returns the part of `build.shared` under `key`, made by `make` when absent.  Only for parts
/// without parameters.
template <class Part, class Make>
std::shared_ptr<Part> share_part(const BuildContext& build, const std::string& key, Make make) {
  if (build.shared == nullptr) return std::shared_ptr<Part>(make());
  auto& slot = (*build.shared)[key];
  if (slot == nullptr) slot = std::shared_ptr<Part>(make());
  return std::static_pointer_cast<Part>(slot);
}

/// What all tensor-tier interfaces pass; part of their layout fingerprints.
#define MORTISE_TENSOR_TYPES                                                     \
  MORTISE_COMMON_TYPES, MORTISE_TYPE(at::Tensor), MORTISE_TYPE(c10::TensorImpl), \
      MORTISE_TYPE(c10::TensorOptions), MORTISE_TYPE(::mortise::BuildContext),   \
      MORTISE_MEMBER(::mortise::BuildContext, shared), MORTISE_TYPE(::mortise::Module)

}  // namespace mortise
