#include "plateau.hpp"

#include <cmath>
#include <map>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using schedule::plateau::Plateau;

namespace {

// What a checkpoint holds: text, as state.json has it.
class TextState : public StateIo {
 public:
  bool loading() const override { return loading_; }

  void value(std::string_view name, Value& value) override {
    if (loading_)
      value = parse_json(texts_.at(std::string(name)), "state");
    else
      texts_[std::string(name)] = to_json(value);
  }

  void tensor(std::string_view, at::Tensor&) override { FAIL("a plateau has no tensors"); }

  void rewind() { loading_ = true; }

 private:
  std::map<std::string, std::string> texts_;
  bool loading_ = false;
};

Plateau::Config config_of(const Value& item) {
  return {.metric = "ppl.perplexity",
          .mode = item.at("mode").as_string(),
          .factor = item.at("factor").as_float(),
          .patience = item.at("patience").as_int(),
          .threshold = item.at("threshold").as_float(),
          .threshold_mode = item.at("threshold_mode").as_string(),
          .cooldown = item.at("cooldown").as_int(),
          .min_factor = item.at("min_factor").as_float()};
}

}  // namespace

TEST_SUITE("schedule.plateau") {
  TEST_CASE("equals torch's ReduceLROnPlateau, also when it is resumed after every score") {
    const std::string path = MORTISE_SOURCE_DIR "/tests/golden/optimizers.json";
    const Value golden = parse_json(read_file(path), path);
    const auto& cases = golden.at("schedules").at("plateau").as_array();
    REQUIRE(cases.size() == 5);
    for (const Value& item : cases) {
      auto schedule = std::make_unique<Plateau>(config_of(item), ScheduleArgs{1000});
      const auto& expected = item.at("factors").as_array();
      const auto& scores = item.at("scores").as_array();
      CHECK(expected.back().as_float() < 1);  // it does react
      for (size_t k = 0; k < expected.size(); ++k) {
        INFO(item.at("mode").as_string() << item.at("threshold_mode").as_string() << " " << k);
        CHECK(schedule->factor(500) == expected[k].as_float());
        schedule->observe("ppl.perplexity", scores[k].as_float());
        TextState state;
        schedule->state(state);
        state.rewind();
        schedule = std::make_unique<Plateau>(config_of(item), ScheduleArgs{1000});
        schedule->state(state);
      }
    }
  }

  TEST_CASE("a score that is not a number counts as bad, also as the first") {
    Plateau schedule({.metric = "a.b", .factor = 0.5, .patience = 1}, {100});
    schedule.observe("a.b", NAN);
    CHECK(schedule.factor(0) == 1.0);
    schedule.observe("a.b", NAN);
    CHECK(schedule.factor(0) == 0.5);
    schedule.observe("a.b", 3.0);
    schedule.observe("a.b", NAN);
    CHECK(schedule.factor(0) == 0.5);
  }

  TEST_CASE("other evaluations are not its business") {
    Plateau schedule({.metric = "ppl.perplexity", .factor = 0.5, .patience = 0}, {100});
    for (int k = 0; k < 5; ++k) schedule.observe("rouge.rouge1_f", 1.0);
    CHECK(schedule.factor(0) == 1.0);
  }

  TEST_CASE("a score that its evaluation never gives is refused, with the ones it gives") {
    Plateau schedule({.metric = "ppl.perplexty"}, {100});
    schedule.observe("ppl.perplexity", 30);
    schedule.observe("ppl.bits_per_byte", 2);
    CHECK_THROWS_WITH_AS(schedule.observe("ppl.perplexity", 29),
                         doctest::Contains("\"ppl.perplexty\", but this evaluation gives "
                                           "ppl.bits_per_byte, ppl.perplexity"),
                         Error);
  }

  TEST_CASE("warms up before and below what the scores decide") {
    Plateau schedule({.metric = "a.b", .factor = 0.5, .patience = 0, .warmup = 0.1}, {100});
    CHECK(schedule.factor(5) == 0.5);
    schedule.observe("a.b", 1);
    schedule.observe("a.b", 1);
    CHECK(schedule.factor(5) == 0.25);
    CHECK(schedule.factor(10) == 0.5);
  }
}
