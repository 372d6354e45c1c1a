// A line chart as inline SVG: axes with round ticks, several curves, colours from the page's style
// sheet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "series.hpp"

namespace mortise::tracker::html_report {

struct Curve {
  std::string label;
  std::string style;  // class of the page's style sheet: "raw", "main", "other"
  std::vector<Point> points;
  bool dots = false;  // few, distant points
};

struct Chart {
  std::string title, unit;
  bool from_zero = false;  // the value axis starts at 0
  std::vector<Curve> curves;
  std::string note;
};

/// Round numbers that cover [low, high], about `wanted` of them.  The first is ≥ low, the last ≤
/// high.
std::vector<double> ticks(double low, double high, int wanted);
/// A short label: 250, 1.5k, 3e-4, 0.25.  `step` is the distance of the ticks, and decides the
/// decimals.
std::string tick_label(double value, double step);
/// Draws a chart that has at least one point, as a <figure>.
std::string draw(const Chart& chart);

}  // namespace mortise::tracker::html_report
