// LoRA, rsLoRA and DoRA on chosen projections, experts included.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/adapter.hpp"
#include "mortise/torch/adapter_tools.hpp"

#include "lora_op.hpp"

namespace mortise::adapter::lora {

class Lora final : public Adapter {
 public:
  struct Config {
    int64_t rank = 8;
    double alpha = 16;
    double dropout = 0;
    bool rslora = false;
    bool use_dora = false;
    std::string init = "kaiming";
    std::vector<std::string> targets = {"q_proj", "k_proj", "v_proj", "o_proj"};
    std::map<std::string, int64_t> rank_pattern;
    std::map<std::string, double> alpha_pattern;
    static void describe(Schema<Config>& schema);
  };

  Lora(Config config, const AdapterArgs& args);
  void weights_loaded() override;
  void merge() override;

  bool can_merge() const override { return true; }

  std::vector<AdapterTensor> file_tensors() override;
  Value file_config(const std::string& base) const override;

 private:
  /// One adapted projection.
  struct Part {
    Projection projection;
    Factors* factors = nullptr;  // owned by the operation, which its projection keeps
    int64_t rank = 0;
    double alpha = 0;
  };

  void read(const Value& file);
  void choose(const AdapterArgs& args);
  void wrap(const Projection& projection, const BuildContext& build);

  Config config_;
  Value file_;  // adapter_config.json that it continues from; null: none
  std::vector<Part> parts_;
};

}  // namespace mortise::adapter::lora
