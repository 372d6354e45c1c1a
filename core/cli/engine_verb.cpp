// Words → options → engine.  The host lives here: components are destroyed before it shuts the
// plugins down.
#include "core/cli/engine_verb.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/cli/engine_loader.hpp"
#include "core/plugin/plugin_host.hpp"

namespace mortise::core {

namespace {

double parse_number(std::string_view option, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(Code::Usage, fmt::format("--{} wants a number, got `{}`", option, text));
  return value;
}

Value read_option(const Arguments& arguments, const EngineOption& option) {
  switch (option.kind) {
    case OptionKind::Flag:
      return true;
    case OptionKind::Text:
      return arguments.get(option.name);
    case OptionKind::Integer:
      return arguments.integer(option.name, 0);
    case OptionKind::Number:
      return parse_number(option.name, arguments.get(option.name));
    case OptionKind::Texts:
      break;
  }
  Value list = Value::array();
  for (const std::string& text : arguments.all(option.name)) list.as_array().emplace_back(text);
  return list;
}

}  // namespace

Value engine_options(const Arguments& arguments, std::initializer_list<EngineOption> options) {
  Value table = Value::table();
  for (const EngineOption& option : options) {
    if (!arguments.has(option.name)) continue;
    std::string key(option.name);
    std::replace(key.begin(), key.end(), '-', '_');
    table[key] = read_option(arguments, option);
  }
  return table;
}

int run_in_engine(std::string_view verb, const Value& options, const Arguments& arguments) {
  const Catalog catalog = arguments.catalog();
  PluginHost host(catalog);
  EngineCall call;
  call.verb = verb;
  call.options = &options;
  call.host = &host;
  call.catalog = &catalog;
  call.threads = options.get("threads", 0);
  return call_engine(call);
}

}  // namespace mortise::core
