// The report as one HTML page that needs nothing beside itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/tracker.hpp"

#include "series.hpp"

namespace mortise::tracker::html_report {

struct Evaluation {
  int64_t step = 0;
  ScoreReport report;
};

struct LoggedText {
  int64_t step = 0;
  std::string name, text;
};

/// A piece of a curve that a rollback gave up.
struct GivenUp {
  std::string name;
  std::vector<Point> points;
};

/// All that the page shows.
struct Report {
  RunInfo run;
  RunSummary summary;  // status "running" until the end
  int64_t step = 0;    // the last one logged
  std::vector<Series> series;
  std::vector<Evaluation> evaluations;
  std::vector<LoggedText> texts;
  std::vector<GivenUp> given_up;
  std::string written_at;
};

/// Returns the text with everything escaped that HTML would read as markup, invalid UTF-8 and
/// control characters replaced.
std::string escaped(std::string_view text);
/// Letters, digits and dashes: usable as an id.
std::string identifier(std::string_view text);
/// Writes the page.  `data` is JSON kept in the page for a later resume; `smoothing` is the share
/// of a curve over which loss is averaged.
std::string render(const Report& report, const std::string& data, double smoothing);
/// Finds the JSON that render() put into a page; empty when there is none.
std::string embedded_data(std::string_view page);

}  // namespace mortise::tracker::html_report
