// Hand-made SVG: a frame of 560 × 240 units that scales with the page.  Hovering is done by the
// page's script, which reads the polylines and the data-* attributes (the value ranges); without a
// script the chart is complete.
#include "svg_chart.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "page.hpp"

namespace mortise::tracker::html_report {

namespace {

constexpr double kWidth = 560, kHeight = 240, kLeft = 58, kRight = 14, kTop = 12, kBottom = 34;

struct Range {
  double low = 0, high = 1;
};

// Maps values to the frame.
struct Frame {
  Range x, y;

  double px(double step) const {
    return kLeft + (step - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }

  double py(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

// 1, 2 or 5 times a power of ten.
double round_step(double range, int wanted) {
  const double rough = range / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

Range widened(Range range) {
  if (range.high > range.low) return range;
  const double pad = range.low == 0 ? 1 : std::abs(range.low) * 0.1;
  return {range.low - pad, range.high + pad};
}

Range step_range(const Chart& chart) {
  Range range{INFINITY, -INFINITY};
  for (const Curve& curve : chart.curves) {
    for (const Point& p : curve.points)
      range = {std::min(range.low, p.step), std::max(range.high, p.step)};
  }
  return range.high > range.low ? range : Range{range.low - 1, range.high + 1};
}

// A few spikes must not flatten the rest: beyond four times the 98th percentile the frame is cut,
// and the caption says so.
Range value_range(const Chart& chart, int64_t& num_cut) {
  std::vector<double> values;
  for (const Curve& curve : chart.curves)
    for (const Point& p : curve.points) values.push_back(p.value);
  std::sort(values.begin(), values.end());
  Range range{values.front(), values.back()};
  const double usual = values[static_cast<size_t>(0.98 * static_cast<double>(values.size() - 1))];
  if (values.size() >= 50 && usual > 0 && range.high > 4 * usual) range.high = 1.5 * usual;
  num_cut = values.end() - std::upper_bound(values.begin(), values.end(), range.high);
  if (chart.from_zero && range.low > 0) range.low = 0;
  range = widened(range);
  const double pad = 0.06 * (range.high - range.low);
  return {chart.from_zero && range.low == 0 ? 0 : range.low - pad, range.high + pad};
}

std::string line(std::string_view style, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                     style,
                     x1,
                     y1,
                     x2,
                     y2);
}

std::string text(std::string_view anchor, double x, double y, std::string_view content) {
  return fmt::format(
      "<text text-anchor=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", anchor, x, y, content);
}

double distance(const std::vector<double>& all) { return all.size() > 1 ? all[1] - all[0] : 1; }

std::string axes(const Frame& frame, const Chart& chart) {
  constexpr double kFloor = kHeight - kBottom, kEnd = kWidth - kRight;
  std::string out;
  const auto y_ticks = ticks(frame.y.low, frame.y.high, 5);
  for (const double tick : y_ticks) {
    const double y = frame.py(tick);
    out += line("grid", kLeft, y, kEnd, y) +
           text("end", kLeft - 8, y + 3.5, tick_label(tick, distance(y_ticks)));
  }
  const auto x_ticks = ticks(frame.x.low, frame.x.high, 6);
  for (const double tick : x_ticks) {
    const double x = frame.px(tick);
    out += line("axis", x, kFloor, x, kFloor + 4) +
           text("middle", x, kFloor + 17, tick_label(tick, distance(x_ticks)));
  }
  out += line("axis", kLeft, kFloor, kEnd, kFloor) + text("end", kEnd, kHeight - 3, "step");
  if (!chart.unit.empty())
    out += fmt::format("<g transform=\"translate(12 {:.0f}) rotate(-90)\">{}</g>",
                       (kTop + kFloor) / 2,
                       text("middle", 0, 0, escaped(chart.unit)));
  return out;
}

std::string polyline(const Frame& frame, const Curve& curve) {
  std::string points, dots;
  for (const Point& p : curve.points) {
    const double x = frame.px(p.step),
                 y = std::max(frame.py(p.value), -20.0);  // cut above by the frame
    points += fmt::format("{:.1f},{:.2f} ", x, y);
    if (curve.dots || curve.points.size() == 1)
      dots += fmt::format(
          "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.2f}\" r=\"3\"/>", curve.style, x, y);
  }
  return fmt::format("<polyline class=\"{}\" data-label=\"{}\" points=\"{}\"/>{}",
                     curve.style,
                     escaped(curve.label),
                     points,
                     dots);
}

}  // namespace

std::vector<double> ticks(double low, double high, int wanted) {
  const double step = round_step(high - low, wanted);
  std::vector<double> out;
  for (double n = std::ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; ++n)
    out.push_back(n == 0 ? 0.0 : n * step);
  return out;
}

std::string tick_label(double value, double step) {
  if (value == 0) return "0";
  const double size = std::max(std::abs(value), step);
  if (size < 1e-3 || size >= 1e15) {
    const int power = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    return fmt::format("{:.3g}e{}", value / std::pow(10.0, power), power);
  }
  const auto [scale, suffix] = size >= 1e12  ? std::pair(1e12, "T")
                               : size >= 1e9 ? std::pair(1e9, "G")
                               : size >= 1e6 ? std::pair(1e6, "M")
                               : size >= 1e4 ? std::pair(1e3, "k")
                                             : std::pair(1.0, "");
  const int decimals =
      std::clamp(static_cast<int>(-std::floor(std::log10(step / scale) + 1e-9)), 0, 6);
  return fmt::format("{:.{}f}{}", value / scale, decimals, suffix);
}

std::string draw(const Chart& chart) {
  int64_t num_cut = 0;
  const Frame frame{step_range(chart), value_range(chart, num_cut)};
  std::string legend, body;
  for (const Curve& curve : chart.curves) {
    if (curve.points.empty()) continue;
    body += polyline(frame, curve);
    if (chart.curves.size() > 1)
      legend += fmt::format("<span class=\"key {}\">{}</span>", curve.style, escaped(curve.label));
  }
  std::string note = chart.note;
  if (num_cut > 0)
    note += fmt::format(
        "{}{} point{} above the frame", note.empty() ? "" : "; ", num_cut, num_cut == 1 ? "" : "s");
  return fmt::format(
      "<figure><figcaption><b>{}</b>{}{}</figcaption>"
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" data-x=\"{} {} {} {}\" "
      "data-y=\"{} {} {} {}\">"
      "<clipPath id=\"clip-{}\"><rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" "
      "height=\"{:.0f}\"/></clipPath>{}"
      "<g clip-path=\"url(#clip-{})\">{}</g></svg></figure>\n",
      escaped(chart.title),
      legend,
      note.empty() ? "" : "<span class=\"note\">" + escaped(note) + "</span>",
      kWidth,
      kHeight,
      escaped(chart.title),
      kLeft,
      kWidth - kRight,
      frame.x.low,
      frame.x.high,
      kHeight - kBottom,
      kTop,
      frame.y.low,
      frame.y.high,
      identifier(chart.title),
      kLeft - 4,
      kTop - 4,
      kWidth - kLeft - kRight + 8,
      kHeight - kTop - kBottom + 8,
      axes(frame, chart),
      identifier(chart.title),
      body);
}

}  // namespace mortise::tracker::html_report
