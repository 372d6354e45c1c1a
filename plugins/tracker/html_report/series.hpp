// One curve of a run, kept small: however long the run, a bounded number of points.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mortise/value.hpp"

namespace mortise::tracker::html_report {

struct Point {
  double step = 0, value = 0;
};

/// Whether a chart can show the value: NaN, infinity and what overflows when it is summed cannot be
/// drawn.
bool can_be_drawn(double value);

/// Each point is the mean of `stride` logged values.  When there are too many points, neighbours
/// are averaged and the stride doubles, so the curve keeps its whole length and its shape. Thread:
/// [one thread at a time].
class Series {
 public:
  Series(std::string name, int64_t max_points) : name_(std::move(name)), max_points_(max_points) {}

  /// Adds a value.  One that cannot be drawn is counted instead.
  void add(int64_t step, double value);
  /// Forgets what lies after `step`.
  void drop_after(int64_t step);
  /// All points, the unfinished last one included.
  std::vector<Point> points() const;

  const std::string& name() const { return name_; }

  int64_t num_not_drawn() const { return num_not_drawn_; }

  Value to_value() const;
  /// Throws: Error when the value is not one that to_value() wrote.
  static Series from_value(const Value& value, int64_t max_points);

 private:
  void merge_neighbours();

  std::string name_;
  int64_t max_points_;
  std::vector<Point> points_;
  int64_t stride_ = 1;
  Point sum_;  // of the unfinished point
  int64_t count_ = 0;
  int64_t num_not_drawn_ = 0;
};

/// Centred moving average over `share` of the curve's length: no lag, unlike an exponential one.
std::vector<Point> smoothed(const std::vector<Point>& points, double share);

}  // namespace mortise::tracker::html_report
