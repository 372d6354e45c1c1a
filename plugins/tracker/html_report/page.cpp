// The page: header, figures at a glance, curves, metrics, samples, facts, plan, recipe.  Style and
// script are inline; colours follow prefers-color-scheme; the script only adds hovering.  All text
// from outside goes through escaped().
#include "page.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mortise/pytext.hpp"
#include "mortise/version.hpp"

#include "style.hpp"
#include "svg_chart.hpp"

namespace mortise::tracker::html_report {

namespace {

constexpr std::string_view kDataBegin = "<script type=\"application/json\" id=\"mortise-data\">";
constexpr std::string_view kDataEnd = "</script>";

struct Known {
  std::string_view name, title, unit;
  bool from_zero;
};

// The curves that every training run has come first, in this order; any other logged name gets a
// chart of its own after them.
constexpr Known kKnown[] = {
    {"loss", "Loss", "nats per token", false},
    {"lr", "Learning rate", "", true},
    {"grad_norm", "Gradient norm", "", true},
    {"tokens_per_s", "Throughput", "tokens / s", true},
};

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{:.1f} s", seconds);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

std::string grouped(int64_t value) {
  std::string digits = std::to_string(std::abs(value));
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), "\u2009");
  return value < 0 ? "\u2212" + digits : digits;
}

const Series* find_series(const Report& report, std::string_view name) {
  const auto found = std::find_if(report.series.begin(), report.series.end(), [&](const Series& s) {
    return s.name() == name;
  });
  return found == report.series.end() ? nullptr : &*found;
}

// The last evaluation of each name on each data set, in order of first appearance.
std::vector<const Evaluation*> latest(const Report& report) {
  std::vector<const Evaluation*> out;
  for (const Evaluation& evaluation : report.evaluations) {
    const auto same = [&](const Evaluation* other) {
      return other->report.name == evaluation.report.name &&
             other->report.data == evaluation.report.data;
    };
    const auto found = std::find_if(out.begin(), out.end(), same);
    if (found == out.end())
      out.push_back(&evaluation);
    else
      *found = &evaluation;
  }
  return out;
}

// One score of an evaluation over the steps.
std::vector<Point> history(const Report& report, const ScoreReport& which, std::string_view score) {
  std::vector<Point> points;
  for (const Evaluation& evaluation : report.evaluations) {
    if (evaluation.report.name != which.name || evaluation.report.data != which.data) continue;
    for (const Score& s : evaluation.report.scores)
      if (s.name == score && can_be_drawn(s.value))
        points.push_back({static_cast<double>(evaluation.step), s.value});
  }
  return points;
}

std::string tile(std::string_view label, std::string_view value) {
  return fmt::format(
      "<div class=\"tile\"><span>{}</span><b>{}</b></div>", escaped(label), escaped(value));
}

std::string tiles(const Report& report, double smoothing) {
  std::string out;
  if (const Series* loss = find_series(report, "loss");
      loss != nullptr && !loss->points().empty()) {
    const auto points = loss->points();
    const auto last =
        static_cast<int64_t>(std::max(1.0, smoothing * static_cast<double>(points.size())));
    double sum = 0;
    for (auto p = points.end() - last; p != points.end(); ++p) sum += p->value;
    out += tile(
        last > 1 ? fmt::format("training loss, last {:.0f} %", 100 * smoothing) : "training loss",
        fmt::format("{:.4g}", sum / static_cast<double>(last)));
  }
  for (const Evaluation* evaluation : latest(report)) {
    if (evaluation->report.scores.empty()) continue;
    const Score& headline = evaluation->report.scores.front();
    out +=
        tile(headline.name + ", " + evaluation->report.data, fmt::format("{:.4g}", headline.value));
  }
  const std::string steps =
      report.run.total_steps > 0
          ? fmt::format("{} of {}", grouped(report.step), grouped(report.run.total_steps))
          : grouped(report.step);
  out += tile("steps", steps);
  if (const Series* speed = find_series(report, "tokens_per_s");
      speed != nullptr && !speed->points().empty()) {
    std::vector<double> values;
    for (const Point& p : speed->points()) values.push_back(p.value);
    std::nth_element(
        values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
    out += tile("tokens / s, median", grouped(std::llround(values[values.size() / 2])));
  }
  if (report.summary.wall_seconds > 0)
    out += tile("wall time", duration(report.summary.wall_seconds));
  return "<div class=\"tiles\">" + out + "</div>\n";
}

std::string not_drawn_note(const Series& series) {
  const int64_t count = series.num_not_drawn();
  return count == 0   ? ""
         : count == 1 ? "1 value is not finite and not drawn"
                      : fmt::format("{} values are not finite and not drawn", count);
}

// Curves behind which stands what rollbacks gave up of the series.
std::vector<Curve> beside_given_up(const Report& report,
                                   std::string_view name,
                                   std::vector<Curve> curves) {
  std::vector<Curve> all;
  for (const GivenUp& piece : report.given_up)
    if (piece.name == name)
      all.push_back({all.empty() ? "given up by a rollback" : "", "gone", piece.points});
  all.insert(all.end(), curves.begin(), curves.end());
  return all;
}

std::string loss_chart(const Report& report,
                       const Series& loss,
                       const Known& known,
                       double smoothing) {
  Chart chart{
      std::string(known.title), std::string(known.unit), known.from_zero, {}, not_drawn_note(loss)};
  chart.curves.push_back({"train, each step", "raw", loss.points()});
  chart.curves.push_back({"train, smoothed", "main", smoothed(loss.points(), smoothing)});
  for (const Evaluation* evaluation : latest(report)) {
    const auto points = history(report, evaluation->report, "nll");
    if (!points.empty())
      chart.curves.push_back(
          {fmt::format("{}, {}", evaluation->report.name, evaluation->report.data),
           "other",
           points,
           true});
  }
  chart.curves = beside_given_up(report, loss.name(), std::move(chart.curves));
  return draw(chart);
}

std::string curves(const Report& report, double smoothing) {
  std::string out;
  std::vector<std::string_view> drawn;
  for (const Known& known : kKnown) {
    const Series* series = find_series(report, known.name);
    drawn.push_back(known.name);
    if (series == nullptr || series->points().empty()) continue;
    if (known.name == "loss")
      out += loss_chart(report, *series, known, smoothing);
    else
      out += draw({std::string(known.title),
                   std::string(known.unit),
                   known.from_zero,
                   beside_given_up(report, known.name, {{"", "main", series->points()}}),
                   not_drawn_note(*series)});
  }
  for (const Series& series : report.series) {
    if (std::find(drawn.begin(), drawn.end(), series.name()) != drawn.end() ||
        series.points().empty())
      continue;
    out += draw({series.name(),
                 "",
                 false,
                 beside_given_up(report, series.name(), {{"", "main", series.points()}}),
                 not_drawn_note(series)});
  }
  for (const Evaluation* evaluation : latest(report)) {
    if (evaluation->report.scores.empty()) continue;
    const std::string& score = evaluation->report.scores.front().name;
    const auto points = history(report, evaluation->report, score);
    if (points.size() > 1)
      out += draw(
          {fmt::format("{} of {} on {}", score, evaluation->report.name, evaluation->report.data),
           "",
           false,
           {{"", "other", points, true}},
           ""});
  }
  return out.empty() ? "" : "<h2>Curves</h2>\n<div class=\"charts\">\n" + out + "</div>\n";
}

// A signature may be cut into lines at its bars, and stays one text when copied.
std::string breakable(std::string_view signature) {
  std::string out;
  for (const char c : escaped(signature)) c == '|' ? out += "|<wbr>" : out += c;
  return out;
}

std::string metrics(const Report& report) {
  std::string rows;
  for (const Evaluation* evaluation : latest(report)) {
    const ScoreReport& r = evaluation->report;
    const size_t count = std::max<size_t>(1, r.scores.size());
    const auto spanning = [&](std::string_view content) {
      return fmt::format("<td rowspan=\"{}\">{}</td>", count, content);
    };
    rows += "<tbody><tr>" + spanning("<b>" + escaped(r.name) + "</b>") + spanning(escaped(r.data)) +
            spanning(grouped(evaluation->step));
    for (size_t i = 0; i < r.scores.size(); ++i) {
      if (i > 0) rows += "<tr>";
      rows += fmt::format("<td>{}</td><td class=\"number\">{:.6g}</td>",
                          escaped(r.scores[i].name),
                          r.scores[i].value);
      if (i == 0) rows += spanning("<code>" + breakable(r.signature) + "</code>");
      rows += "</tr>";
    }
    rows += r.scores.empty() ? "<td></td><td></td><td></td></tr></tbody>\n" : "</tbody>\n";
  }
  if (rows.empty()) return "";
  return "<h2>Metrics</h2>\n<div class=\"card scroll\"><table "
         "class=\"metrics\"><thead><tr><th>evaluation</th><th>data</th><th>step</th><th>score</th>"
         "<th class=\"number\">value</th><th>signature</th></tr></thead>\n" +
         rows + "</table></div>\n";
}

std::string samples(const Report& report) {
  std::string out;
  for (auto text = report.texts.rbegin(); text != report.texts.rend(); ++text)  // the newest first
    out += fmt::format(
        "<article class=\"card\"><header>{}<span>step {}</span></header><pre "
        "class=\"prose\">{}</pre></article>\n",
        escaped(text->name),
        grouped(text->step),
        escaped(text->text));
  return out.empty() ? "" : "<h2>Samples</h2>\n" + out;
}

std::string facts(const Report& report) {
  std::string rows;
  for (const auto& [key, value] : report.summary.facts)
    rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>", escaped(key), escaped(value));
  return rows.empty() ? ""
                      : "<h2>Key facts</h2>\n<div class=\"card\"><table class=\"facts\"><tbody>" +
                            rows + "</tbody></table></div>\n";
}

std::string fold(std::string_view title, std::string_view text, bool open) {
  if (text.empty()) return "";
  return fmt::format("<details class=\"card\"{}><summary>{}</summary><pre>{}</pre></details>\n",
                     open ? " open" : "",
                     escaped(title),
                     escaped(text));
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : pytext::repair_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if ((c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
          out += "\ufffd";
        else
          out += c;
    }
  }
  return out;
}

std::string identifier(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += plain ? std::string(1, c)
                 : fmt::format("-{:x}",
                               static_cast<unsigned char>(c));  // distinct names keep distinct ids
  }
  return out;
}

std::string render(const Report& report, const std::string& data, double smoothing) {
  const std::string name = report.run.name.empty() ? "run" : report.run.name;
  const std::string status = report.summary.status;
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · "
      "Mortise</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<header class=\"top\"><h1>{}</h1><span class=\"status {}\">{}</span></header>\n",
      escaped(name),
      kStyle,
      escaped(name),
      identifier(status),
      escaped(status));
  page += tiles(report, smoothing);
  page += facts(report);
  page += curves(report, smoothing);
  page += metrics(report);
  page += samples(report);
  if (!report.run.plan.empty() || !report.run.recipe.empty()) page += "<h2>How it was made</h2>\n";
  page += fold("Plan", report.run.plan, true) + fold("Recipe, resolved", report.run.recipe, false);
  page += fmt::format(
      "<footer>{}<br>written {} by Mortise {}</footer>\n</main>\n<div id=\"tip\" hidden></div>\n",
      escaped(report.run.directory),
      escaped(report.written_at),
      MORTISE_VERSION);
  // "<" cannot end the element early when it is written as an escape, which JSON reads back.
  std::string safe;
  for (const char c : data) c == '<' ? void(safe += "\\u003c") : void(safe += c);
  page.append(kDataBegin)
      .append(safe)
      .append(kDataEnd)
      .append("\n<script>")
      .append(kScript)
      .append("</script>\n</body>\n</html>\n");
  return page;
}

std::string embedded_data(std::string_view page) {
  const size_t begin = page.rfind(kDataBegin);
  if (begin == std::string_view::npos) return "";
  page.remove_prefix(begin + kDataBegin.size());
  const size_t end = page.find(kDataEnd);
  return end == std::string_view::npos ? "" : std::string(page.substr(0, end));
}

}  // namespace mortise::tracker::html_report
