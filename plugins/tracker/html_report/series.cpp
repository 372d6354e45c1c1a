// Bounded curves: averaging neighbours keeps the mean of noisy values, where dropping points would
// not.
#include "series.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/error.hpp"

namespace mortise::tracker::html_report {

bool can_be_drawn(double value) { return std::abs(value) < 1e150; }

void Series::add(int64_t step, double value) {
  if (!can_be_drawn(value)) {
    ++num_not_drawn_;
    return;
  }
  sum_.step += static_cast<double>(step);
  sum_.value += value;
  if (++count_ < stride_) return;
  const auto n = static_cast<double>(count_);
  points_.push_back({sum_.step / n, sum_.value / n});
  sum_ = {};
  count_ = 0;
  if (static_cast<int64_t>(points_.size()) >= 2 * max_points_) merge_neighbours();
}

void Series::merge_neighbours() {
  const size_t half = points_.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const Point &a = points_[2 * i], &b = points_[2 * i + 1];
    points_[i] = {(a.step + b.step) / 2, (a.value + b.value) / 2};
  }
  points_.resize(half);
  stride_ *= 2;
}

void Series::drop_after(int64_t step) {
  const auto limit = static_cast<double>(step);
  std::erase_if(points_, [&](const Point& p) { return p.step > limit; });
  if (count_ > 0 && sum_.step / static_cast<double>(count_) > limit) {
    sum_ = {};
    count_ = 0;
  }
}

std::vector<Point> Series::points() const {
  std::vector<Point> all = points_;
  if (count_ > 0)
    all.push_back(
        {sum_.step / static_cast<double>(count_), sum_.value / static_cast<double>(count_)});
  return all;
}

Value Series::to_value() const {
  Value value = Value::table();
  value["name"] = name_;
  value["stride"] = stride_;
  value["not_drawn"] = num_not_drawn_;
  value["pending"] = Value(Value::Array{sum_.step, sum_.value, count_});
  Value::Array steps, values;
  for (const Point& point : points_) {
    steps.emplace_back(point.step);
    values.emplace_back(point.value);
  }
  value["steps"] = Value(std::move(steps));
  value["values"] = Value(std::move(values));
  return value;
}

Series Series::from_value(const Value& value, int64_t max_points) {
  Series series(value.at("name").as_string(), max_points);
  series.stride_ = std::max<int64_t>(1, value.at("stride").as_int());
  series.num_not_drawn_ = value.at("not_drawn").as_int();
  const auto& pending = value.at("pending").as_array();
  const auto &steps = value.at("steps").as_array(), &values = value.at("values").as_array();
  MORTISE_CHECK(pending.size() == 3 && steps.size() == values.size(),
                "the curve {} is damaged",
                series.name_);
  series.sum_ = {pending[0].as_float(), pending[1].as_float()};
  series.count_ = pending[2].as_int();
  for (size_t i = 0; i < steps.size(); ++i)
    series.points_.push_back({steps[i].as_float(), values[i].as_float()});
  return series;
}

std::vector<Point> smoothed(const std::vector<Point>& points, double share) {
  const auto n = static_cast<int64_t>(points.size());
  const auto reach = static_cast<int64_t>(share * static_cast<double>(n) / 2);
  std::vector<double> sums(points.size() + 1, 0.0);
  for (size_t i = 0; i < points.size(); ++i) sums[i + 1] = sums[i] + points[i].value;
  std::vector<Point> out;
  out.reserve(points.size());
  for (int64_t i = 0; i < n; ++i) {
    // The window stays symmetric and shrinks at both ends: an average that reaches further to one
    // side would bend the curve.
    const int64_t side = std::min({reach, i, n - 1 - i});
    const double sum =
        sums[static_cast<size_t>(i + side + 1)] - sums[static_cast<size_t>(i - side)];
    out.push_back({points[static_cast<size_t>(i)].step, sum / static_cast<double>(2 * side + 1)});
  }
  return out;
}

}  // namespace mortise::tracker::html_report
