// All weights are trained, but for those that a pattern freezes.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/adapter.hpp"

namespace mortise::adapter::full {

class Full final : public Adapter {
 public:
  struct Config {
    std::vector<std::string> freeze;
    static void describe(Schema<Config>& schema);
  };

  Full(Config config, const AdapterArgs& args);

  void merge() override {}

  bool can_merge() const override { return true; }

  std::vector<AdapterTensor> file_tensors() override { return {}; }

  Value file_config(const std::string&) const override { return Value::table(); }
};

}  // namespace mortise::adapter::full
