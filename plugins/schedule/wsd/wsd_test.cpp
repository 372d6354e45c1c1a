#include "wsd.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using schedule::wsd::Wsd;

TEST_SUITE("schedule.wsd") {
  TEST_CASE("equals transformers' get_wsd_schedule, whose warm-up starts at the floor") {
    const std::string path = MORTISE_SOURCE_DIR "/tests/golden/optimizers.json";
    const Value golden = parse_json(read_file(path), path);
    const auto& cases = golden.at("schedules").at("wsd").as_array();
    REQUIRE(cases.size() == 5);
    for (const Value& item : cases) {
      const double floor = item.at("min_ratio").as_float();
      const int64_t warmup = item.at("warmup").as_int(), decay = item.at("decay").as_int();
      const Wsd schedule({.warmup = static_cast<double>(warmup),
                          .decay = static_cast<double>(decay),
                          .shape = item.at("shape").as_string(),
                          .min_ratio = floor},
                         {.total_steps = item.at("total").as_int()});
      const auto& expected = item.at("factors").as_array();
      // Without a decay the library falls to the floor behind the last step; ours stays.
      const auto count = static_cast<int64_t>(expected.size()) - (decay == 0 ? 1 : 0);
      for (int64_t s = 0; s < count; ++s) {
        INFO(item.at("shape").as_string() << " step " << s);
        const double ours = schedule.factor(s);
        CHECK(std::abs((s < warmup ? floor + (1 - floor) * ours : ours) -
                       expected[static_cast<size_t>(s)].as_float()) < 1e-14);
      }
    }
  }

  TEST_CASE("an exponential decay falls by one ratio a step, down to the floor") {
    const Wsd schedule({.decay = 4, .shape = "exponential", .min_ratio = 0.0625},
                       {.total_steps = 10});
    CHECK(schedule.factor(5) == 1.0);
    CHECK(schedule.factor(6) == 1.0);
    CHECK(schedule.factor(7) == doctest::Approx(0.5));
    CHECK(schedule.factor(9) == doctest::Approx(0.125));
    CHECK(schedule.factor(10) == doctest::Approx(0.0625));
    CHECK(schedule.factor(99) == doctest::Approx(0.0625));
  }

  TEST_CASE("fractions count from all steps") {
    const Wsd schedule({.warmup = 0.1, .decay = 0.2}, {.total_steps = 50});
    CHECK(schedule.factor(4) == 0.8);
    CHECK(schedule.factor(5) == 1.0);
    CHECK(schedule.factor(40) == 1.0);
    CHECK(schedule.factor(41) == 0.9);
  }

  TEST_CASE("warm-up and decay that overlap are refused") {
    CHECK_THROWS_WITH_AS(Wsd({.warmup = 6, .decay = 5}, {.total_steps = 10}),
                         doctest::Contains("6 + 5 steps are more than the 10"),
                         Error);
  }
}
