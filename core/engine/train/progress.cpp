// Bar, lines and events.
#include "core/engine/train/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mortise/json.hpp"
#include "mortise/units.hpp"

namespace mortise::core {

namespace {

constexpr int kBarWidth = 24;

int terminal_columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string facts(const ProgressStep& step) {
  return fmt::format("loss {:.4f}  lr {:.2e}  grad {:.2f}  {:.0f} tok/s  {}  eta {}",
                     step.loss,
                     step.lr,
                     step.grad_norm,
                     step.tokens_per_s,
                     bytes_text(step.tensor_bytes),
                     duration_text(step.eta_seconds));
}

double number(double value) { return std::isfinite(value) ? value : 0; }

Value as_event(const ProgressStep& step) {
  Value event = Value::table();
  event["event"] = "step";
  event["step"] = step.step;
  event["total"] = step.total;
  event["loss"] = number(step.loss);
  event["lr"] = number(step.lr);
  event["grad_norm"] = number(step.grad_norm);
  event["tokens_per_s"] = number(step.tokens_per_s);
  event["tensor_bytes"] = step.tensor_bytes;
  event["eta_seconds"] = number(step.eta_seconds);
  return event;
}

}  // namespace

ProgressMode Progress::choose(bool json, bool quiet) {
  if (json) return ProgressMode::Json;
  if (quiet) return ProgressMode::Quiet;
  return isatty(STDOUT_FILENO) != 0 ? ProgressMode::Bar : ProgressMode::Lines;
}

void Progress::clear_bar() {
  if (bar_shown_) fmt::print("\r\x1b[K");
  bar_shown_ = false;
}

void Progress::step(const ProgressStep& step) {
  if (mode_ == ProgressMode::Lines && step.interval)
    fmt::print("step {}/{}  {}\n", step.step, step.total, facts(step));
  if (mode_ == ProgressMode::Json && step.interval) fmt::print("{}\n", to_json(as_event(step)));
  if (mode_ == ProgressMode::Bar) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_bar_ < std::chrono::milliseconds(100) && step.step != step.total) return;
    last_bar_ = now;
    const auto filled = static_cast<int>(kBarWidth * step.step / std::max<int64_t>(1, step.total));
    std::string line = fmt::format("[{:#<{}}{:-<{}}] {}/{}  {}",
                                   "",
                                   filled,
                                   "",
                                   kBarWidth - filled,
                                   step.step,
                                   step.total,
                                   facts(step));
    line.resize(
        std::min<size_t>(line.size(), static_cast<size_t>(std::max(20, terminal_columns() - 1))));
    fmt::print("\r\x1b[K{}", line);
    bar_shown_ = true;
  }
  if (step.interval || mode_ == ProgressMode::Bar) std::fflush(stdout);
}

void Progress::event(std::string_view name, std::string_view text, Value fields) {
  if (mode_ == ProgressMode::Quiet) return;
  clear_bar();
  if (mode_ == ProgressMode::Json) {
    Value event = Value::table();
    event["event"] = name;
    for (auto& [key, value] : fields.as_table()) event[key] = std::move(value);
    fmt::print("{}\n", to_json(event));
  } else if (!text.empty()) {
    fmt::print("{}\n", text);
  }
  std::fflush(stdout);
}

}  // namespace mortise::core
