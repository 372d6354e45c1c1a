// @NAME@: the share of predictions that equal a reference.  Statistics of a sample: {hit, 1}.
#include <mortise/metric.hpp>
#include <mortise/plugin.hpp>

struct @CLASS@ final : mortise::Metric {
  struct Config {
    bool anywhere = false;
    static void describe(mortise::Schema<Config>& s) { s.field("anywhere", &Config::anywhere, "the reference may stand anywhere in the prediction"); }
  };
  explicit @CLASS@(Config config) : config_(config) {}
  mortise::Stats sample(const mortise::Sample& s) const override {
    bool hit = false;
    for (const std::string& r : s.references) hit = hit || (config_.anywhere ? s.prediction.find(r) != std::string_view::npos : s.prediction == r);
    return {hit ? 1.0 : 0.0, 1.0};
  }
  std::vector<mortise::Score> compute(const mortise::Stats& sum) const override { return {{"@NAME@", sum[1] > 0 ? sum[0] / sum[1] : 0.0}}; }
  std::string signature() const override { return config_.anywhere ? "match:anywhere|version:1" : "match:whole|version:1"; }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "share of predictions equal to a reference"));
