#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/tokenizer.hpp>

TEST_CASE("decoding inverts encoding") {
  const auto tokenizer = mortise::testing::make<mortise::Tokenizer>("@NAME@");
  CHECK(tokenizer->decode(tokenizer->encode("na\xc3\xafve", {}).ids, true) == "na\xc3\xafve");
}
