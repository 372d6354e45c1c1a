// Reading config.json: getters, what is unread, rotary keys of both dialects, and layers of a
// specification.
#include "mortise/hf_config.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"

using namespace mortise;

namespace {

/// The warnings that `call` writes.
template <class Call>
std::string warnings_of(Call call) {
  std::string text;
  log::set_sink(
      [](void* context, log::Level, std::string_view line) {
        static_cast<std::string*>(context)->append(line);
      },
      &text,
      log::Level::Warn);
  call();
  log::set_sink(nullptr, nullptr, log::Level::Warn);
  return text;
}

}  // namespace

TEST_SUITE("sdk.hf_config") {
  TEST_CASE("getters tell the key, what was expected and what was found") {
    const Value json = parse_json(R"({"a": 3, "b": "x", "c": null, "d": 0, "e": true})");
    HfConfig config(json, "test", "place.");
    CHECK(config.positive("a") == 3);
    CHECK(config.positive("c", 7) == 7);
    CHECK(config.number("a", 0) == 3.0);
    CHECK(config.text("b", "") == "x");
    CHECK(config.flag("e", false));
    CHECK(config.has_null("c"));
    CHECK_FALSE(config.has_null("absent"));
    CHECK_THROWS_WITH_AS(
        config.positive("c"), doctest::Contains("config.json has no `place.c`"), DataError);
    CHECK_THROWS_WITH_AS(config.positive("d"),
                         "config.json: `place.d` must be a positive integer, got 0",
                         DataError);
    CHECK_THROWS_WITH_AS(config.flag("b", true),
                         "config.json: `place.b` must be true or false, got \"x\"",
                         DataError);
    CHECK_THROWS_WITH_AS(
        config.number("b", 1), "config.json: `place.b` must be a number, got \"x\"", DataError);
    CHECK_NOTHROW(config.only("a", 3.0));
    CHECK_THROWS_WITH_AS(
        config.only("a", 4), doctest::Contains("`place.a` is 3, and test knows only 4"), DataError);
  }

  TEST_CASE("keys that nobody asked for are told, neutral ones are not") {
    const Value json =
        parse_json(R"({"model_type": "x", "read": 1, "known": 2, "odd": 3, "drop": 0.1})");
    const std::string text = warnings_of([&] {
      HfConfig config(json, "test");
      config.positive("read");
      config.ignore({"known"});
      config.warn_of_dropout({"drop", "absent"});
      config.warn_of_unread();
    });
    CHECK(text.find("ignores: odd") != std::string::npos);
    CHECK(text.find("train without: drop") != std::string::npos);
  }

  TEST_CASE("rotary keys of both dialects read alike, and what is written reads back") {
    const RopeKeys keys = {"base", "part", 0.25};
    const Value v4 = parse_json(
        R"({"base": 500, "part": 0.5, "rope_scaling": {"type": "linear", "factor": 3.0}})");
    const Value v5 = parse_json(R"({"rope_parameters": {"rope_type": "linear", "factor": 3.0,
                                     "rope_theta": 500, "partial_rotary_factor": 0.5}})");
    const Value rope = HfConfig(v4, "test").rope(keys, 64);
    CHECK(rope == HfConfig(v5, "test").rope(keys, 64));
    CHECK(rope.at("fraction").as_float() == 0.5);
    CHECK(reach_of_rope(rope, 64) == 64);
    Value written = Value::table();
    const Value spec = Value::table();
    SpecReader(spec, "test").write_rope(rope, keys, written);
    CHECK(HfConfig(written, "test").rope(keys, 64) == rope);
    CHECK(HfConfig(spec, "test").rope(keys, 64).at("fraction").as_float() == 0.25);
  }

  TEST_CASE("layers come in order, each as often as it repeats") {
    const Value spec = parse_json(R"({"layer": {"late": {"order": 2, "x": 1},
                                                "early": {"order": 1, "repeat": 2, "x": 2}}})");
    const SpecReader reader(spec, "test");
    std::vector<int64_t> found;
    for (const Value* layer : reader.layers()) found.push_back(layer->at("x").as_int());
    CHECK((found == std::vector<int64_t>{2, 2, 1}));
    CHECK_NOTHROW(reader.same_in_all("y"));
    CHECK_THROWS_WITH_AS(
        reader.same_in_all("x"), doctest::Contains("layers of several kinds (`x` differs)"), Error);
  }
}
