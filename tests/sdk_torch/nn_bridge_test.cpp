// A torch::nn module behind the bridge: names, shared storage, moves and modes.
#include "mortise/torch/nn_bridge.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

namespace nn = torch::nn;
using Bridge = mortise::NnBridge<nn::SequentialImpl>;

namespace {

std::shared_ptr<nn::SequentialImpl> small_net() {
  return nn::Sequential(nn::Linear(4, 3), nn::Dropout(0.5)).ptr();
}

}  // namespace

TEST_SUITE("sdk.nn_bridge") {
  TEST_CASE("parameters keep their names and their storage") {
    const auto inner = small_net();
    Bridge bridge(inner);
    std::vector<std::string> names;
    for (const auto& parameter : bridge.parameters()) names.push_back(parameter.name);
    CHECK((names == std::vector<std::string>{"0.weight", "0.bias"}));
    CHECK(bridge.parameters()[0].tensor.data_ptr() == inner->parameters()[0].data_ptr());
  }

  TEST_CASE("a move reaches the wrapped module") {
    const auto inner = small_net();
    Bridge bridge(inner);
    bridge.to(at::kDouble, at::kCPU);
    CHECK((inner->parameters()[0].scalar_type() == at::kDouble));
    CHECK(bridge.forward(at::zeros({2, 4}, at::kDouble)).size(1) == 3);
  }

  TEST_CASE("evaluation mode switches dropout off") {
    Bridge bridge(small_net());
    bridge.train(false);
    const at::Tensor x = at::ones({8, 4});
    CHECK(at::equal(bridge.forward(x), bridge.forward(x)));
  }
}
