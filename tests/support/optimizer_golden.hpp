// Recorded runs of optimizers (tests/golden/optimizers, tests/golden/optim/*): parameters and
// gradients of every step in, parameters out.  follow() plays one and says how far off it ends.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::test {

/// NAME.json (what each run was made with) and NAME.safetensors (its tensors) of tests/golden.
struct OptimizerGolden {
  explicit OptimizerGolden(const std::string& name)
      : facts(parse_json(read_file(place(name) + ".json"))),
        file(safetensors::File::open(place(name) + ".safetensors")) {}

  static std::string place(const std::string& name) {
    return fmt::format("{}/tests/golden/{}", MORTISE_SOURCE_DIR, name);
  }

  /// A tensor as fp32: parameters and gradients are stored so, results mostly as fp64.
  at::Tensor tensor(const std::string& name) const {
    const safetensors::Entry* entry = file.header().find(name);
    REQUIRE_MESSAGE((entry != nullptr), name);
    const at::ScalarType type = entry->dtype == Dtype::F64 ? at::kDouble : at::kFloat;
    return at::from_blob(const_cast<std::byte*>(file.data(*entry).data()), entry->shape, type)
        .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }

  Value facts;
  safetensors::File file;
};

/// How a run is followed.
struct Following {
  double floor = 1e-2;      // errors are relative to floor + |expected|
  double weight_decay = 0;  // where the run names none
  bool is_strided = false;  // matrices are transposed views: not contiguous, they take another path
};

/// Follows the run whose tensors begin with `run`.; `hyper` is what it was made with.  Returns the
/// largest relative error of any element after any step; NaN when there is one.
inline double follow(const OptimizerGolden& golden,
                     const std::string& run,
                     const Value& hyper,
                     const std::function<std::unique_ptr<Optimizer>(const Slots&)>& make,
                     const Following& how = {}) {
  const auto named = [&](size_t index, const std::string& part) {
    return golden.tensor(fmt::format("{}.{}.{}", run, index, part));
  };
  std::vector<Slot> list(static_cast<size_t>(hyper.at("num_tensors").as_int()));
  for (size_t i = 0; i < list.size(); ++i) {
    at::Tensor param = named(i, "param0");
    if (how.is_strided && param.dim() == 2) param = param.t().contiguous().t();
    const double decay = hyper.get("weight_decay", how.weight_decay);
    list[i] = {param, {}, 0, decay, fmt::format("p{}.weight", i), param.sizes().vec()};
  }
  const Slots slots(std::move(list));
  const std::unique_ptr<Optimizer> optimizer = make(slots);
  at::Tensor error = at::zeros({});
  for (int64_t k = 1; k <= hyper.at("num_steps").as_int(); ++k) {
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i].grad = named(i, fmt::format("grad{}", k));
      slots[i].lr = hyper.at("lr").as_array()[static_cast<size_t>(k - 1)].as_float();
    }
    optimizer->step({k - 1});
    for (size_t i = 0; i < slots.size(); ++i) {
      const at::Tensor expected = named(i, fmt::format("param{}", k));
      const at::Tensor off = (slots[i].param - expected).abs() / (how.floor + expected.abs());
      error = at::maximum(error, off.max());  // keeps a NaN
    }
  }
  return error.item<double>();
}

}  // namespace mortise::test
