// Prompt tuning: trained embeddings of virtual tokens before every row.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/adapter.hpp"

namespace mortise::adapter::prompt {

class Prompt final : public Adapter {
 public:
  struct Config {
    int64_t tokens = 16;
    std::string prompt;
    static void describe(Schema<Config>& schema);
  };

  Prompt(Config config, const AdapterArgs& args);
  void before_stack(BlockInput& in, const at::Tensor& ids_BT) override;
  at::Tensor after_stack(const at::Tensor& x_BTD) override;

  int64_t virtual_tokens() const override { return config_.tokens; }

  std::string initial_prompt() const override { return config_.prompt; }

  void from_prompt(const std::vector<std::pair<at::Tensor, at::Tensor>>& kv,
                   const at::Tensor& x_PD) override;
  void merge() override;

  bool can_merge() const override { return false; }

  std::vector<AdapterTensor> file_tensors() override;
  Value file_config(const std::string& base) const override;

 private:
  Config config_;
  int64_t num_layers_ = 0;
  at::Tensor embedding_PD_;
  bool is_prepended_ = false;  // in the forward that runs
};

}  // namespace mortise::adapter::prompt
