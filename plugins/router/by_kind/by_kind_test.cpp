#include "by_kind.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/record.hpp"

using mortise::kind_number;
using mortise::RouteInput;
using mortise::router::by_kind::ByKind;

namespace {

mortise::RouterArgs args() {
  mortise::RouterArgs args;
  args.width = 4;
  args.num_paths = 3;
  args.path_names = {"cnn", "deep", "wide"};
  return args;
}

RouteInput input(const std::vector<int64_t>& kinds) {
  RouteInput in;
  in.x_ND = at::zeros({static_cast<int64_t>(kinds.size()), 4});
  in.kind_N = at::tensor(kinds, at::kLong);
  return in;
}

}  // namespace

TEST_SUITE("router.by_kind") {
  TEST_CASE("words and numbers find their paths by name") {
    ByKind router({.map = {{"noun", "deep"}, {"7", "cnn"}}, .otherwise = "wide"}, args());
    const auto routes = router.route(input({7, kind_number("noun"), 1, kind_number("noun")}));
    CHECK(routes.item_M.equal(at::tensor({0, 1, 3, 2}, at::kLong)));
    CHECK(routes.path_M.equal(at::tensor({0, 1, 1, 2}, at::kLong)));
    CHECK(routes.weight_M.equal(at::ones({4})));
  }

  TEST_CASE("an unknown kind and missing kinds are errors that name the fix") {
    ByKind router({.map = {{"noun", "deep"}, {"7", "cnn"}}, .otherwise = {}}, args());
    CHECK_THROWS_WITH_AS(
        router.route(input({7, 8})),
        doctest::Contains("a sample is of kind 8, and by_kind.map knows only: 7, noun"),
        mortise::DataError);
    RouteInput in = input({7});
    in.kind_N = at::Tensor();
    CHECK_THROWS_WITH_AS(
        router.route(in), doctest::Contains("needs the kind of each sample"), mortise::DataError);
  }

  TEST_CASE("without kinds all go to the path of the others") {
    ByKind router({.map = {{"noun", "deep"}}, .otherwise = "wide"}, args());
    RouteInput in = input({7, 7});
    in.kind_N = at::Tensor();
    CHECK(router.route(in).path_M.equal(at::tensor({2, 2}, at::kLong)));
  }

  TEST_CASE("a path that is not there is refused by name") {
    CHECK_THROWS_WITH_AS(ByKind({.map = {{"noun", "depe"}}, .otherwise = {}}, args()),
                         doctest::Contains("names the path `depe`, and there are: cnn, deep, wide"),
                         mortise::Error);
    CHECK_THROWS_WITH_AS(
        ByKind({.map = {}, .otherwise = {}}, args()), doctest::Contains("empty"), mortise::Error);
  }
}

TEST_SUITE("record.kind") {
  TEST_CASE("numbers stand for themselves and words for a hash that never changes") {
    CHECK(kind_number("0") == 0);
    CHECK(kind_number("2147483647") == 2147483647);
    CHECK_FALSE(mortise::is_kind_word(kind_number("12")));
    for (const char* word : {"noun", "-1", "2147483648", "1.0", ""})
      CHECK(mortise::is_kind_word(kind_number(word)));
    CHECK(kind_number("noun") != kind_number("verb"));
  }
}
