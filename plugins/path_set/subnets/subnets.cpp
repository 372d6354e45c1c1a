// Paths by name, in the order of their names.  `layers`: any layer component, repeated.  `cnn`:
//
//   y_t = x_t + W_out silu(b + Σ_{j<K} w_j ⊙ norm(x)_{t−j})
//
// with one filter a channel (depthwise), or full matrices w_j.  Only tokens before t are read, so a
// language model stays one.  Ours to define; the form is that of Dauphin et al., "Language Modeling
// with Gated Convolutional Networks", arXiv:1612.08083, with the depthwise separable convolution of
// Chollet, arXiv:1610.02357.
#include "subnets.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::path_set::subnets {

ConvLayer::ConvLayer(Options options, std::shared_ptr<Norm> norm, const LayerArgs& args)
    : options_(options), norm_(add_child("norm", std::move(norm))) {
  const int64_t inputs = options.depthwise ? 1 : args.width;
  weight_DIK_ =
      add_parameter("conv.weight",
                    {args.width, inputs, options.kernel},
                    args.build,
                    Init::uniform(1 / std::sqrt(static_cast<double>(inputs * options.kernel))));
  bias_D_ = add_parameter("conv.bias", {args.width}, args.build, Init::zeros());
  out_ = add_child(
      "out_proj",
      std::make_shared<Linear>(
          args.build, args.width, args.width, LinearOptions{.bias = false, .residual = true}));
}

BlockOutput ConvLayer::forward(const BlockInput& in) {
  MORTISE_CHECK(in.cache == nullptr,
                "a convolution over tokens keeps no cache of keys and values; give it whole rows");
  const at::Tensor x_BDT =
      at::constant_pad_nd(norm_->forward(in.x_BTD).transpose(1, 2), {options_.kernel - 1, 0});
  const int64_t one = 1, none = 0, groups = options_.depthwise ? weight_DIK_.size(0) : 1;
  const at::Tensor mixed_BDT = in_dtype_of(weight_DIK_, x_BDT, [&](const at::Tensor& own_BDT) {
    return at::conv1d(own_BDT,
                      weight_DIK_,
                      bias_D_,
                      at::IntArrayRef(one),
                      at::IntArrayRef(none),
                      at::IntArrayRef(one),
                      groups);
  });
  BlockOutput out;
  out.x_BTD = in.x_BTD + (*out_)(at::silu(mixed_BDT.transpose(1, 2)));
  return out;
}

void Subnets::Stack::add(std::shared_ptr<Layer> layer) {
  layers.push_back(add_child(std::to_string(layers.size()), std::move(layer)));
}

Subnets::Subnets(Config config, const PathSetArgs& args) {
  MORTISE_CHECK(config.paths.size() > 1,
                "a set of sub-networks needs at least two paths, got {}",
                config.paths.size());
  MORTISE_CHECK(args.num_paths == 0 || args.num_paths == static_cast<int64_t>(config.paths.size()),
                "the router has {} paths and the path set {}",
                args.num_paths,
                config.paths.size());
  for (const auto& [name, table] : config.paths) {
    auto stack = std::make_shared<Stack>();
    for (int64_t i = 0; i < table.repeat; ++i) stack->add(make_layer(table, args));
    names_.push_back(name);
    paths_.push_back(add_child(name, std::move(stack)));
  }
}

std::shared_ptr<Layer> Subnets::make_layer(const PathTable& table, const PathSetArgs& args) const {
  const LayerArgs layer_args = {args.build, args.width, args.norm};
  if (table.kind == "layers") {
    MORTISE_CHECK(!table.layer.empty(), "a path of kind \"layers\" needs a table `layer`");
    return std::shared_ptr<Layer>(table.layer.make(layer_args));
  }
  std::shared_ptr<Norm> norm(table.norm.make({args.build, args.width}));
  return std::make_shared<ConvLayer>(
      ConvLayer::Options{table.kernel, table.depthwise}, std::move(norm), layer_args);
}

BlockOutput Subnets::run_samples(int64_t path, const BlockInput& in) {
  BlockInput inner = in;
  BlockOutput all;
  for (const std::shared_ptr<Layer>& layer : paths_.at(static_cast<size_t>(path))->layers) {
    BlockOutput out = layer->forward(inner);
    inner.x_BTD = std::move(out.x_BTD);
    std::move(out.losses.begin(), out.losses.end(), std::back_inserter(all.losses));
    std::move(out.stats.begin(), out.stats.end(), std::back_inserter(all.stats));
  }
  all.x_BTD = std::move(inner.x_BTD);
  return all;
}

void Subnets::PathTable::describe(Schema<PathTable>& schema) {
  schema
      .field("kind",
             &PathTable::kind,
             "layers: a layer component, repeated; cnn: causal convolutions over tokens")
      .one_of({"layers", "cnn"});
  schema.field("repeat", &PathTable::repeat, "layers in this path").min(1);
  schema.field("layer", &PathTable::layer, "kind layers: the layer");
  schema.field("kernel", &PathTable::kernel, "kind cnn: tokens that a filter sees").min(1);
  schema.field("depthwise", &PathTable::depthwise, "kind cnn: one filter a channel");
  schema.field("norm", &PathTable::norm, "kind cnn: before each convolution");
}

void Subnets::Config::describe(Schema<Config>& schema) {
  schema.field("paths", &Config::paths, "the sub-networks by name, at least two").required();
}

}  // namespace mortise::path_set::subnets

MORTISE_PLUGIN("org.mortise.path_set.subnets",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::path_set::subnets::Subnets>(
                   "subnets", "Transformer and CNN paths for whole samples"));
