// Loops over threads: that they run on several at all (they once did not, for want of a compiler
// flag), cover the range once, stay on one inside another loop, and hand on what is thrown.
#include "mortise/torch/parallel_for.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

using mortise::parallel_for;

namespace {

/// The threads that a loop over [0, 64) with this grain runs on.
std::set<std::thread::id> threads_of(int64_t grain) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(0, 64, grain, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  return threads;
}

}  // namespace

TEST_SUITE("sdk.parallel") {
  TEST_CASE("a loop runs on as many threads as were set, or on one when it is short") {
    at::set_num_threads(3);
    CHECK(threads_of(1).size() == 3);
    CHECK(threads_of(64) == std::set{std::this_thread::get_id()});
    at::set_num_threads(1);
    CHECK(threads_of(1) == std::set{std::this_thread::get_id()});
    at::set_num_threads(2);
  }

  TEST_CASE("every index is visited once, and nothing of an empty range") {
    at::set_num_threads(3);
    std::vector<std::atomic<int>> visits(101);
    parallel_for(1, 101, 7, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
    });
    for (size_t i = 0; i < visits.size(); ++i) CHECK(visits[i] == (i == 0 ? 0 : 1));
    parallel_for(5, 5, 1, [](int64_t, int64_t) { FAIL("called for an empty range"); });
    at::set_num_threads(2);
  }

  TEST_CASE("a loop inside a loop stays on its thread") {
    std::atomic<int> strays{0};
    parallel_for(0, 2, 1, [&](int64_t, int64_t) {
      const auto outer = std::this_thread::get_id();
      parallel_for(
          0, 8, 1, [&](int64_t, int64_t) { strays += std::this_thread::get_id() != outer; });
    });
    CHECK(strays == 0);
  }

  TEST_CASE("what the body throws arrives at the caller") {
    CHECK_THROWS_AS(parallel_for(0, 8, 1, [](int64_t, int64_t) { throw std::runtime_error("x"); }),
                    std::runtime_error);
  }
}
