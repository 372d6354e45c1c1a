// Weights in a Hugging Face folder: one safetensors file, or shards and an index.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/weight_format.hpp"

namespace mortise::weight_format::hf_safetensors {

inline constexpr const char* kSingleFile = "model.safetensors";
inline constexpr const char* kIndexFile = "model.safetensors.index.json";

class HfSafetensors final : public WeightFormat {
 public:
  struct Config {
    int64_t max_shard_bytes = 5'000'000'000;
    static void describe(Schema<Config>& schema);
  };

  explicit HfSafetensors(Config config) : config_(config) {}

  bool recognises(const std::string& directory) const override;
  std::unique_ptr<WeightReader> open(const std::string& directory) const override;
  std::unique_ptr<WeightWriter> create(const std::string& directory,
                                       std::vector<StoredTensor> tensors) const override;

 private:
  Config config_;
};

/// Opens the single file or the shards of a folder.  Throws: DataError naming file and tensor.
std::unique_ptr<WeightReader> open_folder(const std::string& directory);
/// Begins a save.  Throws: Error{Io}; Error on a tensor that stands twice.
std::unique_ptr<WeightWriter> create_folder(const std::string& directory,
                                            std::vector<StoredTensor> tensors,
                                            int64_t max_shard_bytes);
/// Says whether a name is `model-00001-of-00002.safetensors`.
bool is_shard_name(std::string_view name);

}  // namespace mortise::weight_format::hf_safetensors
