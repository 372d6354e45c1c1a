#include "cyclic.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using schedule::cyclic::Cyclic;

TEST_SUITE("schedule.cyclic") {
  TEST_CASE("equals torch's CyclicLR in all three modes") {
    const std::string path = MORTISE_SOURCE_DIR "/tests/golden/optimizers.json";
    const Value golden = parse_json(read_file(path), path);
    const auto& cases = golden.at("schedules").at("cyclic").as_array();
    REQUIRE(cases.size() == 4);
    for (const Value& item : cases) {
      const Cyclic schedule({.up = item.at("up").as_float(),
                             .down = item.at("down").as_float(),
                             .mode = item.at("mode").as_string(),
                             .gamma = item.at("gamma").as_float(),
                             .min_ratio = item.at("min_ratio").as_float()},
                            {.total_steps = 60});
      const auto& expected = item.at("factors").as_array();
      REQUIRE(expected.size() == 60);
      for (size_t s = 0; s < expected.size(); ++s) {
        INFO(item.at("mode").as_string() << " step " << s);
        CHECK(std::abs(schedule.factor(static_cast<int64_t>(s)) - expected[s].as_float()) < 1e-13);
      }
    }
  }

  TEST_CASE("a fraction counts from all steps, and `down` follows `up` when it is 0") {
    const Cyclic schedule({.up = 0.1, .min_ratio = 0.5}, {.total_steps = 40});
    CHECK(schedule.factor(0) == 0.5);
    CHECK(schedule.factor(4) == 1.0);
    CHECK(schedule.factor(8) == 0.5);
    CHECK(schedule.factor(12) == 1.0);
  }

  TEST_CASE("a run too short for a fraction still has cycles of whole steps") {
    const Cyclic schedule({.up = 0.1, .min_ratio = 0}, {.total_steps = 3});
    CHECK(schedule.factor(0) == 0.0);
    CHECK(schedule.factor(1) == 1.0);
  }

  TEST_CASE("half a step is refused by name") {
    CHECK_THROWS_WITH_AS(
        Cyclic({.up = 2.5}, {.total_steps = 10}), doctest::Contains("up: expected whole"), Error);
  }
}
