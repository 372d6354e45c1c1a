// @NAME@: runs every unit as it is.  A strategy of phase Recompute changes how activations are kept, never a number.
#include <mortise/plugin.hpp>
#include <mortise/torch/parallel.hpp>

struct @CLASS@ final : mortise::Parallel {
  struct Config {
    bool enabled = true;
    static void describe(mortise::Schema<Config>& s) { s.field("enabled", &Config::enabled, "false: units are not wrapped"); }
  };
  @CLASS@(Config config, const mortise::ParallelArgs&) : config_(config) {}
  mortise::ParallelPhase phase() const override { return mortise::ParallelPhase::Recompute; }
  mortise::UnitRunner wrap(int64_t, mortise::UnitRunner unit) override {
    if (!config_.enabled) return unit;
    return [unit = std::move(unit)](const mortise::BlockInput& in) { return unit(in); };
  }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "runs every unit as it is"));
