#include <doctest/doctest.h>
#include <mortise/architecture.hpp>
#include <mortise/json.hpp>
#include <mortise/testing.hpp>

TEST_CASE("the width becomes the model's width") {
  const auto architecture = mortise::testing::make<mortise::Architecture>("@NAME@");
  const mortise::Value config = mortise::parse_json(R"({"model_type": "@NAME@", "vocab_size": 8, "width": 4, "layers": 2})");
  CHECK(architecture->recognises(config));
  CHECK(architecture->to_spec(config).at("width").as_int() == 4);
}
