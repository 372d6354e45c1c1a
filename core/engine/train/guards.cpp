// Asking the guards.
#include "core/engine/train/guards.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "mortise/host.hpp"

namespace mortise::core {

Guards::Guards(const Value& recipe, Host& host) {
  const Value* tables = recipe.find("guard");
  if (tables == nullptr) return;
  for (const auto& [name, table] : tables->as_table())
    guards_.push_back({name, make<Guard>(host, table, {})});
}

template <class Question>
std::vector<GuardEvent> Guards::ask(const Question& question) {
  std::vector<GuardEvent> events;
  for (Named& named : guards_) {
    GuardVerdict verdict = question(*named.guard);
    if (verdict.action != GuardAction::None) events.push_back({named.name, std::move(verdict)});
  }
  return events;
}

std::vector<GuardEvent> Guards::before_update(const GuardStep& step) {
  return ask([&](Guard& guard) { return guard.before_update(step); });
}

std::vector<GuardEvent> Guards::observe(int64_t step, std::string_view name, double value) {
  return ask([&](Guard& guard) { return guard.observe(step, name, value); });
}

void Guards::save(StateSaver& saver) {
  for (Named& named : guards_) {
    saver.begin("guard." + named.name);
    named.guard->state(saver);
  }
}

void Guards::restore(StateLoader& loader) {
  for (Named& named : guards_) {
    loader.begin("guard." + named.name);
    named.guard->state(loader);
  }
}

GuardAction strongest(const std::vector<GuardEvent>& events) {
  GuardAction most = GuardAction::None;
  for (const GuardEvent& event : events) most = std::max(most, event.verdict.action);
  return most;
}

std::string text_of(const GuardEvent& event) {
  return fmt::format("guard {}: {}", event.name, event.verdict.message);
}

}  // namespace mortise::core
