#include "subnets.hpp"

#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::BlockInput;
using mortise::BlockOutput;
using mortise::LayerArgs;
using mortise::PathSetArgs;
using mortise::Use;
using mortise::Value;
using mortise::path_set::subnets::ConvLayer;
using mortise::path_set::subnets::Subnets;

namespace {

struct Doubling final : mortise::Norm {
  at::Tensor forward(const at::Tensor& x) override { return 2 * x; }
};

struct PlusOne final : mortise::Layer {
  BlockOutput forward(const BlockInput& in) override {
    BlockOutput out;
    out.x_BTD = in.x_BTD + 1;
    return out;
  }
};

struct FakeHost final : mortise::Host {
  void* make(std::string_view interface_id, const Value&, const void*) override {
    if (interface_id == mortise::Layer::kInterface)
      return static_cast<mortise::Layer*>(new PlusOne);
    return static_cast<mortise::Norm*>(new Doubling);
  }
};

BlockInput input(const at::Tensor& x_BTD) {
  BlockInput in;
  in.x_BTD = x_BTD;
  return in;
}

Subnets::Config two_paths(mortise::Host& host) {
  Value fake = Value::table();
  fake["type"] = "fake";
  Subnets::PathTable deep, conv;
  deep.repeat = 3;
  deep.layer = Use<mortise::Layer>(fake, &host);
  conv.kind = "cnn";
  conv.norm = Use<mortise::Norm>(fake, &host);
  Subnets::Config config;
  config.paths = {{"deep", deep}, {"conv", conv}};
  return config;
}

}  // namespace

TEST_SUITE("path_set.subnets") {
  TEST_CASE("the convolution equals its formula written out, and sees no later token") {
    for (const bool depthwise : {true, false}) {
      CAPTURE(depthwise);
      constexpr int64_t kTokens = 6, kWidth = 3, kKernel = 4;
      LayerArgs args;
      args.build.dtype = at::kDouble;
      args.width = kWidth;
      ConvLayer layer({kKernel, depthwise}, std::make_shared<Doubling>(), args);
      at::manual_seed(8);
      for (const auto& parameter : layer.parameters())
        parameter.tensor.detach().copy_(at::randn(parameter.tensor.sizes()));
      const auto parameters = layer.parameters();
      REQUIRE(parameters.size() == 3);
      const at::Tensor w = parameters[0].tensor.detach(), b = parameters[1].tensor.detach(),
                       out_proj = parameters[2].tensor.detach();
      const at::Tensor x = at::randn({1, kTokens, kWidth}, at::kDouble);
      const at::Tensor y = layer.forward(input(x)).x_BTD.detach();
      const auto at_token = [&](int64_t t, int64_t d) {
        return t < 0 ? 0.0 : 2 * x[0][t][d].item<double>();
      };
      for (int64_t t = 0; t < kTokens; ++t) {
        double hidden[kWidth];
        for (int64_t d = 0; d < kWidth; ++d) {
          double sum = b[d].item<double>();
          for (int64_t j = 0; j < kKernel; ++j)  // the last filter entry is for the token itself
            for (int64_t i = 0; i < (depthwise ? 1 : kWidth); ++i)
              sum += w[d][i][kKernel - 1 - j].item<double>() * at_token(t - j, depthwise ? d : i);
          hidden[d] = sum / (1 + std::exp(-sum));
        }
        for (int64_t d = 0; d < kWidth; ++d) {
          double expected = x[0][t][d].item<double>();
          for (int64_t i = 0; i < kWidth; ++i)
            expected += out_proj[d][i].item<double>() * hidden[i];
          CHECK(y[0][t][d].item<double>() == doctest::Approx(expected).epsilon(1e-9));
        }
      }
    }
  }

  TEST_CASE("paths stand in the order of their names and repeat their layer") {
    FakeHost host;
    PathSetArgs args;
    args.width = 2;
    Subnets set(two_paths(host), args);
    CHECK(set.num_paths() == 2);
    CHECK((set.path_names() == std::vector<std::string>{"conv", "deep"}));
    const at::Tensor x = at::zeros({1, 4, 2});
    CHECK(set.run_samples(1, input(x)).x_BTD.equal(at::full({1, 4, 2}, 3.0f)));
    std::string names;
    for (const auto& parameter : set.parameters()) names += parameter.name + " ";
    CHECK(names == "conv.0.conv.weight conv.0.conv.bias conv.0.out_proj.weight ");
  }

  TEST_CASE("one path, and a path of layers without a layer, are refused") {
    FakeHost host;
    PathSetArgs args;
    args.width = 2;
    Subnets::Config config = two_paths(host);
    config.paths["deep"].layer = {};
    CHECK_THROWS_WITH_AS(
        Subnets(config, args), doctest::Contains("needs a table `layer`"), mortise::Error);
    config.paths.erase("deep");
    CHECK_THROWS_WITH_AS(
        Subnets(config, args), doctest::Contains("at least two paths"), mortise::Error);
  }
}
