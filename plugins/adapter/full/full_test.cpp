#include "full.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/testing.hpp"
#include "mortise/torch/linear.hpp"

using namespace mortise;

namespace {

struct Block final : Module {
  Block() {
    add_child("model.embed_tokens", std::make_shared<Linear>(build, 2, 2));
    add_child("model.layers.0.self_attn.q_proj", std::make_shared<Linear>(build, 2, 2));
    add_child("model.layers.10.self_attn.q_proj", std::make_shared<Linear>(build, 2, 2));
  }

  BuildContext build;
};

std::string trained(const Value& freeze) {
  Block block;
  const auto adapter =
      testing::make<Adapter>("full", {block.build, &block, 2, 2}, {{"freeze", freeze}});
  std::string names;
  for (NamedTensor& tensor : block.parameters())
    if (tensor.tensor.requires_grad()) names += tensor.name + " ";
  return names;
}

Value list(std::initializer_list<const char*> names) {
  Value out = Value::array();
  for (const char* name : names) out.as_array().emplace_back(name);
  return out;
}

}  // namespace

TEST_SUITE("adapter.full") {
  TEST_CASE("trains all that no pattern freezes") {
    CHECK(trained(list({})) ==
          "model.embed_tokens.weight model.layers.0.self_attn.q_proj.weight "
          "model.layers.10.self_attn.q_proj.weight ");
    CHECK(trained(list({"embed_tokens", "model.layers.0"})) ==
          "model.layers.10.self_attn.q_proj.weight ");
    CHECK(trained(list({"*.weight"})).empty());
  }

  TEST_CASE("a pattern that freezes nothing is refused") {
    CHECK_THROWS_WITH_AS(
        trained(list({"embed_token"})), doctest::Contains("matches nothing"), Error);
  }
}
