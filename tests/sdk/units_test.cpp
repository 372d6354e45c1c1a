// Quantities for people, and a program run in a child.
#include "mortise/units.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/child.hpp"
#include "mortise/error.hpp"

using namespace mortise;  // NOLINT: a test file

TEST_SUITE("sdk.units") {
  TEST_CASE("bytes, durations and counts are written as people read them") {
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(int64_t{412} << 20) == "412 MiB");
    CHECK(bytes_text(int64_t{20} << 30) == "20.0 GiB");
    CHECK(duration_text(59.4) == "0:59");
    CHECK(duration_text(3723) == "1:02:03");
    CHECK(duration_text(std::stod("nan")) == "0:00");
    CHECK(grouped(12345678) == "12,345,678");
    CHECK(grouped(-1234) == "-1,234");
    CHECK(grouped(999) == "999");
  }
}

TEST_SUITE("sdk.child") {
  TEST_CASE("what a program says and how it ends comes back") {
    const ChildResult result = run_child({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
    CHECK(result.out == "out\n");
    CHECK(result.err == "err\n");
    CHECK(result.how_it_ended() == "ended with exit code 3");
    CHECK(run_child({"/bin/sh", "-c", "kill -ABRT $$"}).how_it_ended().find("SIGABRT") !=
          std::string::npos);
  }

  TEST_CASE("lines are streamed, and a program that says nothing in time is ended") {
    std::vector<std::string> lines;
    ChildOptions options;
    options.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    run_child({"/bin/sh", "-c", "printf 'a\\nb\\n'"}, options);
    CHECK(lines == std::vector<std::string>{"a", "b"});
    options.timeout_s = 0.2;
    CHECK(run_child({"/bin/sleep", "20"}, options).timed_out);
  }

  TEST_CASE("a program that is not there is an error") {
    CHECK_THROWS_AS(run_child({"/no/such/program"}), Error);
  }
}
