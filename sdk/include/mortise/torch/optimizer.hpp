// Interface `optimizer`: updates slots.  It never knows who owns a parameter, how it is sharded or
// what the schedule is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/state.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

/// One parameter (or a flat range of one) with what holds for it in this step.
struct Slot {
  at::Tensor param;
  at::Tensor grad;  // undefined: no gradient reached it in this step, leave it alone
  double lr = 0;    // recipe × schedule × group, set by core before every step
  double weight_decay = 0;
  std::string name;
  std::vector<int64_t>
      logical_shape;  // of the whole parameter, also when `param` is a flat range of it
};

/// A shared list of slots: core updates grad, lr and weight_decay in place, the optimizer sees
/// them.   Thread: [train-thread].
class Slots {
 public:
  Slots() : slots_(std::make_shared<std::vector<Slot>>()) {}

  explicit Slots(std::vector<Slot> slots)
      : slots_(std::make_shared<std::vector<Slot>>(std::move(slots))) {}

  size_t size() const { return slots_->size(); }

  Slot& operator[](size_t i) const { return (*slots_)[i]; }

  auto begin() const { return slots_->begin(); }

  auto end() const { return slots_->end(); }

 private:
  std::shared_ptr<std::vector<Slot>> slots_;
};

struct StepContext {
  int64_t step = 0;  // optimizer steps done before this one
};

class MORTISE_API Optimizer : public Component {
 public:
  using Interface = Optimizer;
  using Args = Slots;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "optimizer/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_TENSOR_TYPES,
                               MORTISE_TYPE(Slot),
                               MORTISE_MEMBER(Slot, lr),
                               MORTISE_MEMBER(Slot, logical_shape),
                               MORTISE_TYPE(Slots),
                               MORTISE_TYPE(StepContext)});
  }

  virtual ~Optimizer();
  /// What a slot may be: any flat range of elements, or only whole tensors (muon, adafactor).
  enum class Granularity { Element, Tensor };

  virtual Granularity granularity() const { return Granularity::Element; }

  /// Updates every slot whose grad is defined.  Gradient mode is off.   Thread: [train-thread].
  virtual void step(const StepContext& context) = 0;
  /// Saves or restores all that step() depends on.   Thread: [main-thread].
  virtual void state(StateIo& io) = 0;
};

/// Zero tensors shaped as the parameters (fp32), for moments.
MORTISE_API std::vector<at::Tensor> zeros_like(const Slots& slots);

}  // namespace mortise
