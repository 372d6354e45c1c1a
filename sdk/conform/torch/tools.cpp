#include "tools.hpp"

#include <cmath>

namespace mortise::conform {

at::Tensor randn(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype) {
  at::manual_seed(seed);
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble)).to(dtype);
}

void fill(Module& module, uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (NamedTensor& named : module.parameters()) {
    const double centre = named.init.kind == Init::Kind::Ones ? 1.0 : 0.0;
    named.tensor.copy_(
        randn(named.tensor.sizes(), seed + std::hash<std::string>()(named.name) % 1000) * 0.2 +
        centre);
  }
}

void expect_close(const at::Tensor& actual,
                  const at::Tensor& expected,
                  double tolerance,
                  const std::string& what) {
  MORTISE_EXPECT(actual.sizes() == expected.sizes(),
                 "{}: the shapes differ in {} and {} dimensions or in a size",
                 what,
                 actual.dim(),
                 expected.dim());
  if (actual.numel() == 0) return;
  const at::Tensor a = actual.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  const double difference = (a - b).abs().max().item<double>(),
               scale = 1 + b.abs().max().item<double>();
  MORTISE_EXPECT(difference <= tolerance * scale,
                 "{}: the largest difference is {:g}, at most {:g} is allowed",
                 what,
                 difference,
                 tolerance * scale);
}

void expect_equal_bits(const at::Tensor& actual,
                       const at::Tensor& expected,
                       const std::string& what) {
  MORTISE_EXPECT(actual.equal(expected), "{}: the bits differ", what);
}

void expect_finite(const at::Tensor& tensor, const std::string& what) {
  MORTISE_EXPECT(
      at::isfinite(tensor).all().item<bool>(), "{}: there is a NaN or an infinity", what);
}

void expect_gradient(const std::function<at::Tensor(const at::Tensor&)>& f,
                     const at::Tensor& x,
                     const std::string& what) {
  const at::Tensor input = x.detach().clone().requires_grad_(true);
  const at::Tensor out = f(input);
  const at::Tensor weight = randn(out.sizes(), 77, at::kDouble);
  (out * weight).sum().backward();
  MORTISE_EXPECT(input.grad().defined(), "{}: no gradient reaches the input", what);
  const at::Tensor grad = input.grad().contiguous().view({-1});
  constexpr double kStep = 1e-5;
  const at::NoGradGuard no_grad;
  const auto value_at = [&](int64_t index, double step) {
    const at::Tensor moved = x.detach().clone().contiguous();
    moved.view({-1})[index] += step;
    return (f(moved) * weight).sum().item<double>();
  };
  for (int64_t index = 0; index < x.numel(); index += std::max<int64_t>(1, x.numel() / 12)) {
    const double numeric = (value_at(index, kStep) - value_at(index, -kStep)) / (2 * kStep),
                 analytic = grad[index].item<double>();
    MORTISE_EXPECT(std::fabs(numeric - analytic) <= 1e-4 * (1 + std::fabs(numeric)),
                   "{}: the gradient of element {} is {:g}, central differences give {:g}",
                   what,
                   index,
                   analytic,
                   numeric);
  }
}

std::vector<std::string> signature_of(const Module& module) {
  std::vector<std::string> out;
  for (const NamedTensor& named : module.parameters()) {
    out.push_back(named.name);
    for (const int64_t size : named.tensor.sizes()) out.back() += fmt::format(" {}", size);
  }
  return out;
}

BlockInput plain_input(const at::Tensor& x_BTD) {
  BlockInput in;
  in.x_BTD = x_BTD;
  in.positions_BT = at::arange(x_BTD.size(1)).unsqueeze(0).expand({x_BTD.size(0), -1}).contiguous();
  return in;
}

BlockInput packed_input(const at::Tensor& x_1TD, const std::vector<int64_t>& lengths) {
  BlockInput in;
  in.x_BTD = x_1TD;
  std::vector<at::Tensor> positions, segments;
  std::vector<int64_t> borders = {0};
  for (size_t i = 0; i < lengths.size(); ++i) {
    positions.push_back(at::arange(lengths[i]));
    segments.push_back(at::full({lengths[i]}, static_cast<int64_t>(i) + 1, at::kInt));
    borders.push_back(borders.back() + lengths[i]);
  }
  in.positions_BT = at::cat(positions).unsqueeze(0);
  in.segments_BT = at::cat(segments).unsqueeze(0);
  in.offsets_S = at::tensor(borders, at::kLong);
  return in;
}

void TensorState::tensor(std::string_view name, at::Tensor& tensor) {
  const at::NoGradGuard no_grad;
  if (!loading()) {
    if (!tensors_.emplace(std::string(name), tensor.defined() ? tensor.clone() : tensor).second)
      throw DataError(fmt::format("the state {} is named twice", name));
    return;
  }
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) throw DataError(fmt::format("the state {} was not saved", name));
  if (!it->second.defined())
    tensor = at::Tensor();
  else if (tensor.defined())
    tensor.copy_(it->second);
  else
    tensor = it->second.clone();
}

}  // namespace mortise::conform
