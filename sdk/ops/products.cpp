// The choice of a matrix product, once per process.
#include "products.hpp"

#include <string_view>

#include "kernels.hpp"

namespace mortise::ops {

namespace {

// Below the best instruction set (MORTISE_ISA) operands are widened, so that tests reach both ways.
bool has_bf16_products() {
  static const bool has =
      __builtin_cpu_supports("avx512bf16") && std::string_view(kernels().name) == "avx512";
  return has;
}

}  // namespace

bool multiplies(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? has_bf16_products() : dtype != at::kHalf;
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (multiplies(a.scalar_type()) || !a.device().is_cpu()) return at::mm(a, b);
  return at::mm(a.to(at::kFloat), b.to(at::kFloat)).to(a.scalar_type());
}

void product_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (multiplies(a.scalar_type()) || !a.device().is_cpu())
    at::mm_out(out, a, b);
  else
    out.copy_(at::mm(a.to(at::kFloat), b.to(at::kFloat)));
}

void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (multiplies(a.scalar_type()) || !a.device().is_cpu())
    sum.addmm_(a, b);
  else
    sum.add_(at::mm(a.to(at::kFloat), b.to(at::kFloat)));
}

}  // namespace mortise::ops
