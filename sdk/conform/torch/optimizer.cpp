// Contract of `optimizer`: makes a quadratic smaller, resumes bit for bit, leaves slots without
// gradient alone, takes zero gradients and bf16, (granularity Element) updates a cut parameter as
// the whole one, and (capability in_backward) moves slots one by one as all together.
#include "mortise/torch/optimizer.hpp"

#include <algorithm>

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

Slot slot_of(at::Tensor param, std::string name, double lr = 0.01) {
  Slot slot;
  slot.logical_shape = param.sizes().vec();
  slot.param = std::move(param);
  slot.lr = lr;
  slot.name = std::move(name);
  return slot;
}

Slots example_slots(uint64_t seed, at::ScalarType dtype = at::kFloat) {
  return Slots({slot_of(randn({6, 4}, seed, dtype), "a.weight"),
                slot_of(randn({5}, seed + 1, dtype), "b.bias")});
}

const void* example_args(Factory&) {
  static const Slots slots = example_slots(3);
  return &slots;
}

// Pulls every parameter towards 0 with some noise that depends on the step only.
void take_steps(Optimizer& optimizer, const Slots& slots, int64_t first, int64_t last) {
  const at::NoGradGuard no_grad;
  for (int64_t step = first; step < last; ++step) {
    for (size_t i = 0; i < slots.size(); ++i)
      slots[i].grad =
          slots[i].param * 2 + randn(slots[i].param.sizes(), 100 * static_cast<uint64_t>(step) + i)
                                       .to(slots[i].param.scalar_type()) *
                                   0.01;
    optimizer.step({step});
  }
}

double energy(const Slots& slots) {
  double sum = 0;
  for (const Slot& slot : slots) sum += slot.param.to(at::kDouble).square().sum().item<double>();
  return sum;
}

void converges(Factory& f) {
  const Slots slots = example_slots(f.seed());
  const auto optimizer = make<Optimizer>(f, slots);
  const double before = energy(slots);
  take_steps(*optimizer, slots, 0, 300);
  const double after = energy(slots);
  MORTISE_EXPECT(after < 0.5 * before,
                 "after 300 steps with lr 0.01 a quadratic went from {:g} to {:g}",
                 before,
                 after);
}

void resumes(Factory& f) {
  const Slots one = example_slots(f.seed());
  const auto uninterrupted = make<Optimizer>(f, one);
  take_steps(*uninterrupted, one, 0, 5);
  TensorState state;
  uninterrupted->state(state);
  state.rewind();
  std::vector<Slot> copies;
  for (const Slot& slot : one) {
    copies.push_back(slot);
    copies.back().param = slot.param.clone();
  }
  const Slots two(copies);
  take_steps(*uninterrupted, one, 5, 10);
  const auto resumed = make<Optimizer>(f, two);
  resumed->state(state);
  take_steps(*resumed, two, 5, 10);
  for (size_t i = 0; i < one.size(); ++i)
    expect_equal_bits(two[i].param, one[i].param, fmt::format("{} after resuming", one[i].name));
}

void undefined_gradients(Factory& f) {
  const at::NoGradGuard no_grad;
  const Slots slots = example_slots(f.seed());
  const auto optimizer = make<Optimizer>(f, slots);
  const at::Tensor before = slots[1].param.clone();
  for (int64_t step = 0; step < 3; ++step) {
    slots[0].grad = at::ones_like(slots[0].param);
    slots[1].grad = at::Tensor();
    slots[1].weight_decay = 0.1;
    optimizer->step({step});
  }
  expect_equal_bits(slots[1].param, before, "a parameter without a gradient");
}

void zero_gradients(Factory& f) {
  const at::NoGradGuard no_grad;
  const Slots slots = example_slots(f.seed());
  const auto optimizer = make<Optimizer>(f, slots);
  for (int64_t step = 0; step < 3; ++step) {
    for (Slot& slot : slots) slot.grad = at::zeros_like(slot.param);
    optimizer->step({step});
  }
  for (const Slot& slot : slots) expect_finite(slot.param, slot.name + " after gradients of zero");
}

void no_rate_no_change(Factory& f) {
  const Slots slots = example_slots(f.seed());
  for (Slot& slot : slots) slot.lr = 0;
  const at::Tensor before = slots[0].param.clone();
  take_steps(*make<Optimizer>(f, slots), slots, 0, 3);
  expect_close(slots[0].param, before, 1e-7, "a parameter at learning rate 0");
}

void bf16(Factory& f) {
  const Slots slots = example_slots(f.seed(), at::kBFloat16);
  const auto optimizer = make<Optimizer>(f, slots);
  take_steps(*optimizer, slots, 0, 20);
  for (const Slot& slot : slots) {
    MORTISE_EXPECT(slot.param.scalar_type() == at::kBFloat16, "{} changed its dtype", slot.name);
    expect_finite(slot.param, slot.name + " in bf16");
  }
}

void cut_slots(Factory& f) {
  const at::NoGradGuard no_grad;
  const at::Tensor start = randn({24}, f.seed());
  const Slots whole({slot_of(start.clone(), "a.weight")});
  const auto one = make<Optimizer>(f, whole);
  if (one->granularity() == Optimizer::Granularity::Tensor) skip("it takes whole tensors only");
  const at::Tensor flat = start.clone();
  const Slots cut(
      {slot_of(flat.narrow(0, 0, 7), "a.weight"), slot_of(flat.narrow(0, 7, 17), "a.weight")});
  const auto two = make<Optimizer>(f, cut);
  for (int64_t step = 0; step < 6; ++step) {
    const at::Tensor grad = randn({24}, 40 + static_cast<uint64_t>(step));
    whole[0].grad = grad.clone();
    cut[0].grad = grad.narrow(0, 0, 7).clone();
    cut[1].grad = grad.narrow(0, 7, 17).clone();
    one->step({step});
    two->step({step});
  }
  expect_close(flat, whole[0].param, 1e-6, "a parameter cut into two slots");
}

// What optimizer.in_backward does: step() for one slot after another, the last parameter first.
void one_by_one(Factory& f) {
  const std::vector<Capability>& provides = f.schema().provides;
  if (std::none_of(provides.begin(), provides.end(), [](const Capability& c) {
        return c.name == "in_backward";
      }))
    skip("it does not declare the capability in_backward");
  const at::NoGradGuard no_grad;
  const Slots together = example_slots(f.seed()), apart = example_slots(f.seed());
  const auto one = make<Optimizer>(f, together), two = make<Optimizer>(f, apart);
  for (int64_t step = 0; step < 6; ++step) {
    for (size_t i = 0; i < together.size(); ++i)
      together[i].grad = randn(together[i].param.sizes(), 40 + static_cast<uint64_t>(step) + i);
    one->step({step});
    for (size_t i = apart.size(); i-- > 0;) {
      apart[i].grad = together[i].grad.clone();
      two->step({step});
      apart[i].grad.reset();
    }
  }
  for (size_t i = 0; i < together.size(); ++i)
    expect_equal_bits(apart[i].param,
                      together[i].param,
                      together[i].name + ", its slot moved by itself in each step,");
}

void deterministic(Factory& f) {
  const Slots one = example_slots(f.seed()), two = example_slots(f.seed());
  take_steps(*make<Optimizer>(f, one), one, 0, 8);
  take_steps(*make<Optimizer>(f, two), two, 0, 8);
  for (size_t i = 0; i < one.size(); ++i)
    expect_equal_bits(one[i].param, two[i].param, one[i].name);
}

}  // namespace

Suite optimizer_suite() {
  return {"optimizer",
          example_args,
          {{"makes a quadratic smaller", converges},
           {"a resumed run equals an uninterrupted one bit for bit", resumes},
           {"leaves a slot without gradient alone", undefined_gradients},
           {"stays finite for gradients of zero", zero_gradients},
           {"changes nothing at learning rate 0", no_rate_no_change},
           {"takes bf16", bf16},
           {"a cut parameter moves as the whole one", cut_slots},
           {"slots that move one by one move as all together", one_by_one},
           {"is deterministic", deterministic}}};
}

}  // namespace mortise::conform
