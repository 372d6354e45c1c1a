// The guards of a recipe, asked in the order of their names; the strongest answer counts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/guard.hpp"
#include "mortise/torch/state_file.hpp"

namespace mortise::core {

/// What one guard said.
struct GuardEvent {
  std::string name;  // of [guard.NAME]
  GuardVerdict verdict;
};

/// Thread: [train-thread].
class Guards {
 public:
  Guards(const Value& recipe, Host& host);

  std::vector<GuardEvent> before_update(const GuardStep& step);
  std::vector<GuardEvent> observe(int64_t step, std::string_view name, double value);
  void save(StateSaver& saver);
  void restore(StateLoader& loader);

 private:
  struct Named {
    std::string name;
    std::unique_ptr<Guard> guard;
  };

  template <class Question>
  std::vector<GuardEvent> ask(const Question& question);

  std::vector<Named> guards_;
};

/// The strongest action of a list: None < Warn < Skip < Rollback < Stop.
GuardAction strongest(const std::vector<GuardEvent>& events);
/// "guard spike: loss 9.1 is 3.2 times the mean of the last 50 steps"
std::string text_of(const GuardEvent& event);

}  // namespace mortise::core
