// Interface `schedule`: step → factor on the learning rate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/state.hpp"

namespace mortise {

struct ScheduleArgs {
  int64_t total_steps = 0;  // optimizer steps of the whole run
};

/// Reads a parameter that counts steps: whole steps, or below 1 a fraction of all steps.
/// Throws: Error, naming `parameter`, for 2.5 steps or for more steps than the run has.
/// Thread: [any-thread].
MORTISE_API int64_t whole_steps(double value, const ScheduleArgs& args, std::string_view parameter);

class MORTISE_API Schedule : public Component {
 public:
  using Interface = Schedule;
  using Args = ScheduleArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "schedule/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES, MORTISE_TYPE(ScheduleArgs)});
  }

  /// Returns the factor for `step`, counted from 0.  Finite and ≥ 0.  Pure between observe() calls.
  /// Thread: [train-thread].
  virtual double factor(int64_t step) const = 0;

  /// Is told every evaluated score ("ppl.perplexity", 31.2), for schedules that react to one.
  /// Thread: [train-thread].
  virtual void observe(std::string_view, double) {}

  virtual void state(StateIo&) {}
};

}  // namespace mortise
