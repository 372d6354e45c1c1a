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

  TEST_CASE("an activation names a form of GELU, and heads must divide the width") {
    const Value json = parse_json(R"({"a": "gelu", "b": "gelu_fast", "c": "relu", "heads": 4})");
    HfConfig config(json, "test");
    CHECK(config.gelu_form("a", "gelu_new") == "exact");
    CHECK(config.gelu_form("b", "gelu") == "tanh");
    CHECK(config.gelu_form("absent", "gelu_new") == "tanh");
    CHECK_THROWS_WITH_AS(
        config.gelu_form("c", "gelu"),
        doctest::Contains("`c` is \"relu\", and test knows only \"gelu\", \"gelu_new\", "
                          "\"gelu_fast\" and \"gelu_pytorch_tanh\""),
        DataError);
    CHECK(config.divisor("heads", "width", 12) == 4);
    CHECK_THROWS_WITH_AS(
        config.divisor("heads", "width", 10),
        doctest::Contains("`heads` is 4, and test knows only divisors of width, 10"),
        DataError);
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
    Value position = HfConfig(v4, "test").rope_position(keys, 64);
    CHECK(position.at("type").as_string() == "rope");
    position.erase("type");
    CHECK(position == rope);
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

  TEST_CASE("one kind of layer is of a known type and takes the model's norm") {
    Value spec = parse_json(R"({"norm": {"type": "n"}, "layer": {"a": {"type": "prenorm"}}})");
    const SpecReader reader(spec, "test");
    Value& layer = spec["layer"]["a"];
    CHECK(&reader.one_kind({"parallel", "prenorm"}, {"type", "norm"}) == &layer);
    layer["norm"]["type"] = "n";
    CHECK_NOTHROW(reader.one_kind({"prenorm"}, {"type", "norm"}));
    layer["norm"]["type"] = "other";
    CHECK_THROWS_WITH_AS(reader.one_kind({"prenorm"}, {"type", "norm"}),
                         doctest::Contains("model.layer.*.norm: got another norm than model.norm"),
                         Error);
    CHECK_THROWS_WITH_AS(reader.one_kind({"parallel", "moe"}, {"type"}),
                         doctest::Contains("model.layer.*.type: got \"prenorm\", and it knows only "
                                           "\"parallel\" and \"moe\""),
                         Error);
    const Value more = layer;
    spec["layer"]["b"] = more;
    spec["layer"]["b"]["width"] = 3;
    CHECK_NOTHROW(reader.same_in_all("type"));
    CHECK_THROWS_WITH_AS(reader.one_kind({"prenorm"}, {"type", "width"}),
                         doctest::Contains("(`width` differs)"),
                         Error);
  }

  TEST_CASE("a flag is what it must be, and absent what it is by default") {
    const Value spec = parse_json(R"({"norm": {"bias": false}})");
    const SpecReader reader(spec, "test");
    const Value& norm = spec.at("norm");
    CHECK_NOTHROW(reader.want_flag("model.norm", norm, "bias", true, false));
    CHECK_NOTHROW(reader.want_flag("model.norm", norm, "absent", true, true));
    CHECK_THROWS_WITH_AS(reader.want_flag("model.norm", norm, "bias", true, true),
                         doctest::Contains("model.norm.bias: got false, and it knows only true"),
                         Error);
    CHECK_THROWS_WITH_AS(reader.want_flag("model.norm", norm, "absent", true, false),
                         doctest::Contains("model.norm.absent: got true, and it knows only false"),
                         Error);
  }

  TEST_CASE("plain heads have all keys of their own, the usual width, no norm and no window") {
    const Value spec = parse_json(R"({"width": 12})");
    const SpecReader reader(spec, "test");
    const Value plain =
        parse_json(R"({"heads": 3, "kv_heads": 3, "head_dim": 4, "qk_norm": null})");
    CHECK_NOTHROW(reader.want_plain_heads(plain));
    CHECK_NOTHROW(reader.want_plain_heads(parse_json(R"({"heads": 3})")));
    const std::pair<const char*, const char*> cases[] = {{"kv_heads", "got 1"},
                                                         {"head_dim", "got 1"},
                                                         {"qk_norm", "got one"},
                                                         {"sliding_window", "got one"}};
    for (const auto& [key, found] : cases) {
      Value other = plain;
      other[key] = 1;
      const std::string message = fmt::format("attention.{}: {}", key, found);
      CHECK_THROWS_WITH_AS(
          reader.want_plain_heads(other), doctest::Contains(message.c_str()), Error);
    }
  }

  TEST_CASE("the position of an attention is written when it turns, and refused otherwise") {
    const Value spec = Value::table();
    const SpecReader reader(spec, "test");
    Value config = Value::table();
    reader.write_position(
        parse_json(R"({"position": {"type": "rope", "theta": 7.0}})"), {}, config);
    CHECK(config.at("rope_theta").as_float() == 7);
    reader.write_position(spec, {}, config);
    CHECK(config.at("rope_theta").as_float() == 10000);
    CHECK_THROWS_WITH_AS(
        reader.write_position(parse_json(R"({"position": {"type": "none"}})"), {}, config),
        doctest::Contains("attention.position.type: got \"none\", and it knows only \"rope\""),
        Error);
  }

  TEST_CASE("absent and null parameters read alike") {
    const Value spec = parse_json(R"({"a": 3, "b": null, "init": {"std": 0.5}})");
    const Value none = parse_json(R"({"init": null})");
    CHECK(present_int(spec, "a", 7) == 3);
    CHECK(present_int(spec, "b", 7) == 7);
    CHECK(present_int(spec, "c", 7) == 7);
    CHECK(SpecReader(spec, "test").init_std() == 0.5);
    CHECK(SpecReader(none, "test").init_std() == 0.02);
  }
}
