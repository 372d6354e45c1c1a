// Prefix tuning: trained keys and values before every document, in every layer.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/adapter.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/linear.hpp"

namespace mortise::adapter::prefix {

/// P prefix tokens; X all keys and values of all layers of one token; M its embedding.
class Prefix final : public Adapter {
 public:
  struct Config {
    int64_t tokens = 16;
    bool projection = false;
    int64_t hidden = 0;
    std::string init = "normal";
    std::string prompt;
    static void describe(Schema<Config>& schema);
  };

  Prefix(Config config, const AdapterArgs& args);
  void before_stack(BlockInput& in, const at::Tensor& ids_BT) override;
  void before_layer(int64_t layer, BlockInput& in) override;

  int64_t virtual_tokens() const override { return config_.tokens; }

  std::string initial_prompt() const override { return config_.prompt; }

  void from_prompt(const std::vector<std::pair<at::Tensor, at::Tensor>>& kv,
                   const at::Tensor& x_PD) override;
  void merge() override;

  bool can_merge() const override { return false; }

  std::vector<AdapterTensor> file_tensors() override;
  Value file_config(const std::string& base) const override;

 private:
  at::Tensor table() const;  // [P, X]

  Config config_;
  std::vector<KvShape> shapes_;   // by layer
  std::vector<int64_t> borders_;  // where the part of a layer begins in X; layers + 1 entries
  int64_t token_dim_ = 0;
  at::Tensor embedding_PM_;
  std::shared_ptr<Linear> into_, out_of_;  // null: no reparametrisation
  at::Tensor current_PX_;                  // of the forward that runs
};

}  // namespace mortise::adapter::prefix
