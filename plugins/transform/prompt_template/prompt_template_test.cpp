#include "prompt_template.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

using namespace mortise;
using transform::prompt_template::PromptTemplate;

namespace {

Record sample() {
  Record record;
  record.id = "r:1";
  record.fields["lemma"] = "\xE7\x8C\xAB\xF0\x9F\x90\xB1";
  record.fields["lemmas"] = Value::Array{"cat", 2, Value::Array{true, 0.5}};
  record.fields["n"] = 7;
  record.fields["null"] = Value();
  return record;
}

std::string apply(PromptTemplate::Config config) {
  testing::MemorySink sink;
  const std::string output = config.output;
  PromptTemplate(std::move(config)).apply(sample(), sink);
  return sink.kept.empty() ? "dropped: " + sink.dropped.at(0)
                           : sink.kept.at(0).fields.at(output).as_string();
}

void refuse(const char* text, const char* part) {
  CHECK_THROWS_WITH_AS(PromptTemplate({.text = text}), doctest::Contains(part), Error);
}

}  // namespace

TEST_SUITE("transform.prompt_template") {
  TEST_CASE("fields of every kind are written, arrays joined, braces escaped") {
    CHECK(apply({.text = "{lemma}: {lemmas} x{n}\r\n"}) ==
          "\xE7\x8C\xAB\xF0\x9F\x90\xB1: cat, 2, true, 0.5 x7\r\n");
    CHECK(apply({.text = "{lemmas}", .join = "|"}) == "cat|2|true|0.5");
    CHECK(apply({.text = "{{n}} {{{n}}}"}) == "{n} {7}");
    CHECK(apply({.text = "{n}{n}", .output = "n"}) == "77");
    CHECK(apply({.text = "no field", .output = "prompt"}) == "no field");
  }

  TEST_CASE("a missing field stops, is left out or drops the record") {
    CHECK_THROWS_WITH_AS(
        apply({.text = "{lema}"}),
        doctest::Contains(
            "r:1: prompt_template: the field `lema` is missing; there are: lemma, lemmas, n, null"),
        DataError);
    CHECK_THROWS_AS(apply({.text = "{null}"}), DataError);
    CHECK(apply({.text = "<{lema}>", .missing = "empty"}) == "<>");
    CHECK(apply({.text = "{null}", .missing = "drop"}) == "dropped: missing_field");
  }

  TEST_CASE("a template with a wrong brace is refused with its place") {
    refuse("ab {c", "the { at character 4 is not closed");
    refuse("{a{b}}", "the { at character 1 is not closed");
    refuse("a}b", "the } at character 2 was not opened");
    refuse("{}", "the braces at character 1 name no field");
  }
}
