#include "mortise/names.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using namespace mortise;

namespace {

const std::vector<std::string> kNames = {"model.embed_tokens.weight",
                                         "model.layers.0.self_attn.q_proj.weight",
                                         "model.layers.0.input_layernorm.weight",
                                         "model.layers.1.self_attn.q_proj.weight",
                                         "model.layers.1.input_layernorm.weight"};

}  // namespace

TEST_SUITE("sdk.names") {
  TEST_CASE("a pattern with a typing error becomes the nearest one that matches") {
    CHECK(nearest_pattern("*.q_prj.*", kNames) == "*.q_proj.*");
    CHECK(nearest_pattern("model.layer.*.q_proj.weight", kNames) == "model.layers.*.q_proj.weight");
    CHECK(nearest_pattern("q_proj", kNames) == "*q_proj*");
    CHECK(nearest_pattern("*.input_layer_norm.*", kNames) == "*.input_layernorm.*");
    CHECK(nearest_pattern("*experts*", kNames).empty());
    CHECK(nearest_pattern("q", {}).empty());
  }

  TEST_CASE("what matches nothing is told with what there is, each once, and with the fix") {
    try {
      throw_no_match(
          "optimizer.groups.a.match = \"*experts*\"", "*experts*", kNames, "write whole");
    } catch (const Error& error) {
      CHECK(error.code() == Code::Usage);
      CHECK(error.message() ==
            "optimizer.groups.a.match = \"*experts*\" matches nothing in this model; it has: "
            "model.embed_tokens.weight, model.layers.*.self_attn.q_proj.weight, "
            "model.layers.*.input_layernorm.weight");
      CHECK(error.hint() == "write whole");
    }
    try {
      throw_no_match("x", "q_prj", {"q_proj", "k_proj"}, "");
    } catch (const Error& error) {
      CHECK(error.hint() == "did you mean \"q_proj\"?");
    }
    CHECK_THROWS_WITH_AS(
        throw_no_match("x", "y", {}, ""), doctest::Contains("it has: nothing"), Error);
  }
}
