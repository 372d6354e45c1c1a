#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/device.hpp>

TEST_CASE("there is memory") { CHECK(mortise::testing::make<mortise::Device>("@NAME@")->total_bytes() > 0); }
