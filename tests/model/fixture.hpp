// What the tests of this folder share: a host over the built plugins, the golden folders, and
// temporary folders.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <stdlib.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

#include "core/engine/model/open_model.hpp"
#include "core/plugin/plugin_host.hpp"
#include "tests/support/close.hpp"

namespace mortise::test {

inline std::string plugin_folder() {
  return std::string(MORTISE_BUILD_DIR) + "/lib/mortise/plugins";
}

inline const core::Catalog& catalog() {
  static const core::Catalog built = core::Catalog::discover({{plugin_folder()}});
  return built;
}

inline core::PluginHost& host() {
  static auto* made = new core::PluginHost(catalog());  // outlives every component
  return *made;
}

inline std::string golden_folder(const std::string& name) {
  const std::string golden = std::string(MORTISE_SOURCE_DIR) + "/tests/golden/";
  for (const char* folder : {"llama/", "mixtral/"})
    if (std::filesystem::exists(golden + folder + name)) return golden + folder + name;
  return golden + "architectures/" + name;
}

inline std::vector<std::string> golden_names() {
  return {"gqa_head_dim",
          "tied_mha",
          "llama3_rope_bias",
          "llama3_rope_v5",
          "linear_rope",
          "sharded",
          "gpt2",
          "gpt2_bare",
          "gpt_neox",
          "gpt_neox_sequential",
          "mistral",
          "qwen2",
          "qwen3",
          "llama_yarn",
          "llama_yarn_v5",
          "llama_dynamic"};
}

/// All tensors of a safetensors file, copied.
inline std::map<std::string, at::Tensor> read_tensors(const std::string& path) {
  const safetensors::File file = safetensors::File::open(path);
  std::map<std::string, at::Tensor> tensors;
  for (const safetensors::Entry& entry : file.header().entries) {
    const at::ScalarType type = entry.dtype == Dtype::I64 ? at::kLong : at::kFloat;
    at::Tensor tensor = at::empty(entry.shape, type);
    const auto bytes = file.data(entry);
    REQUIRE(tensor.nbytes() == bytes.size());
    std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    tensors.emplace(entry.name, tensor);
  }
  return tensors;
}

inline std::map<std::string, at::Tensor> expected_of(const std::string& name) {
  return read_tensors(golden_folder(name) + "/expected.safetensors");
}

inline core::OpenedModel open_golden(const std::string& name) {
  return core::open_model(golden_folder(name), host(), catalog());
}

/// A tiny model of our own, two kinds of layer tables, tied or not.
inline Value tiny_spec(bool tied = true) {
  return parse_json(
      std::string(R"({"vocab": 40, "width": 16, "max_seq_len": 32, "embedding": {"type": "token"},
    "norm": {"type": "rms_norm", "eps": 1e-5}, "head": {"type": "lm", "tied": )") +
      (tied ? "true" : "false") + R"(},
    "layer": {"late": {"type": "prenorm", "order": 2, "repeat": 1, "attention": {"type": "gqa", "heads": 4, "kv_heads": 2},
                       "ffn": {"type": "swiglu", "hidden": 24}},
              "early": {"type": "prenorm", "order": 1, "repeat": 2, "attention": {"type": "gqa", "heads": 2},
                        "ffn": {"type": "swiglu", "hidden": 20}}}})");
}

/// A tiny model that LLaMA can express.
inline Value tiny_llama_spec(bool tied = true) {
  Value spec = tiny_spec(tied);
  spec["layer"].erase("late");
  return spec;
}

inline std::shared_ptr<core::LanguageModel> build_tiny(const Value& spec,
                                                       uint64_t seed = 3,
                                                       double std = 0.3) {
  auto model = core::LanguageModel::build(spec, host(), {});
  core::initialise(*model, seed, std, /*scale_residual=*/true);
  return model;
}

/// The message of the mortise::Error that `call` throws; empty when it throws none.
template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

template <class Interface>
std::unique_ptr<Interface> make_named(const char* type) {
  Value config = Value::table();
  config["type"] = type;
  return make<Interface>(host(), config, {});
}

}  // namespace mortise::test
