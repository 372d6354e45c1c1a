#include "warmup_cosine.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using schedule::warmup_cosine::WarmupCosine;

TEST_SUITE("schedule.warmup_cosine") {
  TEST_CASE("equals transformers on every golden case, and holds the floor after the end") {
    const std::string path = MORTISE_SOURCE_DIR "/tests/golden/optim/schedule.json";
    const Value golden = parse_json(read_file(path), path);
    REQUIRE(golden.at("cases").as_array().size() > 5);
    for (const Value& item : golden.at("cases").as_array()) {
      const WarmupCosine schedule({.warmup = item.at("warmup_steps").as_float(),
                                   .min_ratio = item.at("min_ratio").as_float()},
                                  {.total_steps = item.at("total_steps").as_int()});
      const auto& expected = item.at("mortise").as_array();
      for (size_t s = 0; s < expected.size(); ++s) {
        INFO("warmup " << item.at("warmup_steps").as_int() << " total "
                       << item.at("total_steps").as_int() << " step " << s);
        CHECK(std::abs(schedule.factor(static_cast<int64_t>(s)) - expected[s].as_float()) <= 1e-15);
      }
    }
  }

  TEST_CASE("a fraction counts from all steps") {
    const WarmupCosine schedule({.warmup = 0.25}, {.total_steps = 8});
    CHECK(schedule.factor(1) == 0.5);
    CHECK(schedule.factor(2) == 1.0);
    CHECK(schedule.factor(5) == doctest::Approx(0.5));
  }

  TEST_CASE("a run that is all warm-up never falls") {
    const WarmupCosine schedule({.warmup = 4}, {.total_steps = 4});
    CHECK(schedule.factor(3) == 0.75);
    CHECK(schedule.factor(4) == 1.0);
  }

  TEST_CASE("a warm-up longer than the run, or of half steps, is refused") {
    CHECK_THROWS_WITH_AS(WarmupCosine({.warmup = 11}, {.total_steps = 10}),
                         doctest::Contains("11 steps are more than the 10"),
                         Error);
    CHECK_THROWS_WITH_AS(WarmupCosine({.warmup = 2.5}, {.total_steps = 10}),
                         doctest::Contains("whole steps"),
                         Error);
  }
}
