// The component: recognises a folder by its file names and hands out reader and writer.
// Source: transformers, modeling_utils.py (save_pretrained, SAFE_WEIGHTS_INDEX_NAME) and
// huggingface_hub's sharding.
#include "hf_safetensors.hpp"

#include <algorithm>
#include <filesystem>

#include "mortise/plugin.hpp"

namespace mortise::weight_format::hf_safetensors {

namespace fs = std::filesystem;

bool is_shard_name(std::string_view name) {
  constexpr std::string_view kPattern = "model-#####-of-#####.safetensors";  // # stands for a digit
  return std::equal(
      name.begin(), name.end(), kPattern.begin(), kPattern.end(), [](char c, char want) {
        return want == '#' ? c >= '0' && c <= '9' : c == want;
      });
}

bool HfSafetensors::recognises(const std::string& directory) const {
  std::error_code ignored;
  return fs::is_regular_file(fs::path(directory) / kSingleFile, ignored) ||
         fs::is_regular_file(fs::path(directory) / kIndexFile, ignored);
}

std::unique_ptr<WeightReader> HfSafetensors::open(const std::string& directory) const {
  return open_folder(directory);
}

std::unique_ptr<WeightWriter> HfSafetensors::create(const std::string& directory,
                                                    std::vector<StoredTensor> tensors) const {
  return create_folder(directory, std::move(tensors), config_.max_shard_bytes);
}

void HfSafetensors::Config::describe(Schema<Config>& schema) {
  schema.field("max_shard_bytes", &Config::max_shard_bytes, "size at which a new shard file begins")
      .min(1)
      .unit("bytes");
}

}  // namespace mortise::weight_format::hf_safetensors

MORTISE_PLUGIN(
    "org.mortise.weight_format.hf_safetensors",
    MORTISE_VERSION,
    "Apache-2.0",
    mortise::component<mortise::weight_format::hf_safetensors::HfSafetensors>(
        "hf_safetensors",
        "model.safetensors, or shards with an index, as Hugging Face folders hold them"));
