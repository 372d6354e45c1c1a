// Bytes: B, KiB…TiB (1024), KB…TB (1000).  Times: us, ms, s, min, h, d, several in a row.  Counts:
// K, M, B (10^9), T.
#include "mortise/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/format.h>

namespace mortise {

namespace {

struct Suffix {
  std::string_view name;
  double factor;
};

constexpr std::array<Suffix, 9> kBytes = {{{"B", 1},
                                           {"KiB", 0x1p10},
                                           {"MiB", 0x1p20},
                                           {"GiB", 0x1p30},
                                           {"TiB", 0x1p40},
                                           {"KB", 1e3},
                                           {"MB", 1e6},
                                           {"GB", 1e9},
                                           {"TB", 1e12}}};
constexpr std::array<Suffix, 6> kTimes = {
    {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}}};
constexpr std::array<Suffix, 5> kCounts = {
    {{"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"B", 1e9}, {"T", 1e12}}};
constexpr std::array<Suffix, 1> kFractions = {{{"%", 0.01}}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// One "<number><suffix>" off the front of `text`; a bare number counts in the unit itself.
std::optional<double> take(std::string_view& text, std::span<const Suffix> suffixes) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  text = trimmed(text.substr(static_cast<size_t>(end - text.data())));
  size_t letters = 0;
  while (letters < text.size() &&
         (std::isalpha(static_cast<unsigned char>(text[letters])) != 0 || text[letters] == '%'))
    ++letters;
  const std::string_view name = text.substr(0, letters);
  text = trimmed(text.substr(letters));
  if (name.empty()) return number;
  for (const Suffix& suffix : suffixes)
    if (suffix.name == name) return suffix.name == "%" ? number / 100 : number * suffix.factor;
  return std::nullopt;
}

bool is_time(std::string_view unit) {
  return unit == "seconds" || unit == "s" || unit == "ms" || unit == "milliseconds" ||
         unit == "minutes";
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text, std::string_view unit) {
  text = trimmed(text);
  if (text.empty()) return std::nullopt;
  if (!is_time(unit)) {
    const auto value = unit == "bytes"      ? take(text, kBytes)
                       : unit == "fraction" ? take(text, kFractions)
                                            : take(text, kCounts);
    return text.empty() ? value : std::nullopt;
  }
  double seconds = 0;
  while (!text.empty()) {
    const auto part = take(text, kTimes);
    if (!part) return std::nullopt;
    seconds += *part;
  }
  if (unit == "ms" || unit == "milliseconds") return seconds * 1000;
  return unit == "minutes" ? seconds / 60 : seconds;
}

std::string quantity_example(std::string_view unit) {
  if (unit == "bytes") return "\"4GiB\"";
  if (unit == "fraction") return "\"20%\"";
  return is_time(unit) ? "\"30min\"" : "\"10M\"";
}

std::string bytes_text(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= int64_t{10} << 30) return fmt::format("{:.1f} GiB", value / (1 << 30));
  if (bytes >= int64_t{10} << 20) return fmt::format("{:.0f} MiB", value / (1 << 20));
  if (bytes >= int64_t{10} << 10) return fmt::format("{:.0f} KiB", value / (1 << 10));
  return fmt::format("{} B", bytes);
}

std::string duration_text(double seconds) {
  const auto total =
      static_cast<int64_t>((std::isfinite(seconds) ? std::max(0.0, seconds) : 0.0) + 0.5);
  if (total >= 3600)
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto place = static_cast<int64_t>(digits.size()) - 3; place > (number < 0 ? 1 : 0);
       place -= 3)
    digits.insert(static_cast<size_t>(place), 1, ',');
  return digits;
}

}  // namespace mortise
