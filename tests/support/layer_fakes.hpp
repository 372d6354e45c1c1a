// Parts of a layer that can be reckoned in the head, and the host that makes them: a norm that
// doubles, an attention that adds one, a feed-forward part that squares.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/ffn.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::test {

struct Doubling final : Norm {
  at::Tensor forward(const at::Tensor& x) override { return 2 * x; }
};

/// Doubles the sum that it makes, and counts how often it is asked to.
struct AddingDouble final : Norm, ext::AddNorm {
  explicit AddingDouble(int64_t& count) : sums(count) {
    attach_query([](Component* component, std::string_view id) -> void* {
      return id == ext::AddNorm::kExtension
                 ? static_cast<ext::AddNorm*>(static_cast<AddingDouble*>(component))
                 : nullptr;
    });
  }

  at::Tensor forward(const at::Tensor& x) override { return 2 * x; }

  std::pair<at::Tensor, at::Tensor> add_forward(const at::Tensor& x,
                                                const at::Tensor& part) override {
    ++sums;
    return {x + part, 2 * (x + part)};
  }

  int64_t& sums;
};

struct PlusOne final : Attention {
  at::Tensor forward(const BlockInput& in) override { return in.x_BTD + 1; }
};

struct Square final : Ffn {
  at::Tensor forward(const at::Tensor& x) override { return x * x; }
};

/// Makes the three by interface; remembers which norm table it was asked for last, and how often.
struct LayerHost : Host {
  void* make(std::string_view interface_id, const Value& config, const void* /*args*/) override {
    if (interface_id == Attention::kInterface) return static_cast<Attention*>(new PlusOne);
    if (interface_id == Ffn::kInterface) return static_cast<Ffn*>(new Square);
    REQUIRE_MESSAGE((interface_id == Norm::kInterface), std::string(interface_id));
    norm_type = config.get("type", "");
    ++norms_made;
    if (norms_add) return static_cast<Norm*>(new AddingDouble(sums));
    return static_cast<Norm*>(new Doubling);
  }

  std::string norm_type;
  int64_t norms_made = 0, sums = 0;
  bool norms_add = false;  // its norms have ext::AddNorm, and count in `sums`
};

inline Value table_of(const char* type) {
  Value table = Value::table();
  table["type"] = type;
  return table;
}

/// What the engine passes to a layer of width 1 in a model whose norm is "model_norm".
inline LayerArgs layer_args() {
  LayerArgs args;
  args.width = 1;
  args.norm = table_of("model_norm");
  return args;
}

/// The Config of a layer of attention and feed-forward part; `own_norm`: the norm that it names.
template <class Config>
Config layer_config(Host& host, const char* own_norm = nullptr) {
  Config config;
  config.attention = Use<Attention>(table_of("a"), &host);
  config.ffn = Use<Ffn>(table_of("f"), &host);
  if (own_norm != nullptr) config.norm = Use<Norm>(table_of(own_norm), &host);
  return config;
}

inline BlockInput input_of(const at::Tensor& x_BTD) {
  BlockInput in;
  in.x_BTD = x_BTD;
  return in;
}

/// The paths of a module and all below it, each followed by a space.
inline std::string paths_of(Module& module) {
  std::string paths;
  module.visit([&](const std::string& path, Module&) { paths += path + " "; });
  return paths;
}

}  // namespace mortise::test
