#include "offload.hpp"

#include <filesystem>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/fixtures.hpp"

using mortise::BlockInput;
using mortise::BlockOutput;
using mortise::ParallelArgs;
using mortise::UnitRunner;
using mortise::parallel::offload::make_file_store;
using mortise::parallel::offload::make_host_store;
using mortise::parallel::offload::Offload;
using mortise::parallel::offload::Store;
using mortise::parallel::offload::Waiting;

namespace {

constexpr int64_t kWidth = 64;

/// y = dropout(silu(x·Wᵀ)·Vᵀ) + x, with an auxiliary loss; V is frozen.
struct Unit {
  at::Tensor w_DD = at::randn({kWidth, kWidth}).mul_(0.1).set_requires_grad(true);
  at::Tensor v_DD = at::randn({kWidth, kWidth}).mul_(0.1);

  UnitRunner runner() {
    return [this](const BlockInput& in) {
      BlockOutput out;
      const at::Tensor hidden = at::silu(at::matmul(in.x_BTD, w_DD.t()));
      const at::Tensor part = hidden.narrow(-1, 0, kWidth / 2);  // a strided view is saved too
      out.losses.push_back({"aux", (part * part).mean()});
      out.x_BTD = at::dropout(at::matmul(hidden, v_DD.t()), 0.5, /*train=*/true) + in.x_BTD;
      return out;
    };
  }
};

struct Gradients {
  at::Tensor y, x, w;
  int64_t waiting = 0;  // between the passes
};

Gradients run(const UnitRunner& runner, Unit& unit, const Offload* offload = nullptr) {
  at::manual_seed(7);
  BlockInput in;
  in.x_BTD = at::linspace(-1, 1, 2 * 8 * kWidth).view({2, 8, kWidth}).set_requires_grad(true);
  unit.w_DD.mutable_grad().reset();
  BlockInput next = in;
  const BlockOutput first = runner(in);
  next.x_BTD = first.x_BTD;
  const BlockOutput second = runner(next);
  Gradients out;
  if (offload != nullptr) out.waiting = offload->store().bytes();
  (second.x_BTD.square().sum() + 3 * (first.losses[0].value + second.losses[0].value)).backward();
  out.y = second.x_BTD.detach();
  out.x = in.x_BTD.grad();
  out.w = unit.w_DD.grad();
  return out;
}

ParallelArgs args_of(const Unit& unit) { return {4, {unit.w_DD, unit.v_DD}}; }

void check_same(const Gradients& a, const Gradients& b) {
  CHECK(at::equal(a.y, b.y));
  CHECK(at::equal(a.x, b.x));
  CHECK(at::equal(a.w, b.w));
}

int64_t files_in(const std::string& folder) {
  int64_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

TEST_SUITE("parallel.offload") {
  TEST_CASE("gives the same bits as without, and nothing waits afterwards") {
    Unit unit;
    const mortise::testing::TempDir temp;
    Offload strategy({.folder = temp.path, .min_bytes = 0}, args_of(unit));
    const Gradients plain = run(unit.runner(), unit);
    for (int step = 0; step < 3; ++step) {  // the room of a step is used again
      const Gradients away = run(strategy.wrap(0, unit.runner()), unit, &strategy);
      check_same(plain, away);
      CHECK(away.waiting > 0);
      CHECK(strategy.store().bytes() == 0);
    }
    CHECK(plain.waiting == 0);
    CHECK(files_in(temp.path) == 0);  // the file has no name
  }

  TEST_CASE("parameters stay: only activations are written") {
    Unit unit;
    Offload strategy({.min_bytes = 0}, args_of(unit));
    const int64_t activation = 2 * 8 * kWidth * 4;
    const Gradients away = run(strategy.wrap(0, unit.runner()), unit, &strategy);
    // Of each unit: x (the first one's is a leaf), silu's input and output, the mask.
    CHECK(away.waiting <= 8 * activation);
    CHECK(away.waiting >= 5 * activation);
    CHECK(activation < static_cast<int64_t>(unit.w_DD.nbytes()));  // one weight would break it
  }

  TEST_CASE("an activation that several operations save waits once") {
    Offload strategy({.min_bytes = 0}, {1});
    const UnitRunner unit = strategy.wrap(0, [](const BlockInput& in) {
      BlockOutput out;
      const at::Tensor y = in.x_BTD.exp();                                       // saves its result
      out.x_BTD = (y * y).sin() + y.view({-1}).square().view(in.x_BTD.sizes());  // y, thrice
      return out;
    });
    BlockInput in;
    in.x_BTD = at::ones({1, 4, kWidth}).set_requires_grad(true);
    const BlockOutput out = unit(in);
    CHECK(strategy.store().bytes() == 2 * 4 * kWidth * 4);  // y and y·y
    out.x_BTD.sum().backward();
    CHECK(strategy.store().bytes() == 0);
  }

  TEST_CASE("a storage that changed in place waits twice, each with its own values") {
    const UnitRunner bare = [](const BlockInput& in) {
      BlockOutput out;
      const at::Tensor y = in.x_BTD * 2;
      const at::Tensor a = y.detach().sin();
      const at::Tensor first = in.x_BTD * a;  // saves a
      const at::Tensor b = a.clone();
      out.x_BTD = first + in.x_BTD * b.cos_();
      return out;
    };
    Offload strategy({.min_bytes = 0}, {1});
    at::Tensor gradients[2];
    for (const bool wrapped : {false, true}) {
      BlockInput in;
      in.x_BTD = at::linspace(0, 1, 64).view({1, 1, 64}).set_requires_grad(true);
      (wrapped ? strategy.wrap(0, bare) : bare)(in).x_BTD.sum().backward();
      gradients[wrapped] = in.x_BTD.grad();
    }
    CHECK(at::equal(gradients[0], gradients[1]));
  }

  TEST_CASE("a graph that is kept can be differentiated twice") {
    Unit unit;
    Offload strategy({.min_bytes = 0}, args_of(unit));
    BlockInput in;
    in.x_BTD = at::ones({1, 2, kWidth}).set_requires_grad(true);
    const at::Tensor loss = strategy.wrap(0, unit.runner())(in).x_BTD.square().sum();
    loss.backward({}, /*retain_graph=*/true);
    const at::Tensor once = in.x_BTD.grad().clone();
    loss.backward();
    CHECK(at::equal(in.x_BTD.grad(), once * 2));
  }

  TEST_CASE("small tensors stay") {
    Unit unit;
    Offload strategy({.min_bytes = 1 << 20}, args_of(unit));
    CHECK(run(strategy.wrap(0, unit.runner()), unit, &strategy).waiting == 0);
  }

  TEST_CASE("every = 2 leaves the odd units alone, and so does a pass without a gradient") {
    Unit unit;
    Offload strategy({.min_bytes = 0, .every = 2}, args_of(unit));
    CHECK(run(strategy.wrap(1, unit.runner()), unit, &strategy).waiting == 0);
    CHECK(run(strategy.wrap(2, unit.runner()), unit, &strategy).waiting > 0);
    const at::NoGradGuard no_grad;
    BlockInput in;
    in.x_BTD = at::ones({1, 2, kWidth});
    const BlockOutput out = strategy.wrap(0, unit.runner())(in);
    CHECK(out.x_BTD.defined());
    CHECK(strategy.store().bytes() == 0);
  }

  TEST_CASE("what waits is gone with a graph that nobody differentiates") {
    Unit unit;
    Offload strategy({.min_bytes = 0}, args_of(unit));
    {
      BlockInput in;
      in.x_BTD = at::ones({1, 2, kWidth}).set_requires_grad(true);
      const BlockOutput out = strategy.wrap(0, unit.runner())(in);
      CHECK(strategy.store().bytes() > 0);
    }
    CHECK(strategy.store().bytes() == 0);
  }

  TEST_CASE("host memory is refused where the model is in it, with the fix") {
    const Unit unit;
    CHECK_THROWS_WITH_AS(Offload({.to = "host"}, args_of(unit)),
                         doctest::Contains("the device is the host"),
                         mortise::Error);
    CHECK_NOTHROW(Offload({.to = "host"}, {4, {at::empty({2}, at::kMeta)}}));
  }

  TEST_CASE("a folder that is not there is one clear error") {
    Offload strategy({.folder = "/nonexistent/folder", .min_bytes = 0}, {1});
    BlockInput in;
    in.x_BTD = at::ones({1, 1, 8}).set_requires_grad(true);
    const UnitRunner unit = strategy.wrap(0, [](const BlockInput& input) {
      BlockOutput out;
      out.x_BTD = input.x_BTD.exp();
      return out;
    });
    CHECK_THROWS_WITH_AS(
        unit(in), doctest::Contains("\"/nonexistent/folder\": No such file"), mortise::Error);
  }

  TEST_CASE("a full disk is one clear error, and the next step works again") {
    const mortise::testing::TempDir temp;
    const auto store = make_file_store(temp.path);
    const at::Tensor bytes_N = at::arange(100'000, at::kInt).to(at::kByte);
    {
      const mortise::testing::FullDisk full(1000);
      CHECK_THROWS_WITH_AS(store->put(bytes_N), doctest::Contains("cannot write"), mortise::Error);
    }
    CHECK(store->bytes() == 0);
    CHECK(at::equal(store->put(bytes_N)->fetch(at::kCPU), bytes_N));
  }

  TEST_CASE("both stores bring the bytes back, and a fetched tensor outlives its place") {
    for (const bool file : {false, true}) {
      CAPTURE(file);
      const std::shared_ptr<Store> store = file ? make_file_store("") : make_host_store();
      std::vector<at::Tensor> given, back;
      for (int64_t i = 0; i < 5; ++i) {
        given.push_back(at::randint(0, 255, {1000 * i + 1}, at::kByte));
        const std::shared_ptr<Waiting> waiting = store->put(given.back());
        back.push_back(waiting->fetch(at::kCPU));
      }
      for (size_t i = 0; i < given.size(); ++i) CHECK(at::equal(given[i], back[i]));
      back.clear();
      CHECK(store->bytes() == 0);
    }
  }
}
