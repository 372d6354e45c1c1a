// @NAME@: warns when the gradient norm is larger than a limit.
#include <mortise/guard.hpp>
#include <mortise/plugin.hpp>

struct @CLASS@ final : mortise::Guard {
  struct Config {
    double limit = 100;
    std::string action = "warn";
    static void describe(mortise::Schema<Config>& s) {
      s.field("limit", &Config::limit, "largest gradient norm that is fine").above(0);
      s.field("action", &Config::action, "what is done about a larger one").one_of({"warn", "skip", "rollback", "stop"});
    }
  };
  explicit @CLASS@(Config config) : config_(std::move(config)) {}
  mortise::GuardVerdict before_update(const mortise::GuardStep& step) override {
    if (!(step.grad_norm > config_.limit)) return {};
    return {mortise::guard_action(config_.action),
            fmt::format("the gradient norm is {:.3g} at step {}; the limit is {:.3g}", step.grad_norm, step.step, config_.limit)};
  }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "a gradient norm above a limit"));
