// The model that every job uses: embedding → layers → norm → head, built from a specification ([model] as a Value).
//
// Built empty (also on the meta device), then initialised by seed and path or filled from a weight format.  Parameter
// paths are the LLaMA names of Hugging Face: model.embed_tokens, model.layers.N.…, model.norm, lm_head.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mortise/architecture.hpp"
#include "mortise/torch/block.hpp"
#include "mortise/torch/embedding.hpp"
#include "mortise/torch/head.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/weight_format.hpp"

namespace mortise::core {

/// One forward's batch.  B rows, T tokens.
struct TokenBatch {
  at::Tensor ids_BT;        // int64
  at::Tensor positions_BT;  // int64
  at::Tensor segments_BT;   // int32; undefined: one document a row
  at::Tensor offsets_S;     // int64, with segments
  KvCache* cache = nullptr;
};

struct HiddenOutput {
  at::Tensor hidden_BTD;    // after the final norm
  std::vector<NamedValue> losses;
  std::vector<NamedValue> stats;
};

/// Thread: [train-thread].
class LanguageModel final : public Module {
 public:
  /// Builds the model of a resolved [model] table (vocab and width set).  Parameters are uninitialised.
  /// Throws: Error with the table's path as context.
  static std::shared_ptr<LanguageModel> build(const Value& spec, Host& host, const BuildContext& build);

  HiddenOutput forward(const TokenBatch& batch);
  Head& head() { return *head_; }
  int64_t num_layers() const { return static_cast<int64_t>(layers_.size()); }
  int64_t vocab() const { return vocab_; }
  int64_t width() const { return width_; }

 private:
  LanguageModel() = default;
  int64_t vocab_ = 0, width_ = 0;
  std::shared_ptr<Embedding> embedding_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<Norm> norm_;
  std::shared_ptr<Head> head_;
  std::map<std::string, std::shared_ptr<Component>> shared_;
};

/// Fills all parameters from their Init: numbers depend on seed and path only.
void initialise(LanguageModel& model, uint64_t seed, double std, bool scale_residual);

/// Streams weights from a directory through an architecture's name map; converts to the model's dtype.
/// Throws: DataError listing missing, unexpected and misshapen tensors, all at once.
void load_weights(LanguageModel& model, const WeightReader& reader, const Architecture& architecture, const Value& spec);

/// Writes config.json and weights (converted to `dtype`) through the name map; tied tensors once.
void save_weights(const LanguageModel& model, const std::string& directory, const WeightFormat& format, const Architecture& architecture,
                  const Value& spec, at::ScalarType dtype);

/// Finds the architecture that recognises DIR/config.json among all providers and returns its specification.
/// Throws: DataError naming the architectures that were tried.
struct ForeignModel {
  std::unique_ptr<Architecture> architecture;
  Value spec;       // complete [model] table
  Value hf_config;
};

/// A position-per-token batch of unpacked rows, for scoring and tests: positions 0…T−1.
TokenBatch plain_batch(const at::Tensor& ids_BT);

}  // namespace mortise::core
