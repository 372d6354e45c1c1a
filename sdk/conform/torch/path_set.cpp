// Contract of `path_set`: each path works on its own rows or samples, also on none, with right
// gradients.
#include "mortise/torch/path_set.hpp"

#include <algorithm>

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

template <>
PathSetArgs block_args<PathSet>(const BuildContext& build) {
  Value norm;
  norm["type"] = "rms_norm";
  return {build, kWidth, 0, norm};
}

namespace {

std::unique_ptr<PathSet> of_tokens(Factory& f, const BuildContext& build = {}) {
  auto set = filled<PathSet>(f, build);
  if (set->granularity() != RouteGranularity::Token) skip("it works on whole samples");
  return set;
}

std::unique_ptr<PathSet> of_samples(Factory& f, const BuildContext& build = {}) {
  auto set = filled<PathSet>(f, build);
  if (set->granularity() != RouteGranularity::Sample) skip("it works on tokens");
  return set;
}

/// 3, 0, 5, 3, 0, 5, … rows a path.
std::vector<int64_t> uneven_borders(int64_t paths) {
  constexpr int64_t kRows[] = {3, 0, 5};
  std::vector<int64_t> borders = {0};
  for (int64_t p = 0; p < paths; ++p) borders.push_back(borders.back() + kRows[p % 3]);
  return borders;
}

std::vector<int64_t> even_borders(int64_t paths, int64_t rows) {
  std::vector<int64_t> borders;
  for (int64_t p = 0; p <= paths; ++p) borders.push_back(p * rows);
  return borders;
}

void has_paths(Factory& f) {
  const auto set = filled<PathSet>(f);
  MORTISE_EXPECT(set->num_paths() > 0, "num_paths() is {}", set->num_paths());
  const auto names = set->path_names();
  MORTISE_EXPECT(names.empty() || static_cast<int64_t>(names.size()) == set->num_paths(),
                 "{} names for {} paths",
                 names.size(),
                 set->num_paths());
}

void segments_are_alone(Factory& f) {
  const auto set = of_tokens(f);
  const int64_t paths = set->num_paths();
  const std::vector<int64_t> borders = uneven_borders(paths);
  const at::Tensor x = randn({borders.back(), kWidth}, f.seed());
  const at::Tensor whole = set->run_tokens(x, borders);
  MORTISE_EXPECT(whole.sizes() == x.sizes(), "the result has another shape than the input");
  expect_finite(whole, "the result");
  for (int64_t p = 0; p < paths; ++p) {
    const int64_t begin = borders[static_cast<size_t>(p)],
                  count = borders[static_cast<size_t>(p) + 1] - begin;
    std::vector<int64_t> only(static_cast<size_t>(paths) + 1, 0);
    std::fill(only.begin() + p + 1, only.end(), count);
    expect_close(set->run_tokens(x.narrow(0, begin, count), only),
                 whole.narrow(0, begin, count),
                 1e-5,
                 fmt::format("path {} by itself", p));
  }
}

void takes_no_rows(Factory& f) {
  const auto set = of_tokens(f);
  const at::Tensor x = randn({0, kWidth}, f.seed());
  const at::Tensor out =
      set->run_tokens(x, std::vector<int64_t>(static_cast<size_t>(set->num_paths()) + 1, 0));
  MORTISE_EXPECT(out.sizes() == x.sizes(), "no rows in, but rows out");
}

void token_gradient(Factory& f) {
  BuildContext build;
  build.dtype = at::kDouble;
  const auto set = of_tokens(f, build);
  const std::vector<int64_t> borders = uneven_borders(set->num_paths());
  expect_gradient([&](const at::Tensor& x) { return set->run_tokens(x, borders); },
                  randn({borders.back(), kWidth}, f.seed(), at::kDouble),
                  "run_tokens");
}

at::Tensor run(PathSet& set, int64_t path, const at::Tensor& x) {
  return set.run_samples(path, plain_input(x)).x_BTD;
}

void samples_are_alone(Factory& f) {
  const auto set = of_samples(f);
  const at::Tensor x = randn({3, 6, kWidth}, f.seed());
  for (int64_t path = 0; path < set->num_paths(); ++path) {
    const at::Tensor whole = run(*set, path, x);
    MORTISE_EXPECT(whole.sizes() == x.sizes(), "path {} changes the shape", path);
    expect_finite(whole, "the result");
    for (int64_t row = 0; row < 3; ++row)
      expect_close(run(*set, path, x.narrow(0, row, 1)),
                   whole.narrow(0, row, 1),
                   1e-5,
                   fmt::format("a sample by itself in path {}", path));
  }
}

void paths_are_causal(Factory& f) {
  const auto set = of_samples(f);
  const at::Tensor x = randn({1, 8, kWidth}, f.seed()), changed = x.clone();
  changed.narrow(1, 5, 3).normal_();
  for (int64_t path = 0; path < set->num_paths(); ++path)
    expect_close(run(*set, path, changed).narrow(1, 0, 5),
                 run(*set, path, x).narrow(1, 0, 5),
                 1e-5,
                 fmt::format("tokens before a change in path {}", path));
}

void sample_gradient(Factory& f) {
  BuildContext build;
  build.dtype = at::kDouble;
  const auto set = of_samples(f, build);
  for (int64_t path = 0; path < set->num_paths(); ++path)
    expect_gradient([&](const at::Tensor& x) { return run(*set, path, x); },
                    randn({1, 4, kWidth}, f.seed(), at::kDouble),
                    fmt::format("path {}", path));
}

void trains_all(Factory& f) {
  const auto set = filled<PathSet>(f);
  const int64_t paths = set->num_paths();
  at::Tensor sum = at::zeros({});
  if (set->granularity() == RouteGranularity::Token) {
    const std::vector<int64_t> borders = even_borders(paths, 3);
    sum = set->run_tokens(randn({borders.back(), kWidth}, f.seed()), borders).square().sum();
  } else {
    for (int64_t path = 0; path < paths; ++path)
      sum = sum + run(*set, path, randn({2, 5, kWidth}, f.seed())).square().sum();
  }
  sum.backward();
  for (const NamedTensor& named : set->parameters())
    MORTISE_EXPECT(named.tensor.grad().defined(), "no gradient reaches {}", named.name);
}

}  // namespace

Suite path_set_suite() {
  return {"path_set",
          example_block_args<PathSet>,
          with_block_checks<PathSet>(
              {{"says how many paths it has", has_paths},
               {"treats each segment by itself, also empty ones", segments_are_alone},
               {"takes no rows at all", takes_no_rows},
               {"its gradient on tokens is right", token_gradient},
               {"treats each sample by itself", samples_are_alone},
               {"its paths see no later token", paths_are_causal},
               {"its gradient on samples is right", sample_gradient},
               {"a gradient reaches every parameter", trains_all}})};
}

}  // namespace mortise::conform
