// Semantic versions (semver.org 2.0) as three numbers; caret ranges treat 0.x as npm does: ^0.2
// admits 0.2.* only.
#include "mortise/version_range.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace mortise {

namespace {

struct Version {
  std::array<int64_t, 3> part{};
  int64_t given = 0;  // how many parts were written
};

std::optional<Version> parse_version(std::string_view text) {
  Version out;
  text = text.substr(0, text.find_first_of("-+"));
  while (out.given < 3) {
    const auto [end, error] = std::from_chars(
        text.data(), text.data() + text.size(), out.part[static_cast<size_t>(out.given)]);
    if (error != std::errc() || text.front() == '-') return std::nullopt;
    ++out.given;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) return out;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
  }
  return std::nullopt;
}

struct Bound {
  std::string_view op;
  Version version;
};

// Calls `use(bound)` for each part of the range; false when the text is no range.
template <class Use>
bool each_bound(std::string_view range, Use use) {
  bool any = false;
  while (true) {
    while (!range.empty() && (range.front() == ' ' || range.front() == ',')) range.remove_prefix(1);
    if (range.empty()) return any;
    any = true;
    if (range.front() == '*') {
      range.remove_prefix(1);
      continue;
    }
    const size_t digits = range.find_first_of("0123456789");
    if (digits == std::string_view::npos) return false;
    std::string_view op = range.substr(0, digits);
    while (!op.empty() && op.back() == ' ') op.remove_suffix(1);
    range.remove_prefix(digits);
    const std::string_view number = range.substr(0, range.find_first_of(" ,"));
    range.remove_prefix(number.size());
    const auto version = parse_version(number);
    const bool known = op.empty() || op == "=" || op == "==" || op == "^" || op == "~" ||
                       op == ">" || op == ">=" || op == "<" || op == "<=";
    if (!version || !known) return false;
    use(Bound{op, *version});
  }
}

bool admits(const Bound& bound, const Version& v) {
  const auto& want = bound.version.part;
  if (bound.op == ">=") return v.part >= want;
  if (bound.op == ">") return v.part > want;
  if (bound.op == "<") return v.part < want;
  if (bound.op == "<=") return v.part <= want;
  std::array<int64_t, 3> below = want;  // the first version that is too new
  size_t raised = 2;
  if (bound.op == "^")
    raised = want[0] > 0 || bound.version.given == 1   ? 0
             : want[1] > 0 || bound.version.given == 2 ? 1
                                                       : 2;
  else if (bound.op == "~")
    raised = bound.version.given == 1 ? 0 : 1;
  else
    raised = static_cast<size_t>(bound.version.given - 1);
  ++below[raised];
  for (size_t i = raised + 1; i < 3; ++i) below[i] = 0;
  return v.part >= want && v.part < below;
}

}  // namespace

bool is_version_range(std::string_view range) {
  return each_bound(range, [](const Bound&) {});
}

bool in_version_range(std::string_view version, std::string_view range) {
  const auto v = parse_version(version);
  bool inside = true;
  const bool valid =
      each_bound(range, [&](const Bound& bound) { inside = inside && v && admits(bound, *v); });
  return valid && inside;
}

}  // namespace mortise
