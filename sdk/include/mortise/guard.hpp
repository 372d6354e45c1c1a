// Interface `guard`: watches a run and says when something is wrong.
//
// Core asks before every optimizer step and tells every evaluated score; the guard answers with an
// action, core carries it out: warn, skip (this update is left out), rollback (to the newest
// checkpoint), stop (exit code 4, checkpoint saved).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/state.hpp"

namespace mortise {

enum class GuardAction { None, Warn, Skip, Rollback, Stop };

/// What is known before the update of a step.  loss and grad_norm may be nan or infinite.
struct GuardStep {
  int64_t step = 0;      // from 1
  double loss = 0;       // per target
  double grad_norm = 0;  // global, before clipping
  double lr = 0;
};

struct GuardVerdict {
  GuardAction action = GuardAction::None;
  std::string message;  // one sentence: what was seen, what was expected
};

class MORTISE_API Guard : public Component {
 public:
  using Interface = Guard;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "guard/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(GuardStep),
                               MORTISE_MEMBER(GuardStep, lr),
                               MORTISE_TYPE(GuardVerdict)});
  }

  /// Judges a step before its update.   Thread: [train-thread], as the next.
  virtual GuardVerdict before_update(const GuardStep& /*step*/) { return {}; }

  /// Judges an evaluated score ("ppl.perplexity").
  virtual GuardVerdict observe(int64_t /*step*/, std::string_view /*name*/, double /*value*/) {
    return {};
  }

  /// Saves or restores all that its verdicts depend on.   Thread: [main-thread].
  virtual void state(StateIo&) {}
};

/// "warn", "skip", "rollback", "stop" → action.  Throws: Error on another word.
MORTISE_API GuardAction guard_action(std::string_view name);

}  // namespace mortise
