// Rotary position embedding, half-split layout.
#pragma once

#include <memory>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/position.hpp"

namespace mortise::position::rope {

/// How frequencies are changed to reach beyond the context of pre-training.
struct Scaling {
  std::string type = "default";
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  int64_t original_max_position = 8192;
  static void describe(Schema<Scaling>& schema);
};

struct Config {
  double theta = 10000;
  Scaling scaling;
  static void describe(Schema<Config>& schema);
};

/// Angles per position and frequency, made once and shared by all layers with equal parameters.
/// Thread: [train-thread].
class Table final : public Component {
 public:
  Table(const Config& config, int64_t head_dim, int64_t num_positions);
  /// Makes the tables reach `num_positions` and live on `device`; a table never shrinks.
  void reserve(int64_t num_positions, at::Device device);

  const at::Tensor& cos() const { return cos_PK_; }

  const at::Tensor& sin() const { return sin_PK_; }

 private:
  Config config_;
  int64_t head_dim_, wanted_;
  at::Tensor cos_PK_, sin_PK_;  // fp32, K is half the head here
};

/// Frequencies of one head, fp32.  Shapes: → [head_dim / 2].
at::Tensor inverse_frequencies(const Config& config, int64_t head_dim);

class Rope final : public Position {
 public:
  using Config = rope::Config;

  Rope(Config config, const PositionArgs& args);
  std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q_BTHK,
                                           const at::Tensor& k_BTGK,
                                           const at::Tensor& positions_BT) override;

 private:
  std::shared_ptr<Table> table_;
};

}  // namespace mortise::position::rope
