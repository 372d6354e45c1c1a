#include "toml_print.hpp"

#include <doctest/doctest.h>

using namespace mortise;

TEST_SUITE("sdk.toml_print") {
  TEST_CASE(
      "values stand as TOML writes them: floats exact and short, keys quoted when they must") {
    CHECK(toml_inline(Value(0.1)) == "0.1");
    CHECK(toml_inline(Value(2.0)) == "2.0");
    CHECK(toml_inline(Value("a\"b\n")) == "\"a\\\"b\\n\"");
    CHECK(toml_inline(Value(Value::Array{1, "x"})) == "[1, \"x\"]");
    CHECK(toml_key("a_b-1") == "a_b-1");
    CHECK(toml_key("a.b") == "\"a.b\"");
  }

  TEST_CASE("a document has headers, comments, and no text that a recipe would replace") {
    Value root = Value::table();
    root["a"]["text"] = "${x}";
    root["a"]["b c"]["n"] = 1;
    const std::string text =
        toml_document(root, [](const std::string& path) { return path == "a.text" ? "here" : ""; });
    CHECK(text == "[a]\ntext = \"$${x}\"  # here\n\n[a.\"b c\"]\nn = 1\n");
  }
}
