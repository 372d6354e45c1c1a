// Boost.Program_options is used here and nowhere else.  Names are never guessed from their
// beginnings: an option that is added later may not change what a script means.
#include "core/cli/arguments.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "mortise/error.hpp"

#include "core/cli/verbs.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace po = boost::program_options;

namespace {

const Verb& entry_of(std::string_view name) {
  const auto it = std::find_if(
      verbs().begin(), verbs().end(), [&](const Verb& verb) { return verb.name == name; });
  MORTISE_ASSERT(it != verbs().end(), "verb {} has no entry", name);
  return *it;
}

po::options_description describe_options(const Verb& verb, std::vector<std::string>& names) {
  po::options_description out;
  const auto add = [&](const OptionSpec& option) {
    const std::string name(option.name);
    if (!option.help.empty()) names.push_back("--" + name);
    if (option.value.empty())
      out.add_options()(name.c_str(), "");
    else
      out.add_options()(name.c_str(), po::value<std::vector<std::string>>()->composing(), "");
  };
  for (const OptionSpec& option : verb.options) add(option);
  for (const OptionSpec& option : common_options()) add(option);
  out.add_options()("word", po::value<std::vector<std::string>>(), "");
  return out;
}

}  // namespace

Arguments::Arguments(std::string_view verb, const std::vector<std::string>& words)
    : verb_(verb), words_(words) {
  std::vector<std::string> names;
  const po::options_description options = describe_options(entry_of(verb), names);
  po::positional_options_description positional;
  positional.add("word", -1);
  namespace style = po::command_line_style;
  const int shape = style::allow_long | style::long_allow_adjacent | style::long_allow_next;
  const std::string hint = fmt::format("mortise {} --help", verb);
  try {
    const auto parsed =
        po::command_line_parser(words).options(options).positional(positional).style(shape).run();
    for (const auto& option : parsed.options) {
      if (option.string_key == "word")
        positional_.push_back(option.value.front());
      else if (auto& values = values_[option.string_key]; !option.value.empty())
        values.push_back(option.value.front());
    }
  } catch (const po::unknown_option& error) {
    const std::string near = nearest(error.get_option_name(), names);
    throw Error(Code::Usage,
                fmt::format("mortise {} has no option {}{}",
                            verb,
                            error.get_option_name(),
                            near.empty() ? "" : fmt::format("   did you mean {}?", near)),
                hint);
  } catch (const po::error& error) {
    throw Error(Code::Usage, fmt::format("mortise {}: {}", verb, error.what()), hint);
  }
}

std::string Arguments::get(std::string_view option, std::string_view otherwise) const {
  const auto it = values_.find(std::string(option));
  return it == values_.end() || it->second.empty() ? std::string(otherwise) : it->second.back();
}

int64_t Arguments::integer(std::string_view option, int64_t otherwise) const {
  if (!has(option)) return otherwise;
  const std::string text = get(option);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(Code::Usage,
                fmt::format("--{} wants an integer, got `{}`", option, text),
                fmt::format("mortise {} --help", verb_));
  return value;
}

std::vector<std::string> Arguments::all(std::string_view option) const {
  const auto it = values_.find(std::string(option));
  return it == values_.end() ? std::vector<std::string>() : it->second;
}

const std::string& Arguments::only(std::string_view what) const {
  const std::string hint = fmt::format("mortise {} {}", verb_, what);
  if (positional_.empty())
    throw Error(Code::Usage, fmt::format("mortise {} needs {}", verb_, what), hint);
  if (positional_.size() > 1)
    throw Error(Code::Usage,
                fmt::format("mortise {} takes one {}, got {}: {}",
                            verb_,
                            what,
                            positional_.size(),
                            fmt::join(positional_, " ")),
                hint);
  return positional_.front();
}

std::vector<Override> Arguments::overrides() const {
  std::vector<Override> out;
  constexpr int32_t kFirst = 2;  // words[0] is argv[2]: behind the program and the verb
  for (size_t i = 0; i < words_.size(); ++i) {
    if (words_[i].starts_with("--set="))
      out.push_back({words_[i].substr(6), static_cast<int32_t>(i) + kFirst});
    else if (words_[i] == "--set" && i + 1 < words_.size())
      out.push_back({words_[i + 1], static_cast<int32_t>(i) + 1 + kFirst});
  }
  return out;
}

Catalog Arguments::catalog() const {
  return Catalog::discover(SearchPath::standard(all("plugin-path")));
}

bool use_color(const std::vector<std::string>& words) {
  std::string choice = "auto";
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--color=")) choice = words[i].substr(8);
    if (words[i] == "--color" && i + 1 < words.size()) choice = words[i + 1];
  }
  return choice == "always" ||
         (choice != "never" && std::getenv("NO_COLOR") == nullptr && ::isatty(STDERR_FILENO) == 1);
}

void print(std::string_view text) {
  const bool ok =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!ok && errno != EPIPE)
    throw Error(Code::Io, fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

}  // namespace mortise::core
