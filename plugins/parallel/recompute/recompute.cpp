// A unit's activations are thrown away after its forward pass and computed again in its backward
// pass, from its input: memory of one unit instead of all, for one more forward.
// Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174 §3.1.
//
// The replay sees the same dropout masks (the generator's state is put back) and the same routes
// (recorded by the first pass), so the numbers are those of a run without recompute, bit for bit.
// The kept inputs may wait elsewhere: that is parallel/offload, which runs around this.
#include "recompute.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mortise/plugin.hpp"

namespace mortise::parallel::recompute {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What the replay needs beside the saved tensors.  Lives in the graph, so it goes with it.
struct Replay : torch::CustomClassHolder {
  UnitRunner unit;
  BlockInput in;      // its tensors are empty: they are saved by autograd
  at::Tensor random;  // state of the generator before the unit
  at::Tensor routes;
};

/// The tensors that are there: autograd takes no undefined ones.
variable_list tensors_of(const BlockInput& in) {
  variable_list tensors;
  BlockInput copy = in;
  copy.for_each_tensor([&](at::Tensor& tensor) {
    if (tensor.defined()) tensors.push_back(tensor);
  });
  return tensors;
}

/// Replaces those that are there.
void put_tensors(BlockInput& in, const variable_list& tensors) {
  size_t i = 0;
  in.for_each_tensor([&](at::Tensor& tensor) {
    if (tensor.defined()) tensor = tensors[i++];
  });
}

/// Keeps which tensors there are, without holding them.
void empty_tensors(BlockInput& in) {
  const at::Tensor nothing = at::empty({0});
  in.for_each_tensor([&](at::Tensor& tensor) {
    if (tensor.defined()) tensor = nothing;
  });
}

/// The differentiable results of a unit: x, then the auxiliary losses.
variable_list results_of(const BlockOutput& out) {
  variable_list results = {out.x_BTD};
  for (const NamedValue& loss : out.losses) results.push_back(loss.value);
  return results;
}

/// Puts the generator where it was at the first pass, and back afterwards.
class SameRandomNumbers {
 public:
  explicit SameRandomNumbers(const at::Tensor& state)
      : generator_(at::detail::getDefaultCPUGenerator()), later_(generator_.get_state()) {
    generator_.set_state(state);
  }

  ~SameRandomNumbers() { generator_.set_state(later_); }

  SameRandomNumbers(const SameRandomNumbers&) = delete;
  SameRandomNumbers& operator=(const SameRandomNumbers&) = delete;

 private:
  at::Generator generator_;
  at::Tensor later_;
};

struct Unit : torch::autograd::Function<Unit> {
  // `anchor` requires a gradient, so that the unit is on the tape also when its input is not (a
  // frozen embedding below trained adapters).
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& /*anchor*/,
                               at::TensorList given,
                               c10::intrusive_ptr<Replay> replay,
                               BlockOutput* out) {
    variable_list inputs = given.vec();
    replay->random = at::detail::getDefaultCPUGenerator().get_state();
    put_tensors(replay->in, inputs);
    *out = replay->unit(replay->in);
    replay->routes = out->routes;
    empty_tensors(replay->in);
    context->save_for_backward(inputs);
    context->saved_data["replay"] = c10::IValue::make_capsule(std::move(replay));
    return results_of(*out);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list inputs = context->get_saved_variables();
    const auto capsule = context->saved_data["replay"].toCapsule();
    const auto replay = c10::static_intrusive_pointer_cast<Replay>(capsule);
    BlockInput in = replay->in;
    for (at::Tensor& tensor : inputs) {
      const bool wanted = tensor.requires_grad();
      tensor = tensor.detach();
      tensor.set_requires_grad(wanted);
    }
    put_tensors(in, inputs);
    if (replay->routes.defined()) in.routes = replay->routes;
    replay_and_differentiate(*replay, in, gradients);
    variable_list out(1);  // the anchor's
    for (const at::Tensor& tensor : inputs)
      out.push_back(tensor.requires_grad() ? tensor.grad() : at::Tensor());
    out.insert(out.end(), 2, at::Tensor());
    return out;
  }

  static void replay_and_differentiate(const Replay& replay,
                                       const BlockInput& in,
                                       const variable_list& gradients) {
    const at::AutoGradMode tape(true);
    const SameRandomNumbers same(replay.random);
    const variable_list results = results_of(replay.unit(in));
    variable_list roots, root_gradients;
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].requires_grad() || !gradients[i].defined()) continue;
      roots.push_back(results[i]);
      root_gradients.push_back(gradients[i]);
    }
    if (!roots.empty()) torch::autograd::backward(roots, root_gradients);
  }
};

BlockOutput run_unit(const UnitRunner& unit, const BlockInput& in) {
  if (!at::GradMode::is_enabled()) return unit(in);
  auto replay = c10::make_intrusive<Replay>();
  replay->unit = unit;
  replay->in = in;
  BlockOutput out;
  const at::Tensor anchor = at::empty({0}, at::kFloat).set_requires_grad(true);
  const variable_list inputs = tensors_of(in);
  const variable_list results =
      Unit::apply(anchor, at::TensorList(inputs), std::move(replay), &out);
  out.x_BTD = results[0];
  for (size_t i = 0; i < out.losses.size(); ++i) out.losses[i].value = results[i + 1];
  return out;
}

}  // namespace

UnitRunner Recompute::wrap(int64_t layer, UnitRunner unit) {
  if (layer % config_.every != 0) return unit;
  return [unit = std::move(unit)](const BlockInput& in) { return run_unit(unit, in); };
}

void Recompute::Config::describe(Schema<Config>& schema) {
  schema
      .field(
          "every", &Config::every, "recomputes each n-th unit: 1 saves most memory, 2 half of it")
      .min(1);
}

}  // namespace mortise::parallel::recompute

MORTISE_PLUGIN("org.mortise.parallel.recompute",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::parallel::recompute::Recompute>(
                   "recompute", "activations of a unit are computed again in its backward pass"));
