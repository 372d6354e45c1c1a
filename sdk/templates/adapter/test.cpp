#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/adapter_tools.hpp>

struct Model final : mortise::Module {
  Model() : linear_(add_child("model.layers.0.self_attn.o_proj", std::make_shared<mortise::Linear>(mortise::BuildContext(), 2, 3))) {}
  std::shared_ptr<mortise::Linear> linear_;
};

TEST_CASE("a factor of two doubles the output, merged or not") {
  Model model;
  const auto adapter = mortise::testing::make<mortise::Adapter>("@NAME@", {.build = {}, .model = &model, .width = 2, .num_layers = 1});
  model.linear_->weight().detach().fill_(1);
  adapter->file_tensors().at(0).tensor.fill_(2);
  CHECK((*model.linear_)(at::ones({1, 2})).equal(at::full({1, 3}, 4.0)));
  adapter->merge();
  CHECK((*model.linear_)(at::ones({1, 2})).equal(at::full({1, 3}, 4.0)));
  CHECK(!model.linear_->weight().requires_grad());
}
