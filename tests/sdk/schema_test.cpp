#include "mortise/schema.hpp"

#include <doctest/doctest.h>

using namespace mortise;

namespace {

struct Inner {
  int64_t depth = 2;

  static void describe(Schema<Inner>& s) { s.field("depth", &Inner::depth, "levels").min(1); }
};

struct Config {
  double lr = 0.1;
  std::vector<int64_t> sizes = {1, 2};
  std::optional<std::string> note;
  Inner inner;
  std::map<std::string, double> weights;

  static void describe(Schema<Config>& s) {
    s.field("lr", &Config::lr, "learning rate").above(0).max(1);
    s.field("sizes", &Config::sizes, "widths").one_of({1, 2, 4});
    s.field("note", &Config::note, "free text").names_score();
    s.field("inner", &Config::inner, "nested");
    s.field("weights", &Config::weights, "by name");
    s.rule("lr < 0.5 or inner.depth > 1", "a large lr needs depth");
    s.provides("varlen", "inner.depth > 1");
  }
};

}  // namespace

TEST_SUITE("sdk.schema") {
  TEST_CASE("a schema survives its JSON form") {
    const Value value = describe<Config>().info().to_value();
    CHECK(SchemaInfo::from_value(value).to_value() == value);
    CHECK(SchemaInfo::from_value(value).find("note")->names_score);
    CHECK_FALSE(SchemaInfo::from_value(value).find("lr")->names_score);
  }

  TEST_CASE("a table fills the struct and the rest keeps its defaults") {
    Value table;
    table["lr"] = 1;
    table["inner"]["depth"] = 5;
    table["weights"]["a"] = 0.5;
    const Config config = describe<Config>().read(table, nullptr);
    CHECK(config.lr == 1.0);
    CHECK(config.inner.depth == 5);
    CHECK(config.weights.at("a") == 0.5);
    CHECK(config.sizes == std::vector<int64_t>{1, 2});
    CHECK_FALSE(config.note.has_value());
  }

  TEST_CASE("defaults are the members' initialisers") {
    const SchemaInfo info = describe<Config>().info();
    CHECK(info.find("lr")->default_value == Value(0.1));
    CHECK(info.find("note")->optional);
    CHECK(info.find("inner")->nested.front().default_value == Value(2));
  }
}
