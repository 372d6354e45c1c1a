#include "mortise/random.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace mortise;

TEST_SUITE("sdk.random") {
  TEST_CASE("Philox gives the published numbers") {
    // Random123 known-answer test: counter 0, key 0.
    Philox zero(0, 0);
    CHECK(zero.next_u32() == 0x6627e8d5u);
    CHECK(zero.next_u32() == 0xe169c58du);
    CHECK(zero.next_u32() == 0xbc57ac4cu);
    CHECK(zero.next_u32() == 0x9b00dbd8u);
  }

  TEST_CASE("permute_index visits every index once") {
    for (const int64_t size : {1, 2, 7, 64, 1000}) {
      std::vector<int> seen(static_cast<size_t>(size), 0);
      for (int64_t i = 0; i < size; ++i) ++seen[static_cast<size_t>(permute_index(i, size, 42))];
      for (const int count : seen) CHECK(count == 1);
    }
  }

  TEST_CASE("another key gives another order") {
    int equal = 0;
    for (int64_t i = 0; i < 1000; ++i)
      equal += permute_index(i, 1000, 1) == permute_index(i, 1000, 2);
    CHECK(equal < 20);
  }
}
