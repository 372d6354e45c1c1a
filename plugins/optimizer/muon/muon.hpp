// Muon: momentum made orthogonal, for matrices; a second optimizer for everything else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::optimizer::muon {

class Muon final : public Optimizer {
 public:
  struct Config {
    double momentum = 0.95;
    bool nesterov = true;
    int64_t ns_steps = 5;
    std::vector<double> ns_coefficients = {3.4445, -4.7750, 2.0315};
    double eps = 1e-7;
    std::string ns_dtype = "bf16";
    std::string adjust_lr = "original";
    std::vector<std::string> not_matrices = {
        "*embed_tokens*", "*embed_in*", "*wte*", "*wpe*", "*lm_head*", "*embed_out*", "score.*"};
    Use<Optimizer> other{"adamw"};
    double other_lr = 1;
    static void describe(Schema<Config>& schema);
  };

  Muon(Config config, const Slots& slots);

  Granularity granularity() const override { return Granularity::Tensor; }

  void step(const StepContext& context) override;
  void state(StateIo& io) override;

 private:
  void step_matrix(const Slot& slot, at::Tensor& momentum) const;
  at::Tensor orthogonal(const at::Tensor& update) const;

  Config config_;
  Slots slots_;
  std::vector<size_t> matrices_, others_;  // indices of slots_
  std::vector<at::Tensor> m_;              // one a matrix
  Slots other_slots_;                      // what the second optimizer sees of others_
  std::unique_ptr<Optimizer> other_;       // null when everything is a matrix
};

}  // namespace mortise::optimizer::muon
