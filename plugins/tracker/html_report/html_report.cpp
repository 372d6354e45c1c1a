// Keeps curves, scores and samples in memory and writes the whole page, atomically, at each flush
// and at the end: an open report of a running job is always whole, and a full disk leaves the last
// good one.  The page carries its own data as JSON, which a resumed run reads back, so that curves
// are whole without a second file.  The data format is persistent: {"version": 1, "series": […],
// …}.
#include "html_report.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

#include <unistd.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"
#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::tracker::html_report {

namespace {

constexpr int64_t kDataVersion = 1;

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

// JSON has no NaN or infinity; a text stands for them.
Value number(double value) {
  return std::isfinite(value) ? Value(value) : Value(fmt::format("{}", value));
}

double number_of(const Value& value) {
  return value.is_string() ? std::strtod(value.as_string().c_str(), nullptr) : value.as_float();
}

Value value_of(const Evaluation& evaluation) {
  Value out = Value::table();
  out["step"] = evaluation.step;
  out["name"] = evaluation.report.name;
  out["data"] = evaluation.report.data;
  out["signature"] = evaluation.report.signature;
  out["scores"] = Value::array();
  for (const Score& score : evaluation.report.scores)
    out["scores"].as_array().emplace_back(Value::Array{score.name, number(score.value)});
  return out;
}

Evaluation evaluation_of(const Value& value) {
  Evaluation out{value.at("step").as_int(),
                 {value.at("name").as_string(),
                  value.at("data").as_string(),
                  value.at("signature").as_string(),
                  {}}};
  for (const Value& score : value.at("scores").as_array()) {
    MORTISE_CHECK(score.as_array().size() == 2, "a score of {} is damaged", out.report.name);
    out.report.scores.push_back({score.as_array()[0].as_string(), number_of(score.as_array()[1])});
  }
  return out;
}

GivenUp given_up_of(const Value& value) {
  GivenUp out{value.at("name").as_string(), {}};
  for (const Value& point : value.at("points").as_array()) {
    MORTISE_CHECK(point.as_array().size() == 2, "a point of {} is damaged", out.name);
    out.points.push_back({number_of(point.as_array()[0]), number_of(point.as_array()[1])});
  }
  return out;
}

}  // namespace

HtmlReport::HtmlReport(Config config) : config_(config) {}

void HtmlReport::start(const RunInfo& info) {
  path_ = info.directory + "/report.html";
  report_ = {};
  report_.run = info;
  report_.step = info.resumed_step;
  report_.summary.status = "running";
  earlier_seconds_ = 0;
  started_ = std::chrono::steady_clock::now();
  if (info.resumed_step > 0) load_earlier_part(info.resumed_step);
  write_page();
}

// A report that is missing or was made by hand costs the earlier part of the curves, never the run.
void HtmlReport::load_earlier_part(int64_t resumed_step) {
  try {
    const Value data =
        parse_json(embedded_data(MappedFile::open(path_)->text()), "the data of report.html");
    MORTISE_CHECK_EQ(data.at("version").as_int(), kDataVersion, "report.html of another version");
    Report earlier;
    for (const Value& value : data.at("series").as_array()) {
      earlier.series.push_back(Series::from_value(value, config_.max_points));
      earlier.series.back().drop_after(resumed_step);
    }
    for (const Value& value : data.at("evaluations").as_array())
      if (value.at("step").as_int() <= resumed_step)
        earlier.evaluations.push_back(evaluation_of(value));
    for (const Value& value : data.at("texts").as_array())
      if (value.at("step").as_int() <= resumed_step)
        earlier.texts.push_back({value.at("step").as_int(),
                                 value.at("name").as_string(),
                                 value.at("text").as_string()});
    if (const Value* pieces = data.find("given_up"))  // absent in pages of earlier versions
      for (const Value& value : pieces->as_array()) earlier.given_up.push_back(given_up_of(value));
    earlier_seconds_ = data.at("wall_seconds").as_float();
    report_.series = std::move(earlier.series);
    report_.evaluations = std::move(earlier.evaluations);
    report_.texts = std::move(earlier.texts);
    report_.given_up = std::move(earlier.given_up);
  } catch (const Error& error) {
    log::warn(
        "the report's curves begin at step {}: {}  path={}", resumed_step, error.message(), path_);
  }
}

void HtmlReport::scalars(int64_t step, std::span<const Scalar> values) {
  report_.step = std::max(report_.step, step);
  for (const Scalar& scalar : values) {
    const std::string name = pytext::repair_utf8(scalar.name);
    auto found = std::find_if(report_.series.begin(), report_.series.end(), [&](const Series& s) {
      return s.name() == name;
    });
    if (found == report_.series.end())
      found = report_.series.insert(found, Series(name, config_.max_points));
    found->add(step, scalar.value);
  }
}

void HtmlReport::text(int64_t step, std::string_view name, std::string_view text) {
  report_.texts.push_back({step, pytext::repair_utf8(name), pytext::repair_utf8(text)});
  if (static_cast<int64_t>(report_.texts.size()) > config_.max_samples)
    report_.texts.erase(report_.texts.begin());
}

void HtmlReport::scores(int64_t step, const ScoreReport& report) {
  report_.evaluations.push_back({step, report});
}

// What is given up stays in sight, but is no part of the curve.
void HtmlReport::rewound(int64_t from, int64_t to, std::string_view why) {
  for (Series& series : report_.series) {
    GivenUp piece{series.name(), series.points()};
    series.drop_after(to);
    const auto kept = static_cast<int64_t>(series.points().size());
    piece.points.erase(piece.points.begin(), piece.points.begin() + std::max<int64_t>(0, kept - 1));
    if (piece.points.size() > 1) report_.given_up.push_back(std::move(piece));
  }
  std::erase_if(report_.evaluations, [&](const Evaluation& e) { return e.step > to; });
  report_.step = to;
  text(to, "rollback", fmt::format("from step {} to step {}: {}", from, to, why));
}

void HtmlReport::flush() {
  if (!path_.empty()) write_page();
}

void HtmlReport::finish(const RunSummary& summary) {
  report_.summary = summary;
  report_.step = summary.steps;
  write_page();
}

void HtmlReport::write_page() {
  if (report_.summary.status == "running")
    report_.summary.wall_seconds =
        earlier_seconds_ +
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  report_.written_at = now_utc();
  write_file(path_, render(report_, data(), config_.smoothing));
}

std::string HtmlReport::data() const {
  Value value = Value::table();
  value["version"] = kDataVersion;
  value["wall_seconds"] = report_.summary.wall_seconds;
  for (const char* list : {"series", "evaluations", "texts"}) value[list] = Value::array();
  for (const Series& series : report_.series)
    value["series"].as_array().push_back(series.to_value());
  for (const Evaluation& evaluation : report_.evaluations)
    value["evaluations"].as_array().push_back(value_of(evaluation));
  for (const LoggedText& text : report_.texts) {
    Value entry = Value::table();
    entry["step"] = text.step;
    entry["name"] = text.name;
    entry["text"] = text.text;
    value["texts"].as_array().push_back(std::move(entry));
  }
  value["given_up"] = Value::array();
  for (const GivenUp& piece : report_.given_up) {
    Value points = Value::array();
    for (const Point& point : piece.points)
      points.as_array().emplace_back(Value::Array{point.step, point.value});
    value["given_up"].as_array().push_back(Value::Table{{"name", piece.name}, {"points", points}});
  }
  return to_json(value);
}

void HtmlReport::Config::describe(Schema<Config>& schema) {
  schema
      .field(
          "max_points", &Config::max_points, "points kept of each curve; longer ones are averaged")
      .range(50, 20000);
  schema.field("max_samples", &Config::max_samples, "texts kept, the newest").range(0, 1000);
  schema
      .field("smoothing", &Config::smoothing, "share of the curve over which the loss is averaged")
      .range(0, 0.5);
}

}  // namespace mortise::tracker::html_report

MORTISE_PLUGIN("org.mortise.tracker.html_report",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::tracker::html_report::HtmlReport>(
                   "html_report",
                   "report.html: curves, metrics, samples, plan and recipe on one page"));
