#include "parameter_schema.hpp"

#include <doctest/doctest.h>

#include "mortise/schema.hpp"

#include "parameter_text.hpp"

using namespace mortise;

namespace {

struct Part {
  using Interface = Part;
  using Args = NoArgs;
  static constexpr const char* kInterface = "part/1.0";
};

struct Config {
  double rate = 0.1;
  std::string mode = "auto";
  int64_t buffer = 4096;
  std::vector<int64_t> sizes = {1, 2};
  std::map<std::string, double> shares;
  Use<Part> part;

  static void describe(Schema<Config>& s) {
    s.field("rate", &Config::rate, "how fast").above(0).max(1);
    s.field("mode", &Config::mode, "how").one_of({"auto", "eager"});
    s.field("buffer", &Config::buffer, "read ahead").unit("bytes");
    s.field("sizes", &Config::sizes, "widths");
    s.field("shares", &Config::shares, "by name");
    s.field("part", &Config::part, "what stands inside").required();
  }
};

const std::vector<FieldInfo>& fields() {
  static const std::vector<FieldInfo> all = describe<Config>().info().fields;
  return all;
}

}  // namespace

TEST_SUITE("sdk.parameter_schema") {
  TEST_CASE("types, ranges, choices, units and defaults of a table") {
    ParameterSchemas schemas([](std::string_view) { return std::vector<SchemaChoice>(); });
    const Value table = schemas.table(fields(), "a table");
    CHECK(table.at("description") == Value("a table"));
    CHECK(table.at("additionalProperties") == Value(false));
    const Value& rate = table.at("properties").at("rate");
    CHECK(rate.at("default") == Value(0.1));
    CHECK(rate.at("anyOf").as_array()[0].at("exclusiveMinimum") == Value(0.0));
    CHECK(rate.at("anyOf").as_array()[0].at("maximum") == Value(1.0));
    CHECK(rate.at("anyOf").as_array()[1].at("pattern") == Value("\\$\\{"));
    const Value& mode = table.at("properties").at("mode");
    CHECK(mode.at("anyOf").as_array()[0].at("enum").as_array().size() == 2);
    const Value& buffer = table.at("properties").at("buffer");
    CHECK(buffer.at("description").as_string().find("(bytes; ") != std::string::npos);
    CHECK(table.at("properties").at("sizes").at("items").at("anyOf").as_array().size() == 2);
    CHECK(table.at("properties").at("shares").at("additionalProperties").find("anyOf") != nullptr);
  }

  TEST_CASE("a kind that holds itself is one entry of $defs, told apart by type") {
    ParameterSchemas schemas([](std::string_view kind) {
      std::vector<SchemaChoice> choices;
      if (kind == "part") choices = {{"plain", "ends", {}}, {"nested", "goes on", fields()}};
      return choices;
    });
    const Value root = schemas.finish(schemas.table(fields(), ""));
    CHECK(root.at("properties").at("part").at("$ref") == Value("#/$defs/part"));
    const Value& part = root.at("$defs").at("part");
    REQUIRE(part.at("anyOf").as_array().size() == 2);
    const Value& nested = part.at("anyOf").as_array()[1];
    CHECK(nested.at("properties").at("type").at("const") == Value("nested"));
    CHECK(nested.at("required") == Value(Value::Array{"type"}));
    CHECK(nested.at("properties").at("part").at("$ref") == Value("#/$defs/part"));
    CHECK(root.at("$defs").as_table().size() == 1);
  }

  TEST_CASE("a kind that nobody provides is any table") {
    ParameterSchemas schemas([](std::string_view) { return std::vector<SchemaChoice>(); });
    CHECK(schemas.component("router", {}).at("type") == Value("object"));
  }
}

TEST_SUITE("sdk.parameter_text") {
  TEST_CASE("parameters as a reference shows them") {
    std::vector<std::string> paths;
    const auto rows = flatten(fields(), paths);
    REQUIRE(rows.size() == 6);
    CHECK(paths[0] == "rate");
    CHECK(type_text(*rows[0]) == "float");
    CHECK(range_text(*rows[0]) == "(0, 1]");
    CHECK(default_text(*rows[0]) == "0.1");
    CHECK(range_text(*rows[1]) == "one of auto, eager");
    CHECK(range_text(*rows[2]) == "bytes");
    CHECK(type_text(*rows[3]) == "array of integer");
    CHECK(default_text(*rows[3]) == "[1, 2]");
    CHECK(type_text(*rows[5]) == "component part");
    CHECK(default_text(*rows[5]) == "required");
  }
}
