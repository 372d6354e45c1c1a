#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/weight_format.hpp>

TEST_CASE("a tensor is read back") {
  const auto format = mortise::testing::make<mortise::WeightFormat>("@NAME@");
  const auto writer = format->create(MORTISE_BUILD_DIR, {{"a", mortise::Dtype::U8, {2}, 2}});
  const std::byte bytes[] = {std::byte{1}, std::byte{2}};
  writer->write(bytes);
  writer->commit();
  CHECK(format->open(MORTISE_BUILD_DIR)->data(0)[1] == std::byte{2});
}
