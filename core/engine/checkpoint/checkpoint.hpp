// Checkpoints: ckpt/step-N/{model.safetensors, optim.safetensors, state.json, manifest.json}.
//
// Written into a temporary folder beside, every file synced, then one rename: a checkpoint is whole
// or absent.  `latest` names the newest.  A load checks sizes and XXH3 digests of manifest.json
// first.  Persistent: format 1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortise/torch/state_file.hpp"

namespace mortise::core {

struct CheckpointContent {
  int64_t step = 0;
  NamedTensors model;  // parameters and persistent buffers by path
  NamedTensors optim;  // optimizer and RNG
  Value state;         // counters and values, JSON
};

/// Thread: [main-thread].
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::string folder) : folder_(std::move(folder)) {}

  /// Writes step-N, moves `latest`, and removes all but the newest `keep`.  Throws: Error{Io}; then
  /// nothing changed but that the temporary folder is removed.
  void save(const CheckpointContent& content, int64_t keep) const;
  /// The folder that `latest` names, or the newest whole one; nothing when there is none.
  std::optional<std::string> latest() const;
  /// Steps of all checkpoints, ascending.
  std::vector<int64_t> steps() const;

 private:
  std::string folder_;
};

/// An opened checkpoint, verified.
class CheckpointReader {
 public:
  /// Throws: DataError naming the file that is missing, short or changed.
  explicit CheckpointReader(const std::string& folder);

  const Value& state() const { return state_; }

  const safetensors::File& model() const { return model_; }

  const safetensors::File& optim() const { return optim_; }

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  Value state_;
  safetensors::File model_, optim_;
};

}  // namespace mortise::core
