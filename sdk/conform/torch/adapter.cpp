// Contract of `adapter`: what it declares trainable is trained and the rest is frozen, a start from
// zero changes nothing, folding equals not folding, its file reads back, and it builds on the meta
// device.  The model is two layers around real projections, with attention that honours a prefix.
#include "mortise/torch/adapter.hpp"

#include <filesystem>
#include <map>
#include <memory>

#include "mortise/torch/adapter_tools.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/layer.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

constexpr int64_t kLayers = 2;

/// One head: softmax(q·kᵀ)·v over the prefix and the tokens up to each one.
class PlainAttention final : public Attention {
 public:
  explicit PlainAttention(const BuildContext& build) {
    const auto linear = [&](const char* name, int64_t out) {
      return add_child(name, std::make_shared<Linear>(build, kWidth, out));
    };
    q_ = linear("q_proj", kHeadDim);
    k_ = linear("k_proj", kHeadDim);
    v_ = linear("v_proj", kHeadDim);
    o_ = add_child("o_proj", std::make_shared<Linear>(build, kHeadDim, kWidth));
  }

  at::Tensor forward(const BlockInput& in) override {
    const at::Tensor q = (*q_)(in.x_BTD);
    at::Tensor k = (*k_)(in.x_BTD), v = (*v_)(in.x_BTD);
    const int64_t tokens = q.size(1);
    int64_t prefix = 0;
    if (in.prefix_k_BGPK.defined()) {
      prefix = in.prefix_k_BGPK.size(2);
      const auto before = [&](const at::Tensor& first, const at::Tensor& rest) {
        return at::cat({first.select(1, 0).expand({rest.size(0), -1, -1}), rest}, 1);
      };
      k = before(in.prefix_k_BGPK, k);
      v = before(in.prefix_v_BGPK, v);
    }
    const at::Tensor hidden =
        at::ones({tokens, prefix + tokens}, q.options()).triu(prefix + 1).to(at::kBool);
    const at::Tensor scores = at::matmul(q, k.transpose(1, 2)).masked_fill(hidden, -1e9);
    return (*o_)(at::matmul(at::softmax(scores, -1), v));
  }

  KvShape kv_shape() const override { return {1, kHeadDim}; }

 private:
  std::shared_ptr<Linear> q_, k_, v_, o_;
};

class PlainLayer final : public Layer {
 public:
  explicit PlainLayer(const BuildContext& build) {
    attention_ = add_child("self_attn", std::make_shared<PlainAttention>(build));
    gate_ = add_child("mlp.gate_proj", std::make_shared<Linear>(build, kWidth, 24));
    up_ = add_child("mlp.up_proj", std::make_shared<Linear>(build, kWidth, 24));
    down_ = add_child("mlp.down_proj", std::make_shared<Linear>(build, 24, kWidth));
  }

  BlockOutput forward(const BlockInput& in) override {
    BlockOutput out;
    const at::Tensor x = in.x_BTD + attention_->forward(in);
    out.x_BTD = x + (*down_)(at::silu((*gate_)(x)) * (*up_)(x));
    return out;
  }

 private:
  std::shared_ptr<PlainAttention> attention_;
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// The model, and what core does around an adapter.
class Stack final : public Module {
 public:
  explicit Stack(const BuildContext& build = {}) : build_(build) {
    for (int64_t i = 0; i < kLayers; ++i)
      layers_.push_back(
          add_child(fmt::format("model.layers.{}", i), std::make_shared<PlainLayer>(build)));
  }

  void attach(Factory& f) {
    for (const NamedTensor& tensor : tensors()) base_.emplace(tensor.name, tensor.tensor);
    adapter_ =
        std::shared_ptr<Adapter>(make<Adapter>(f, {build_, this, kWidth, kLayers, {}, false}));
    add_child("adapter", adapter_);
  }

  Adapter& adapter() { return *adapter_; }

  bool is_base(const std::string& name) const { return base_.contains(name); }

  /// Fills the base from one seed and the adapter from its Init, as core does.
  void start(uint64_t seed) {
    const at::NoGradGuard no_grad;
    fill(*this, seed);
    for (NamedTensor& tensor : parameters()) {
      if (is_base(tensor.name)) continue;
      if (tensor.init.kind == Init::Kind::Zeros) tensor.tensor.zero_();
      if (tensor.init.kind == Init::Kind::Ones) tensor.tensor.fill_(1);
    }
    adapter_->weights_loaded();
  }

  /// Moves what the adapter owns away from its start.
  void move(uint64_t seed) {
    const at::NoGradGuard no_grad;
    for (NamedTensor& tensor : parameters())
      if (!is_base(tensor.name))
        tensor.tensor.add_(randn(tensor.tensor.sizes(), ++seed, tensor.tensor.scalar_type()) * 0.2);
  }

  at::Tensor run(const at::Tensor& x_BTD, bool with_adapter = true) {
    BlockInput in = plain_input(x_BTD);
    const bool is_on = with_adapter && adapter_ != nullptr;
    if (is_on) adapter_->before_stack(in, at::zeros({x_BTD.size(0), x_BTD.size(1)}, at::kLong));
    for (int64_t i = 0; i < kLayers; ++i) {
      if (is_on) adapter_->before_layer(i, in);
      in.x_BTD = layers_[static_cast<size_t>(i)]->forward(in).x_BTD;
    }
    return is_on ? adapter_->after_stack(in.x_BTD) : in.x_BTD;
  }

 private:
  BuildContext build_;
  std::vector<std::shared_ptr<PlainLayer>> layers_;
  std::map<std::string, at::Tensor> base_;
  std::shared_ptr<Adapter> adapter_;
};

const void* example_args(Factory&) {
  // Each component gets a model of its own, which outlives it.
  static std::vector<std::unique_ptr<Stack>> stacks;
  static std::vector<std::unique_ptr<AdapterArgs>> instances;
  stacks.push_back(std::make_unique<Stack>());
  instances.push_back(std::make_unique<AdapterArgs>(
      AdapterArgs{{}, stacks.back().get(), kWidth, kLayers, {}, false}));
  return instances.back().get();
}

void gradients_go_where_declared(Factory& f) {
  Stack stack;
  stack.attach(f);
  stack.start(f.seed());
  stack.move(f.seed());
  stack.run(randn({2, 6, kWidth}, f.seed())).square().sum().backward();
  int64_t trained = 0;
  for (const NamedTensor& tensor : stack.parameters()) {
    MORTISE_EXPECT(tensor.tensor.requires_grad() || !tensor.tensor.grad().defined(),
                   "{} is frozen and got a gradient",
                   tensor.name);
    if (!tensor.tensor.requires_grad()) continue;
    ++trained;
    MORTISE_EXPECT(
        tensor.tensor.grad().defined(), "{} is trained and gets no gradient", tensor.name);
    expect_finite(tensor.tensor.grad(), "the gradient of " + tensor.name);
  }
  MORTISE_EXPECT(trained > 0, "nothing is left to train");
  for (const AdapterTensor& tensor : stack.adapter().file_tensors())
    MORTISE_EXPECT(tensor.tensor.defined(), "{} has no values", tensor.name);
}

void keeps_the_shape_and_starts_small(Factory& f) {
  Stack stack;
  stack.attach(f);
  stack.start(f.seed());
  stack.train(false);
  const at::Tensor x = randn({2, 6, kWidth}, f.seed());
  const at::Tensor with = stack.run(x), without = stack.run(x, /*with_adapter=*/false);
  MORTISE_EXPECT(with.sizes() == x.sizes(), "the result has another shape than the input");
  expect_finite(with, "the result");
  if (stack.adapter().virtual_tokens() > 0) return;  // they are seen from the first step
  Stack bare;
  fill(bare, f.seed());
  bare.train(false);
  expect_close(with, bare.run(x), 1e-5, "the output before the first step");
  expect_equal_bits(with, without, "an adapter without hooks");
}

void folded_is_unfolded(Factory& f) {
  Stack stack;
  stack.attach(f);
  stack.start(f.seed());
  stack.move(f.seed());
  stack.train(false);
  if (!stack.adapter().can_merge()) {
    MORTISE_EXPECT_ERROR(stack.adapter().merge(), "merging an adapter that says it cannot be");
    return;
  }
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({2, 6, kWidth}, f.seed());
  const at::Tensor before = stack.run(x).clone();
  stack.adapter().merge();
  expect_close(stack.run(x), before, 1e-5, "the output after merge()");
  const at::Tensor merged = stack.run(x).clone();
  stack.adapter().merge();
  expect_equal_bits(stack.run(x), merged, "the output after a second merge()");
}

void file_reads_back(Factory& f) {
  Stack first, second;
  first.attach(f);
  first.start(f.seed());
  first.move(f.seed());
  first.train(false);
  if (first.adapter().file_tensors().empty()) skip("it keeps nothing beside the base weights");
  const std::string folder = f.scratch() + "/adapter";
  save_adapter(first.adapter(), folder, "a-base");
  MORTISE_EXPECT(read_adapter_config(folder).get("base_model_name_or_path", "") == "a-base",
                 "adapter_config.json does not name the base");
  for (const AdapterTensor& tensor : first.adapter().file_tensors())
    if (tensor.is_computed) skip("its file holds what its parameters gave: it is not read back");
  second.attach(f);
  second.start(f.seed());
  second.train(false);
  load_adapter(second.adapter(), folder);
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({2, 6, kWidth}, f.seed());
  expect_equal_bits(second.run(x), first.run(x), "the output with the adapter read back");
}

void builds_on_meta_device(Factory& f) {
  BuildContext build;
  build.device = at::kMeta;
  Stack stack(build);
  stack.attach(f);
  for (const NamedTensor& named : stack.parameters())
    MORTISE_EXPECT(
        named.tensor.is_meta(),
        "{} is allocated although the meta device was asked for: plan could not count it",
        named.name);
}

void has_stable_names(Factory& f) {
  Stack one, two;
  one.attach(f);
  two.attach(f);
  MORTISE_EXPECT(signature_of(one) == signature_of(two), "two instances have other parameters");
}

}  // namespace

Suite adapter_suite() {
  return {
      "adapter",
      example_args,
      {{"what is trained gets a gradient, and nothing else", gradients_go_where_declared},
       {"the output keeps its shape, and starts from the base's", keeps_the_shape_and_starts_small},
       {"folded into the weights it gives the same output", folded_is_unfolded},
       {"its file reads back", file_reads_back},
       {"builds on the meta device without allocating", builds_on_meta_device},
       {"its parameters have stable names", has_stable_names}}};
}

}  // namespace mortise::conform
