// Contracts of attention and layer: causal, documents of a packed row apart, cached = full, pure,
// right gradients.
#include "mortise/torch/attention.hpp"
#include "mortise/torch/layer.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

template <>
AttentionArgs block_args<Attention>(const BuildContext& build) {
  return {build, kWidth};
}

template <>
LayerArgs block_args<Layer>(const BuildContext& build) {
  Value norm;
  norm["type"] = "rms_norm";
  return {build, kWidth, norm};
}

namespace {

at::Tensor run(Attention& block, const BlockInput& in) { return block.forward(in); }

at::Tensor run(Layer& block, const BlockInput& in) { return block.forward(in).x_BTD; }

template <class Interface>
void keeps_shape(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::Tensor x = randn({2, 7, kWidth}, f.seed());
  const at::Tensor out = run(*block, plain_input(x));
  MORTISE_EXPECT(out.sizes() == x.sizes(), "the result has another shape than the input");
  expect_finite(out, "the result");
}

template <class Interface>
void causal(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::Tensor x = randn({1, 8, kWidth}, f.seed()), changed = x.clone();
  changed.narrow(1, 5, 3).normal_();
  expect_close(run(*block, plain_input(changed)).narrow(1, 0, 5),
               run(*block, plain_input(x)).narrow(1, 0, 5),
               1e-5,
               "tokens before a change");
}

template <class Interface>
void rows_are_alone(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::Tensor x = randn({3, 6, kWidth}, f.seed());
  const at::Tensor whole = run(*block, plain_input(x));
  for (int64_t row = 0; row < 3; ++row)
    expect_close(run(*block, plain_input(x.narrow(0, row, 1))),
                 whole.narrow(0, row, 1),
                 1e-5,
                 "a row by itself");
}

template <class Interface>
void packed_is_unpacked(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::Tensor x = randn({1, 12, kWidth}, f.seed());
  const std::vector<int64_t> lengths = {5, 1, 4, 2};
  at::Tensor packed;
  try {
    packed = run(*block, packed_input(x, lengths));
  } catch (const Error& error) {
    skip("it refuses packed rows: " + error.message());
  }
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    expect_close(packed.narrow(1, begin, length),
                 run(*block, plain_input(x.narrow(1, begin, length))),
                 1e-5,
                 "a document in a packed row");
    begin += length;
  }
}

template <class Interface>
void cached_is_full(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({2, 9, kWidth}, f.seed());
  const at::Tensor full = run(*block, plain_input(x));
  KvCache cache(1, 16);
  int64_t done = 0;
  for (const int64_t count : {4, 1, 1, 3}) {  // a prompt, two single steps, a chunk
    BlockInput in = plain_input(x.narrow(1, done, count));
    in.positions_BT = in.positions_BT + done;
    in.cache = &cache;
    expect_close(run(*block, in),
                 full.narrow(1, done, count),
                 1e-4,
                 fmt::format("{} tokens after {} cached ones", count, done));
    cache.advance(count);
    done += count;
  }
}

template <class Interface>
void replays(Factory& f) {
  const auto block = filled<Interface>(f);
  const BlockInput in = plain_input(randn({2, 6, kWidth}, f.seed()));
  const at::Tensor first = run(*block, in).detach().clone();
  expect_equal_bits(run(*block, in).detach(), first, "the same input again");
}

template <class Interface>
void gradient(Factory& f) {
  BuildContext build;
  build.dtype = at::kDouble;
  const auto block = filled<Interface>(f, build);
  expect_gradient([&](const at::Tensor& x) { return run(*block, plain_input(x)); },
                  randn({1, 5, kWidth}, f.seed(), at::kDouble),
                  "forward");
}

template <class Interface>
void trains_all(Factory& f) {
  const auto block = filled<Interface>(f);
  BlockInput in = plain_input(randn({2, 5, kWidth}, f.seed()));
  in.kinds_B = at::arange(2);  // paths by kind: both are taken
  run(*block, in).square().sum().backward();
  for (const NamedTensor& named : block->parameters())
    MORTISE_EXPECT(named.tensor.grad().defined(), "no gradient reaches {}", named.name);
}

template <class Interface>
std::vector<Check> checks() {
  return with_block_checks<Interface>(
      {{"keeps the shape", keeps_shape<Interface>},
       {"sees no later token", causal<Interface>},
       {"treats each row by itself", rows_are_alone<Interface>},
       {"packed documents equal unpacked ones", packed_is_unpacked<Interface>},
       {"cached steps equal the full forward", cached_is_full<Interface>},
       {"a replay gives the same bits", replays<Interface>},
       {"its gradient is right", gradient<Interface>},
       {"a gradient reaches every parameter", trains_all<Interface>}});
}

}  // namespace

Suite attention_suite() {
  return {"attention", example_block_args<Attention>, checks<Attention>()};
}

Suite layer_suite() { return {"layer", example_block_args<Layer>, checks<Layer>()}; }

}  // namespace mortise::conform
