// (IA)³: learned vectors that scale keys, values and the inner activations of the feed-forward
// part.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/adapter.hpp"
#include "mortise/torch/adapter_tools.hpp"

namespace mortise::adapter::ia3 {

/// The vector of one projection.  With experts it has one row for each.
struct Scale {
  at::Tensor l;           // the parameter: [O, 1] or [1, I], before it E when there are experts
  bool is_input = false;  // it scales what goes in, not what comes out
  bool is_merged = false;
};

class Ia3 final : public Adapter {
 public:
  struct Config {
    std::vector<std::string> targets = {"k_proj", "v_proj", "down_proj"};
    std::vector<std::string> feedforward = {"down_proj"};
    static void describe(Schema<Config>& schema);
  };

  Ia3(Config config, const AdapterArgs& args);
  void merge() override;

  bool can_merge() const override { return true; }

  std::vector<AdapterTensor> file_tensors() override;
  Value file_config(const std::string& base) const override;

 private:
  struct Part {
    Projection projection;
    Scale* scale = nullptr;  // of the operation, which its projection keeps
  };

  void choose(const AdapterArgs& args, const Value& file);
  void wrap(const Projection& projection, const BuildContext& build, bool is_input);

  Config config_;
  std::vector<Part> parts_;
};

}  // namespace mortise::adapter::ia3
