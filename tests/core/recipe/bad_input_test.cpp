// Texts that are no recipes: nothing crashes, nothing hangs, and every one gets its sentence.
#include <ctime>

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

#include "core/recipe/resolve.hpp"
#include "core/recipe/toml_read.hpp"
#include "fake_catalog.hpp"

using namespace mortise;
using namespace mortise::core;

namespace {

const fake::Plugins& plugins() {
  static const fake::Plugins all;
  return all;
}

std::string messages(const std::string& text) {
  return render(check_recipe_text(text, "bad.toml", plugins().catalog()).diagnostics, false);
}

std::string of_file(const std::string& path) {
  return render(check_recipe(path, plugins().catalog()).diagnostics, false);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string repeated(std::string_view piece, int64_t times) {
  std::string out;
  for (int64_t i = 0; i < times; ++i) out += piece;
  return out;
}

}  // namespace

TEST_SUITE("core.recipe.bad_input") {
  TEST_CASE("bytes that are no UTF-8 are named with their place") {
    CHECK(contains(messages("a = 1\nb = \"\xc3\x28\"\n"),
                   "error[E002] byte 0xc3 is not valid UTF-8   bad.toml:2:6"));
    CHECK(contains(messages("a = \"\xed\xa0\x80\""), "0xed is not valid UTF-8"));
    CHECK(contains(messages("a = \"\xf0\x9f\x98"), "0xf0 is not valid UTF-8"));
    CHECK(contains(messages(std::string("\xff\xfe") + "a"), "UTF-16, expected UTF-8"));
    CHECK(contains(messages(std::string("a = \"x\0y\"", 9)), "control character 0x00"));
  }

  TEST_CASE("depth is refused before a parser recurses") {
    CHECK(
        contains(messages("a" + repeated(".a", 100'000) + " = 1"), "nested deeper than 64 levels"));
    CHECK(contains(messages("[a" + repeated(".a", 100'000) + "]"), "nested deeper"));
    CHECK(contains(messages("a = " + repeated("[", 100'000)), "nested deeper"));
    CHECK(contains(messages("a = " + repeated("{a=", 100'000)), "nested deeper"));
    CHECK(contains(messages("a = " + repeated("{a.a.a=", 30)), "nested deeper"));
  }

  TEST_CASE("what only looks deep is fine") {
    CHECK_FALSE(
        scan_toml("a = \"" + repeated("[.", 1000) + "\" # " + repeated("[", 1000)).has_value());
    CHECK_FALSE(scan_toml("a = [" + repeated("{ b.c = 1.5 }, ", 1000) + "]").has_value());
    CHECK_FALSE(scan_toml("a = '''\n" + repeated("[.\n", 1000) + "'''").has_value());
  }

  TEST_CASE("truncated texts are syntax errors") {
    const std::string whole = fake::kRecipe;
    for (size_t length = 0; length < whole.find("lr = "); length += 7) {
      CAPTURE(length);
      const Outcome outcome =
          check_recipe_text(whole.substr(0, length), "cut.toml", plugins().catalog());
      CHECK_FALSE(outcome.ok());
    }
  }

  TEST_CASE("what trips the parser's own assertions is a syntax error with its line") {
    CHECK(contains(messages("a = 1\n\n[`x]\nb = 2\n"),
                   "error[E003] not TOML: this line is malformed   bad.toml:3:1"));
  }

  TEST_CASE("letters of other scripts are text, and keys only in quotes") {
    CHECK(contains(messages("\xd0\xb6 = 1\n"), "error[E003] not TOML"));
    CHECK(check_recipe_text(
              std::string(fake::kRecipe) + "[vars]\n\"\xd0\xb6\" = \"\"\"a\\\n  \xd0\xb6\"\"\"\n",
              "ok.toml",
              plugins().catalog())
              .ok());
  }

  TEST_CASE("empty files, BOM and CRLF") {
    CHECK(contains(messages(""), "task \"train\" needs [tokenizer]"));
    std::string crlf = "\xef\xbb\xbf";
    for (const char c : std::string(fake::kRecipe))
      crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    CHECK(check_recipe_text(crlf, "crlf.toml", plugins().catalog()).ok());
  }

  TEST_CASE("a file that is none, too large, or not there") {
    const testing::TempDir temp;
    CHECK(contains(of_file(temp.path), "it is a directory"));
    CHECK(contains(of_file(temp.path + "/absent.toml"), "No such file or directory"));
    CHECK(contains(of_file("/dev/zero"), "it is not a regular file"));
    const std::string large = temp.path + "/large.toml";
    write_file(large, "a = 1\n");
    fake::fs::resize_file(large, 100 << 20);
    CHECK(contains(of_file(large), "100.0 MiB, a recipe at most 8"));
  }

  TEST_CASE("circles end in a message") {
    const testing::TempDir temp;
    write_file(temp.path + "/a.toml", "extends = [\"b.toml\"]\n");
    write_file(temp.path + "/b.toml", "optimizer = \"@c.toml\"\n");
    write_file(temp.path + "/c.toml", "type = \"adamw\"\nx = \"@a.toml\"\n");
    CHECK(contains(of_file(temp.path + "/a.toml"), "a.toml includes itself"));
    CHECK(contains(messages("vars = { a = \"${vars}\" }"), "refers to itself"));
    CHECK(contains(messages("vars = { a = \"x${vars.b}\", b = \"x${vars.a}\" }"),
                   "refers to itself"));
  }

  TEST_CASE("references cannot expand without bound") {
    std::string text =
        "[vars]\na0 = [\"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\"]\n";
    for (int i = 1; i < 12; ++i) {
      const std::string piece = "\"${vars.a" + std::to_string(i - 1) + "}\"";
      text += "a" + std::to_string(i) + " = [" + repeated(piece + ", ", 10) + "]\n";
    }
    CHECK(contains(messages(text), "expand to more than 200000 values"));
    std::string chain = "[vars]\nb0 = 1\n";
    for (int i = 1; i < 5000; ++i)
      chain =
          "vars.b" + std::to_string(i) + " = \"${vars.b" + std::to_string(i - 1) + "}\"\n" + chain;
    CHECK(!messages(chain).empty());
  }

  TEST_CASE("a hostile size stays quick") {
    const std::clock_t begin = std::clock();  // of this process: the machine may be busy
    std::string text;
    for (int i = 0; i < 9000; ++i) text += "unknown_key_number_" + std::to_string(i) + " = 1\n";
    CHECK(contains(messages(text), "200 errors"));
    CHECK((std::clock() - begin) / CLOCKS_PER_SEC < 5);
  }
}
