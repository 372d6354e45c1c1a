#include "ia3.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/testing.hpp"

#include "tests/support/close.hpp"

using namespace mortise;

namespace {

struct Block final : Module {
  Block() {
    const LinearOptions with_bias = {.bias = true};
    k = add_child("model.layers.0.self_attn.k_proj",
                  std::make_shared<Linear>(build, 4, 3, with_bias));
    v = add_child("model.layers.0.self_attn.v_proj", std::make_shared<Linear>(build, 4, 3));
    down =
        add_child("model.layers.0.mlp.down_proj", std::make_shared<Linear>(build, 5, 4, with_bias));
    experts = add_child("model.layers.1.mlp.experts.down_proj",
                        std::make_shared<GroupedLinear>(build, 2, 5, 4));
    fill();
  }

  void fill() {
    for (NamedTensor& tensor : parameters())
      tensor.tensor.detach().copy_(at::randn(tensor.tensor.sizes()));
  }

  at::Tensor named(const std::string& name) {
    for (NamedTensor& tensor : parameters())
      if (tensor.name == name) return tensor.tensor.detach();
    FAIL("no tensor " << name);
    return {};
  }

  BuildContext build;
  std::shared_ptr<Linear> k, v, down;
  std::shared_ptr<GroupedLinear> experts;
};

}  // namespace

TEST_SUITE("adapter.ia3") {
  TEST_CASE("scales the output of keys, bias included, and the input of the feed-forward part") {
    at::manual_seed(1);
    Block block;
    const auto adapter = testing::make<Adapter>("ia3", {block.build, &block, 4, 2, {}, false});
    block.fill();
    const at::Tensor x = at::randn({3, 4}), h = at::randn({3, 5});
    const at::Tensor lk = block.named("model.layers.0.self_attn.k_proj.ia3.l"),
                     ld = block.named("model.layers.0.mlp.down_proj.ia3.l");
    CHECK(lk.sizes() == at::IntArrayRef({3, 1}));
    CHECK(ld.sizes() == at::IntArrayRef({1, 5}));
    const at::Tensor key = (at::matmul(x, block.k->weight().t()) + block.k->bias()) * lk.flatten(),
                     out = at::matmul(h * ld, block.down->weight().t()) + block.down->bias();
    MORTISE_CHECK_CLOSE((*block.k)(x), key, 1e-5, 1e-5);
    MORTISE_CHECK_CLOSE((*block.down)(h), out, 1e-5, 1e-5);

    const std::vector<int64_t> borders = {0, 1, 3};
    const at::Tensor le = block.named("model.layers.1.mlp.experts.down_proj.ia3.l");
    const at::Tensor mixed = (*block.experts)(h, borders);
    MORTISE_CHECK_CLOSE(mixed.narrow(0, 1, 2),
                        at::matmul(h.narrow(0, 1, 2) * le[1], block.experts->weight()[1].t()),
                        1e-5,
                        1e-5);
    adapter->merge();
    MORTISE_CHECK_CLOSE((*block.k)(x), key, 1e-5, 1e-5);
    MORTISE_CHECK_CLOSE((*block.down)(h), out, 1e-5, 1e-5);
    MORTISE_CHECK_CLOSE((*block.experts)(h, borders), mixed, 1e-5, 1e-5);
  }

  TEST_CASE("trains the vectors only, and names them as PEFT does") {
    Block block;
    const auto adapter = testing::make<Adapter>("ia3", {block.build, &block, 4, 2, {}, false});
    for (NamedTensor& tensor : block.parameters())
      CHECK(tensor.tensor.requires_grad() == tensor.name.ends_with(".ia3.l"));
    const auto tensors = adapter->file_tensors();
    REQUIRE(tensors.size() == 5);
    CHECK(tensors[0].name == "base_model.model.model.layers.0.self_attn.k_proj.ia3_l");
    CHECK(tensors[4].name == "base_model.model.model.layers.1.mlp.experts.1.down_proj.ia3_l");
    CHECK(tensors[4].tensor.sizes() == at::IntArrayRef({1, 5}));
  }

  TEST_CASE("a key of PEFT that changes the maths is refused, unless it is switched off") {
    Block block;
    Value file = Value::table();
    for (const char* key : {"target_modules", "feedforward_modules"})
      file[key] = Value::Array{Value("down_proj")};
    file["modules_to_save"] = Value();
    file["exclude_modules"] = Value::array();
    file["fan_in_fan_out"] = false;
    CHECK_NOTHROW(testing::make<Adapter>("ia3", {block.build, &block, 4, 2, file, false}));
    file["fan_in_fan_out"] = true;
    Block other;
    CHECK_THROWS_WITH_AS(testing::make<Adapter>("ia3", {other.build, &other, 4, 2, file, false}),
                         doctest::Contains("`fan_in_fan_out` is set"),
                         Error);
  }

  TEST_CASE("a feed-forward pattern outside the targets is refused") {
    Block block;
    Value none = Value::array();
    none.as_array().emplace_back("up_proj");
    CHECK_THROWS_WITH_AS(
        testing::make<Adapter>(
            "ia3", {block.build, &block, 4, 2, {}, false}, {{"feedforward", none}}),
        doctest::Contains("\"up_proj\" matches nothing"),
        Error);
  }
}
