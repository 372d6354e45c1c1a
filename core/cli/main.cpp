// mortise VERB …: finds the verb, runs it, and prints whatever goes wrong in one place and one
// form.
//
// No LibTorch here: `--help`, `validate` and `inspect` answer in milliseconds, verbs that compute
// open the engine.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/version.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/recipe/diagnostics.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

using Words = std::vector<std::string>;

std::string option_lines(std::span<const OptionSpec> options) {
  std::string out;
  for (const OptionSpec& option : options) {
    if (option.help.empty()) continue;
    out += fmt::format(
        "  {:<26} {}\n",
        fmt::format("--{}{}{}", option.name, option.value.empty() ? "" : " ", option.value),
        option.help);
  }
  return out;
}

std::string overview() {
  std::string out =
      "mortise runs language-model jobs from one recipe: data, tokenizer, model, training, "
      "evaluation, export.\n\nusage: mortise VERB [options]\n\n";
  for (const Verb& verb : verbs()) out += fmt::format("  {:<11} {}\n", verb.name, verb.summary);
  return out +
         "\nmortise VERB --help teaches a verb with examples.  Start with: mortise init train > "
         "train.toml\n"
         "Exit codes: 0 ok, 2 recipe or usage, 3 does not fit, 4 gate or guard, 5 data, 6 plugin, "
         "75 peer failed, 130 interrupted.\n";
}

std::string help_of(const Verb& verb) {
  return fmt::format("usage: mortise {} {} [options]\n{}\n\nexamples\n{}\noptions\n{}{}",
                     verb.name,
                     verb.words,
                     verb.summary,
                     verb.examples,
                     option_lines(verb.options),
                     option_lines(common_options()));
}

int dispatch(const Words& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(overview());
    return words.empty() ? static_cast<int>(Code::Usage) : 0;
  }
  if (words[0] == "--version") {
    print("mortise " MORTISE_VERSION "\n");
    return 0;
  }
  if (words[0].starts_with("-"))
    throw Error(Code::Usage,
                fmt::format("options stand behind the verb, got {} first", words[0]),
                "mortise VERB " + words[0]);
  const auto it = std::find_if(
      verbs().begin(), verbs().end(), [&](const Verb& verb) { return verb.name == words[0]; });
  if (it == verbs().end()) {
    Words names;
    for (const Verb& verb : verbs()) names.emplace_back(verb.name);
    const std::string near = nearest(words[0], names);
    throw Error(Code::Usage,
                fmt::format("there is no verb `{}`{}",
                            words[0],
                            near.empty() ? "" : fmt::format("   did you mean `{}`?", near)),
                "mortise --help lists all verbs");
  }
  const Words rest(words.begin() + 1, words.end());
  if (std::find(rest.begin(), rest.end(), "--help") != rest.end()) {
    print(help_of(*it));
    return 0;
  }
  return it->run(rest);
}

Value error_json(const Error& error) {
  Value out = Value::table();
  out["ok"] = false;
  if (const auto* recipe = dynamic_cast<const RecipeErrors*>(&error)) {
    out["errors"] = Value::array();
    for (const Diagnostic& d : recipe->diagnostics())
      out["errors"].as_array().push_back(to_value(d));
    return out;
  }
  out["message"] = error.message();
  if (const auto* place = dynamic_cast<const RecipeError*>(&error)) out["place"] = place->place();
  out["context"] = Value::array();
  for (const std::string& line : error.context()) out["context"].as_array().push_back(line);
  out["fix"] = error.hint();
  return out;
}

// The one place where an error becomes text.
int report(const Error& error, const Words& words) {
  const int code = static_cast<int>(error.code());
  if (std::find(words.begin(), words.end(), "--json") != words.end()) {
    std::puts(to_json(error_json(error), 2).c_str());
    return code;
  }
  const bool color = use_color(words);
  std::string text;
  if (const auto* recipe = dynamic_cast<const RecipeErrors*>(&error)) {
    text = render(recipe->diagnostics(), color);
  } else {
    const auto* place = dynamic_cast<const RecipeError*>(&error);
    text = fmt::format("{}error:{} {}{}\n",
                       color ? "\x1b[31;1m" : "",
                       color ? "\x1b[0m" : "",
                       error.message(),
                       place == nullptr ? "" : "   " + place->place());
    for (const std::string& line : error.context()) text += "  " + line + "\n";
    if (!error.hint().empty()) text += "  fix: " + error.hint() + "\n";
  }
  std::fputs(text.c_str(), stderr);
  return code;
}

int run(const Words& words) {
  try {
    return dispatch(words);
  } catch (const Error& error) {
    return report(error, words);
  } catch (const std::bad_alloc&) {
    return report(Error(Code::DoesNotFit, "out of memory"), words);
  } catch (const std::exception& error) {
    return report(Error(Code::Internal,
                        error.what(),
                        "this is a bug in Mortise or in a plugin; please report it"),
                  words);
  }
}

}  // namespace

}  // namespace mortise::core

int main(int argc, char** argv) { return mortise::core::run({argv + 1, argv + std::max(argc, 1)}); }
