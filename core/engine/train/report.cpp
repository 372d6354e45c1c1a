// Forwarding to every tracker; what throws names the tracker.
#include "core/engine/train/report.hpp"

#include <fstream>

#include <fmt/format.h>

#include "mortise/error.hpp"

namespace mortise::core {

namespace {

template <class Trackers, class Call>
void for_each(Trackers& trackers, Call call) {
  for (auto& [name, tracker] : trackers) {
    try {
      call(*tracker);
    } catch (Error& error) {
      error.add_context(fmt::format("in [tracker.{}]", name));
      throw;
    }
  }
}

}  // namespace

Report::Report(const Value& recipe, Host& host, const RunInfo& info) {
  if (const Value* tables = recipe.find("tracker"))
    for (const auto& [name, table] : tables->as_table())
      if (table.get("type", "") != "none")
        trackers_.emplace_back(name, make<Tracker>(host, table, {}));
  for_each(trackers_, [&](Tracker& tracker) { tracker.start(info); });
}

void Report::scalars(int64_t step, const std::vector<Scalar>& values) {
  for_each(trackers_, [&](Tracker& tracker) { tracker.scalars(step, values); });
}

void Report::text(int64_t step, std::string_view name, std::string_view text) {
  for_each(trackers_, [&](Tracker& tracker) { tracker.text(step, name, text); });
}

void Report::scores(int64_t step, const ScoreReport& report) {
  for_each(trackers_, [&](Tracker& tracker) { tracker.scores(step, report); });
}

void Report::rewound(int64_t from, int64_t to, std::string_view why) {
  for_each(trackers_, [&](Tracker& tracker) {
    if (auto* rewind = query<ext::Rewind>(tracker)) rewind->rewound(from, to, why);
  });
}

void Report::flush() {
  for_each(trackers_, [](Tracker& tracker) { tracker.flush(); });
}

void Report::finish(const RunSummary& summary) {
  for_each(trackers_, [&](Tracker& tracker) { tracker.finish(summary); });
}

int64_t peak_resident_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

}  // namespace mortise::core
