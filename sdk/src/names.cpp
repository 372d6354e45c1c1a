// Patterns, and the optimal string alignment distance (Damerau–Levenshtein without overlapping
// edits).
#include "mortise/names.hpp"

#include <algorithm>
#include <array>

#include "mortise/error.hpp"

namespace mortise {

namespace {

int64_t tolerance(size_t length) { return length <= 2 ? 0 : length <= 4 ? 1 : length <= 8 ? 2 : 3; }

bool is_border(char c) { return c == '.' || c == '*'; }

bool is_number(std::string_view part) {
  return !part.empty() &&
         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Calls f(part) for what stands between dots and stars, and g(border) for these.
template <class F, class G>
void for_parts(std::string_view text, F f, G g) {
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = begin;
    while (end < text.size() && !is_border(text[end])) ++end;
    f(text.substr(begin, end - begin));
    if (end < text.size()) g(text[end]);
    begin = end + 1;
  }
}

/// "model.layers.3.norm" → "model.layers.*.norm"
std::string without_numbers(const std::string& name) {
  std::string out;
  for_parts(
      name,
      [&](std::string_view part) { out += is_number(part) ? "*" : std::string(part); },
      [&](char border) { out += border; });
  return out;
}

/// Each once, as far as a message can hold them.
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kMost = 400;
  std::vector<std::string> seen;
  std::string text;
  for (const std::string& name : names) {
    const std::string shown = without_numbers(name);
    if (std::find(seen.begin(), seen.end(), shown) != seen.end()) continue;
    if (text.size() > kMost) return text + ", …";
    text += (text.empty() ? "" : ", ") + shown;
    seen.push_back(shown);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t begin = star; begin <= name.size(); ++begin)
    if (matches(rest, name.substr(begin))) return true;
  return false;
}

int64_t edit_distance(std::string_view a, std::string_view b) {
  constexpr size_t kLimit = 64;  // longer words are nobody's typing error
  a = a.substr(0, kLimit);
  b = b.substr(0, kLimit);
  std::array<std::array<int64_t, kLimit + 1>, 3> rows{};
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<int64_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = static_cast<int64_t>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  int64_t best_distance = tolerance(word.size()) + 1;
  for (const std::string& candidate : candidates) {
    const int64_t distance = edit_distance(word, candidate);
    if (distance < best_distance &&
        distance < static_cast<int64_t>(std::max(word.size(), candidate.size()))) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string nearest_pattern(const std::string& pattern, const std::vector<std::string>& names) {
  std::vector<std::string> words;
  for (const std::string& name : names)
    for_parts(
        name, [&](std::string_view part) { words.emplace_back(part); }, [](char) {});
  std::string guess;
  for_parts(
      pattern,
      [&](std::string_view part) {
        const bool is_known = std::find(words.begin(), words.end(), part) != words.end();
        const std::string near = is_known ? "" : nearest(part, words);
        guess += near.empty() ? std::string(part) : near;
      },
      [&](char border) { guess += border; });
  for (const std::string& candidate : {guess, "*" + guess + "*"})
    for (const std::string& name : names)
      if (matches(candidate, name)) return candidate;
  return guess == pattern ? "" : guess;
}

void throw_no_match(std::string_view what,
                    const std::string& pattern,
                    const std::vector<std::string>& names,
                    const std::string& fix) {
  const std::string near = nearest_pattern(pattern, names);
  throw Error(Code::Usage,
              fmt::format("{} matches nothing in this model; it has: {}", what, listed(names)),
              near.empty() ? fix : fmt::format("did you mean \"{}\"?", near));
}

}  // namespace mortise
