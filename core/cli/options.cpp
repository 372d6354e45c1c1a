// Splits the words of one verb.
#include "core/cli/options.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "mortise/error.hpp"

namespace mortise::core {

namespace {

// What every verb takes; main reads them itself.
constexpr std::string_view kCommonFlags[] = {"--json", "--verbose"};

}  // namespace

Options::Options(std::string_view verb,
                 const std::vector<std::string>& args,
                 std::initializer_list<std::string_view> flags,
                 std::initializer_list<std::string_view> valued)
    : verb_(verb) {
  const auto is_in = [](const auto& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
  };
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view word = args[i];
    if (word.size() < 2 || word.substr(0, 2) != "--") {
      positional_.emplace_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if ((is_in(flags, name) || is_in(kCommonFlags, name)) && equals == std::string_view::npos) {
      values_[name];
    } else if (is_in(valued, name) || name == "--color") {
      if (equals == std::string_view::npos && i + 1 == args.size())
        throw Error(Code::Usage,
                    fmt::format("{} needs a value", name),
                    fmt::format("mortise {} --help", verb_));
      values_[name].push_back(
          equals == std::string_view::npos ? args[++i] : std::string(word.substr(equals + 1)));
    } else {
      std::string known;
      for (const auto& list : {flags, valued})
        for (std::string_view item : list) known += fmt::format(" {}", item);
      throw Error(Code::Usage,
                  fmt::format("mortise {} does not know {}; it knows:{}", verb_, word, known),
                  fmt::format("mortise {} --help", verb_));
    }
  }
}

std::string Options::get(std::string_view name, std::string_view otherwise) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() || it->second.empty() ? std::string(otherwise) : it->second.back();
}

std::vector<std::string> Options::all(std::string_view name) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() ? std::vector<std::string>{} : it->second;
}

int64_t Options::integer(std::string_view name, int64_t otherwise) const {
  const std::string text = get(name);
  if (text.empty()) return otherwise;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(Code::Usage, fmt::format("{} needs an integer, got \"{}\"", name, text));
  return value;
}

}  // namespace mortise::core
