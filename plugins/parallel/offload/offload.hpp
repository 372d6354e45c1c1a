// Activation offload: what a unit saves for its backward pass waits elsewhere.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/parallel.hpp"

#include "store.hpp"

namespace mortise::parallel::offload {

class Offload final : public Parallel {
 public:
  struct Config {
    std::string to = "file";
    std::string folder = "";
    int64_t min_bytes = int64_t{64} << 10;
    int64_t every = 1;
    static void describe(Schema<Config>& schema);
  };

  /// Throws: Error{Usage} when the model is in host memory already and `to` is "host".
  Offload(Config config, const ParallelArgs& args);

  ParallelPhase phase() const override { return ParallelPhase::Offload; }

  UnitRunner wrap(int64_t layer, UnitRunner unit) override;

  const Store& store() const { return *store_; }

 private:
  struct Frame;
  struct Hook;
  struct Hooks;
  struct Ledger;
  class Scope;

  Config config_;
  std::vector<at::Tensor> fixed_;  // parameters and buffers: they stay
  std::shared_ptr<Store> store_;
  std::shared_ptr<Ledger>
      ledger_;  // what waits already: an activation is saved by several operations
};

}  // namespace mortise::parallel::offload
