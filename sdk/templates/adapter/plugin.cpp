// @NAME@: a learned factor on every output channel of chosen projections.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/adapter_tools.hpp>

struct Scale final : mortise::LinearOp {
  Scale(const mortise::BuildContext& build, const mortise::Linear& linear) : factor_(add_parameter("factor", {linear.out_features()}, build, mortise::Init::ones())) {}
  at::Tensor forward(const mortise::Linear&, const at::Tensor& x, const Next& next) override { return is_merged_ ? next(x) : next(x) * factor_; }
  at::Tensor factor_;
  bool is_merged_ = false;
};

struct @CLASS@ final : mortise::Adapter {
  struct Config {
    std::vector<std::string> targets = {"o_proj"};
    static void describe(mortise::Schema<Config>& s) { s.field("targets", &Config::targets, "projections, by last name or by pattern"); }
  };
  @CLASS@(Config config, const mortise::AdapterArgs& args) : config_(std::move(config)) {
    mortise::freeze(*args.model);
    for (const mortise::Projection& projection : mortise::targeted(mortise::projections(*args.model), config_.targets, !args.is_sample)) {
      if (projection.linear == nullptr) continue;  // experts: wrap projection.grouped likewise
      auto scale = std::make_shared<Scale>(args.build, *projection.linear);
      projection.linear->wrap("@NAME@", scale);
      parts_.emplace_back(projection, std::move(scale));
    }
  }
  void merge() override {
    const c10::NoGradGuard no_grad;
    for (auto& [projection, scale] : parts_) {
      if (std::exchange(scale->is_merged_, true)) continue;
      const at::Tensor factor = scale->factor_.to(at::kFloat);
      projection.linear->weight().detach().copy_(projection.linear->weight().to(at::kFloat) * factor.unsqueeze(1));
      if (projection.linear->bias().defined()) projection.linear->bias().detach().copy_(projection.linear->bias().to(at::kFloat) * factor);
    }
  }
  bool can_merge() const override { return true; }
  std::vector<mortise::AdapterTensor> file_tensors() override {
    std::vector<mortise::AdapterTensor> tensors;
    for (auto& [projection, scale] : parts_) tensors.push_back({"base_model.model." + projection.path + ".@NAME@", scale->factor_.detach()});
    return tensors;
  }
  mortise::Value file_config(const std::string& base) const override {
    mortise::Value config = mortise::Value::table();
    config["peft_type"] = "@NAME@";
    config["base_model_name_or_path"] = base;
    config["target_modules"] = mortise::Value::array();
    for (const std::string& target : config_.targets) config["target_modules"].as_array().emplace_back(target);
    return config;
  }
  Config config_;
  std::vector<std::pair<mortise::Projection, std::shared_ptr<Scale>>> parts_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "a learned factor on every output of chosen projections"));
