// Rotary position embedding, half-split layout.
#pragma once

#include <memory>
#include <optional>
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
  double beta_fast = 32;
  double beta_slow = 1;
  bool truncate = true;
  std::optional<double> attention_factor;
  static void describe(Schema<Scaling>& schema);
};

struct Config {
  double theta = 10000;
  double fraction = 1;
  Scaling scaling;
  static void describe(Schema<Config>& schema);
};

/// Angles per position and frequency, made once and shared by all layers with equal parameters.
/// Thread: [train-thread].
class Table final : public Component {
 public:
  Table(const Config& config, int64_t head_dim, int64_t num_positions);
  /// Makes the tables reach `num_positions` and live on `device`; a table never shrinks.  With
  /// dynamic scaling they are those of a text of exactly that length.
  void reserve(int64_t num_positions, at::Device device);

  const at::Tensor& cos() const { return cos_PK_; }

  const at::Tensor& sin() const { return sin_PK_; }

 private:
  Config config_;
  int64_t head_dim_, wanted_;
  int64_t context_ = 0;         // dynamic: the length that the frequencies are for
  at::Tensor cos_PK_, sin_PK_;  // fp32, K is half the head here
};

/// Frequencies of `head_dim` turned components, fp32; `context` is the length of the text, for
/// dynamic scaling.  Shapes: → [head_dim / 2].
at::Tensor inverse_frequencies(const Config& config, int64_t head_dim, int64_t context = 0);

/// What cosine and sine are multiplied by: 1 except for yarn.
double attention_factor(const Scaling& scaling);

class Rope final : public Position {
 public:
  using Config = rope::Config;

  Rope(Config config, const PositionArgs& args);
  std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q_BTHK,
                                           const at::Tensor& k_BTGK,
                                           const at::Tensor& positions_BT) override;

 private:
  int64_t turned_dim_;  // the first components of a head; the rest passes
  std::shared_ptr<Table> table_;
};

}  // namespace mortise::position::rope
