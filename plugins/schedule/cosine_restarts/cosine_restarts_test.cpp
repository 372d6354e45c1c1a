#include "cosine_restarts.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using schedule::cosine_restarts::CosineRestarts;

TEST_SUITE("schedule.cosine_restarts") {
  TEST_CASE("equals torch's CosineAnnealingWarmRestarts") {
    const std::string path = MORTISE_SOURCE_DIR "/tests/golden/optimizers.json";
    const Value golden = parse_json(read_file(path), path);
    const auto& cases = golden.at("schedules").at("cosine_restarts").as_array();
    REQUIRE(cases.size() == 4);
    for (const Value& item : cases) {
      const CosineRestarts schedule({.cycle = item.at("cycle").as_float(),
                                     .mult = item.at("mult").as_float(),
                                     .min_ratio = item.at("min_ratio").as_float()},
                                    {.total_steps = 60});
      const auto& expected = item.at("factors").as_array();
      REQUIRE(expected.size() == 60);
      for (size_t s = 0; s < expected.size(); ++s) {
        INFO("cycle " << item.at("cycle").as_int() << " step " << s);
        CHECK(std::abs(schedule.factor(static_cast<int64_t>(s)) - expected[s].as_float()) < 1e-14);
      }
    }
  }

  TEST_CASE("starts its cycles after the warm-up, each peak lower above the floor") {
    const CosineRestarts schedule({.warmup = 4, .cycle = 10, .peak_decay = 0.5, .min_ratio = 0.2},
                                  {.total_steps = 100});
    CHECK(schedule.factor(0) == 0.0);
    CHECK(schedule.factor(3) == 0.75);
    CHECK(schedule.factor(4) == doctest::Approx(1.0));
    CHECK(schedule.factor(9) == doctest::Approx(0.6));
    CHECK(schedule.factor(14) == doctest::Approx(0.2 + 0.8 * 0.5));
    CHECK(schedule.factor(24) == doctest::Approx(0.2 + 0.8 * 0.25));
  }

  TEST_CASE("a fraction counts from all steps, and a broken multiple is rounded to whole steps") {
    const CosineRestarts schedule({.cycle = 0.1, .mult = 1.5}, {.total_steps = 50});
    for (const int64_t start : {0, 5, 5 + 8, 5 + 8 + 11})  // 5, 7.5, 11.25
      CHECK(schedule.factor(start) == 1.0);
    CHECK(schedule.factor(12) < 0.1);
  }

  TEST_CASE("far beyond the end it is still finite") {
    const CosineRestarts schedule({.cycle = 1, .mult = 1.001}, {.total_steps = 10});
    const double factor = schedule.factor(100000);
    CHECK(factor >= 0);
    CHECK(factor <= 1);
  }

  TEST_CASE("a cycle longer than the run is refused") {
    CHECK_THROWS_WITH_AS(CosineRestarts({.cycle = 11}, {.total_steps = 10}),
                         doctest::Contains("cycle: 11 steps are more than the 10"),
                         Error);
  }
}
