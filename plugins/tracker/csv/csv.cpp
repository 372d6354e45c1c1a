// Two files of a run directory, RFC 4180 with \n line ends and shortest round-trip numbers.
// Persistent formats:
//   metrics.csv   step,loss,lr,…    one row a call; the first row decides the first columns
//   scores.csv    step,eval,data,score,value,signature    one row a score
// One row a step: when the run goes back, the rows that it gives up go to metrics.rollback-N.csv
// and scores.rollback-N.csv (N = 1, 2, …), which begin with the same header. A name that first
// appears later becomes a new column at the right: the file is rewritten once, atomically, with
// that cell empty in the earlier rows.  So no column ever changes its place and no value is lost; a
// cell is empty when its step had no such value.
#include "csv.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <unistd.h>

#include "mortise/file.hpp"

namespace mortise::tracker::csv {

namespace {

constexpr const char* kScoresHeader = "step,eval,data,score,value,signature\n";

std::string cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string number(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

// Reads one line that this file wrote.  Names never hold line breaks, so a line is a row.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"')
      cells.back() += line[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  return cells;
}

// Keeps a header and the rows up to a step, and returns the header with the other rows.  A row that
// does not begin with a step is a damaged one.
std::string drop_rows_after(const std::string& path, int64_t step) {
  bool is_header = true;
  std::string dropped;
  keep_lines(path, [&](std::string_view line) {
    const auto drop = [&] { dropped.append(line).append("\n"); };
    if (std::exchange(is_header, false)) {
      drop();
      return true;
    }
    int64_t row = 0;
    const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), row);
    const bool is_kept =
        status == std::errc() && end != line.data() + line.size() && *end == ',' && row <= step;
    if (!is_kept) drop();
    return is_kept;
  });
  return dropped;
}

bool is_empty_or_absent(const std::string& path) {
  return ::access(path.c_str(), F_OK) != 0 || MappedFile::open(path)->bytes().empty();
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

}  // namespace

void Csv::start(const RunInfo& info) {
  directory_ = info.directory;
  steps_.reset();
  scores_.reset();
  columns_.clear();
  const std::string steps = directory_ + "/metrics.csv", scores = directory_ + "/scores.csv";
  if (info.resumed_step > 0) {
    drop_rows_after(steps, info.resumed_step);
    drop_rows_after(scores, info.resumed_step);
  } else {
    write_file(steps, "");
    write_file(scores, "");
  }
  if (!is_empty_or_absent(steps)) {
    const auto file = MappedFile::open(steps);
    columns_ = cells_of(file->text().substr(0, file->text().find('\n')));
    columns_.erase(columns_.begin());
  }
  if (is_empty_or_absent(scores)) write_file(scores, kScoresHeader);
  steps_.emplace(steps);
  scores_.emplace(scores);
}

// Appends the names that have no column yet, and rewrites the file when rows stand in it already.
void Csv::add_columns(std::span<const Scalar> values) {
  std::vector<std::string> columns = columns_;
  for (const Scalar& scalar : values)
    if (std::find(columns.begin(), columns.end(), one_line(scalar.name)) == columns.end())
      columns.push_back(one_line(scalar.name));
  if (columns.size() == columns_.size()) return;
  std::string text = "step";
  for (const std::string& name : columns) text += "," + cell(name);
  text += "\n";
  if (columns_.empty()) {
    steps_->append(text);
    columns_ = std::move(columns);
    return;
  }
  steps_->flush();
  {
    const auto old = MappedFile::open(steps_->path());
    const std::string empty_cells(columns.size() - columns_.size(), ',');
    std::string_view rows = old->text().substr(old->text().find('\n') + 1);
    for (size_t end = rows.find('\n'); end != std::string_view::npos; end = rows.find('\n')) {
      text.append(rows.substr(0, end)).append(empty_cells).append("\n");
      rows.remove_prefix(end + 1);
    }
  }
  const std::string path = steps_->path();
  write_file(path, text);
  steps_.emplace(path);  // the old descriptor still holds the old file
  columns_ = std::move(columns);
}

void Csv::scalars(int64_t step, std::span<const Scalar> values) {
  MORTISE_CHECK(steps_.has_value(), "a tracker's start() comes before anything is logged");
  add_columns(values);
  if (columns_.empty()) return;  // a step without a value
  std::string row = std::to_string(step);
  for (const std::string& name : columns_) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Scalar& scalar) {
      return one_line(scalar.name) == name;
    });
    row += found == values.end() ? "," : "," + number(found->value);
  }
  steps_->append(row + "\n");
}

void Csv::scores(int64_t step, const ScoreReport& report) {
  MORTISE_CHECK(scores_.has_value(), "a tracker's start() comes before anything is logged");
  std::string rows;
  for (const Score& score : report.scores)
    rows += fmt::format("{},{},{},{},{},{}\n",
                        step,
                        cell(one_line(report.name)),
                        cell(one_line(report.data)),
                        cell(one_line(score.name)),
                        number(score.value),
                        cell(one_line(report.signature)));
  scores_->append(rows);
}

void Csv::rewound(int64_t /*from*/, int64_t to, std::string_view /*why*/) {
  flush();
  int64_t number = 1;
  const auto beside = [&](const char* name) {
    return fmt::format("{}/{}.rollback-{}.csv", directory_, name, number);
  };
  while (::access(beside("metrics").c_str(), F_OK) == 0) ++number;
  for (auto& [file, name] : {std::pair(&steps_, "metrics"), std::pair(&scores_, "scores")}) {
    const std::string path = (*file)->path();
    write_file(beside(name), drop_rows_after(path, to));
    file->emplace(path);  // the old descriptor still holds the old file
  }
}

void Csv::flush() {
  if (steps_) steps_->flush();
  if (scores_) scores_->flush();
}

void Csv::finish(const RunSummary& /*summary*/) { flush(); }

}  // namespace mortise::tracker::csv

MORTISE_PLUGIN("org.mortise.tracker.csv",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::tracker::csv::Csv>(
                   "csv", "metrics.csv (step,loss,lr,…) and scores.csv"));
