#include <doctest/doctest.h>
#include <mortise/file.hpp>
#include <mortise/testing.hpp>
#include <mortise/tracker.hpp>

TEST_CASE("a step is a line") {
  const auto tracker = mortise::testing::make<mortise::Tracker>("@NAME@");
  mortise::RunInfo info;
  info.directory = MORTISE_BUILD_DIR;
  tracker->start(info);
  const mortise::Scalar values[] = {{"loss", 2.5}};
  tracker->scalars(7, values);
  tracker->finish({.status = "done"});
  CHECK(mortise::read_file(MORTISE_BUILD_DIR "/@NAME@.txt") == "7 loss=2.5\ndone\n");
}
