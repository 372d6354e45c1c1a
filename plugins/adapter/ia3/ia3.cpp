// (IA)³: y = l ⊙ (W·x + b) for keys and values, y = W·(l ⊙ x) + b for the feed-forward projections.
// The vectors start at one, so training starts from the base model.
//
// Source: Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
// In-Context Learning", arXiv:2205.05638 §3.3.  Names and shapes of the file: peft 0.21.
#include "ia3.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/plugin.hpp"

namespace mortise::adapter::ia3 {

namespace {

at::Tensor scaled(const at::Tensor& x, const at::Tensor& factors) {
  return (x * factors).to(x.scalar_type());
}

class Ia3Op final : public LinearOp {
 public:
  Ia3Op(const BuildContext& build, const Linear& linear, bool is_input) {
    const int64_t inputs = linear.in_features(), outputs = linear.out_features();
    const std::vector<int64_t> shape =
        is_input ? std::vector<int64_t>{1, inputs} : std::vector<int64_t>{outputs, 1};
    scale_ = {add_parameter("l", shape, build, Init::ones()), is_input, false};
  }

  at::Tensor forward(const Linear&, const at::Tensor& x, const Next& next) override {
    if (scale_.is_merged) return next(x);
    const at::Tensor l = scale_.l.flatten();
    return scale_.is_input ? next(scaled(x, l)) : scaled(next(x), l);
  }

  Scale scale_;
};

class GroupedIa3Op final : public GroupedLinearOp {
 public:
  GroupedIa3Op(const BuildContext& build, const GroupedLinear& linear, bool is_input) {
    const int64_t experts = linear.num_experts(), inputs = linear.in_features(),
                  outputs = linear.out_features();
    const std::vector<int64_t> shape = is_input ? std::vector<int64_t>{experts, 1, inputs}
                                                : std::vector<int64_t>{experts, outputs, 1};
    scale_ = {add_parameter("l", shape, build, Init::ones()), is_input, false};
  }

  at::Tensor forward(const GroupedLinear&,
                     const at::Tensor& x_MI,
                     std::span<const int64_t> borders,
                     const Next& next) override {
    if (scale_.is_merged) return next(x_MI);
    std::vector<int64_t> rows;
    for (size_t e = 0; e + 1 < borders.size(); ++e) rows.push_back(borders[e + 1] - borders[e]);
    const at::Tensor l =
        at::repeat_interleave(scale_.l.flatten(1), at::tensor(rows, at::kLong), 0, x_MI.size(0));
    return scale_.is_input ? next(scaled(x_MI, l)) : scaled(next(x_MI), l);
  }

  Scale scale_;
};

}  // namespace

Ia3::Ia3(Config config, const AdapterArgs& args) : config_(std::move(config)) {
  MORTISE_CHECK(args.model != nullptr, "an adapter needs a model");
  freeze(*args.model);
  choose(args, args.file);
}

void Ia3::choose(const AdapterArgs& args, const Value& file) {
  const std::vector<Projection> all = projections(*args.model);
  std::vector<Projection> chosen, inner;
  if (file.is_null()) {
    chosen = targeted(all, config_.targets, !args.is_sample);
    inner = targeted(chosen, config_.feedforward, !args.is_sample);
  } else {
    refuse_set_keys(file, {"modules_to_save", "exclude_modules", "fan_in_fan_out"});
    chosen = peft_targeted(all, file.at("target_modules"));
    inner = peft_targeted(chosen, file.at("feedforward_modules"));
    config_.targets.clear();  // the file's are written as paths again
    config_.feedforward.clear();
  }
  for (const Projection& projection : chosen) {
    const bool is_input = std::any_of(inner.begin(), inner.end(), [&](const Projection& other) {
      return other.path == projection.path;
    });
    wrap(projection, args.build, is_input);
  }
}

void Ia3::wrap(const Projection& projection, const BuildContext& build, bool is_input) {
  if (projection.linear != nullptr) {
    const auto op = std::make_shared<Ia3Op>(build, *projection.linear, is_input);
    projection.linear->wrap("ia3", op);
    parts_.push_back({projection, &op->scale_});
  } else {
    const auto op = std::make_shared<GroupedIa3Op>(build, *projection.grouped, is_input);
    projection.grouped->wrap("ia3", op);
    parts_.push_back({projection, &op->scale_});
  }
}

void Ia3::merge() {
  const at::NoGradGuard no_grad;
  for (Part& part : parts_) {
    if (part.scale->is_merged) continue;
    part.scale->is_merged = true;
    const at::Tensor l = part.scale->l.detach().to(at::kFloat);
    const auto scale = [](const at::Tensor& tensor, const at::Tensor& factors) {
      tensor.detach().copy_(tensor.detach().to(at::kFloat) * factors);
    };
    scale(part.projection.weight(), l);
    if (part.projection.linear == nullptr || part.scale->is_input) continue;
    if (const at::Tensor& bias = part.projection.linear->bias(); bias.defined())
      scale(bias, l.flatten());
  }
}

std::vector<AdapterTensor> Ia3::file_tensors() {
  std::vector<AdapterTensor> tensors;
  for (const Part& part : parts_) {
    const at::Tensor l = part.scale->l.detach();
    for (int64_t e = 0; e < part.projection.num_experts(); ++e)
      tensors.push_back({"base_model.model." + peft_path(part.projection, e) + ".ia3_l",
                         part.projection.grouped == nullptr ? l : l[e]});
  }
  return tensors;
}

Value Ia3::file_config(const std::string& base) const {
  std::vector<Projection> all, inner;
  for (const Part& part : parts_) {
    all.push_back(part.projection);
    if (part.scale->is_input) inner.push_back(part.projection);
  }
  Value config = peft_config("IA3", base);
  config["target_modules"] = peft_targets(config_.targets, all);
  config["feedforward_modules"] = peft_targets(config_.feedforward, inner);
  config["fan_in_fan_out"] = false;
  config["init_ia3_weights"] = true;
  return config;
}

void Ia3::Config::describe(Schema<Config>& schema) {
  schema.field("targets", &Config::targets, "projections that get a vector, by name or pattern");
  schema.field("feedforward", &Config::feedforward, "those of them whose input is scaled");
  schema.provides("merge");
  schema.provides("peft_ia3");
}

}  // namespace mortise::adapter::ia3

MORTISE_PLUGIN("org.mortise.adapter.ia3",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::adapter::ia3::Ia3>(
                   "ia3",
                   "learned vectors scale keys, values and inner activations; the base is frozen"));
