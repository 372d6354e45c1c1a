// The engine's entry: verb → function, and LibTorch's exceptions → mortise::Error.
#include "core/engine/engine.hpp"

#include <cstdio>
#include <new>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

using Verb = int (*)(const EngineCall&);

// One line a verb: the table of contents of the engine.
constexpr std::pair<std::string_view, Verb> kVerbs[] = {
    {"engine-info", run_engine_info},
    {"generate", run_generate},
    {"score", run_score},
    {"export", run_export},
    {"train", run_train},
    {"evaluate", run_evaluate},
    {"plan", run_plan},
    {"data", run_data},
};

int dispatch(const EngineCall& call) {
  MORTISE_ASSERT(call.options != nullptr && call.host != nullptr,
                 "the CLI must fill options and host");
  for (const auto& [name, function] : kVerbs)
    if (name == call.verb) return function(call);
  MORTISE_CHECK(false, "the engine has no verb `{}`", call.verb);
  return 0;
}

}  // namespace

std::vector<std::string> texts_of(const Value& option) {
  if (option.is_string()) return {option.as_string()};
  std::vector<std::string> texts;
  for (const Value& text : option.as_array()) texts.push_back(text.as_string());
  return texts;
}

int run_engine_info(const EngineCall& call) {
  Value info = Value::table();
  info["threads"] = call.threads;
  info["intra_op_threads"] = int64_t{at::get_num_threads()};
  info["cpu_capability"] = at::get_cpu_capability();
  fmt::print("{}\n", to_json(info));
  return 0;
}

}  // namespace mortise::core

int mortise_engine_main(const mortise::core::EngineCall* call) {
  try {
    return mortise::core::dispatch(*call);
  } catch (const c10::Error& error) {
    mortise::Error out(
        mortise::Code::Internal,
        fmt::format("LibTorch refused an operation: {}", error.what_without_backtrace()),
        "this is a bug of Mortise or of a plugin; run again with MORTISE_LOG=debug and report it");
    out.add_context(fmt::format("in `mortise {}`", call->verb));
    throw out;
  } catch (const std::bad_alloc&) {
    throw mortise::Error(
        mortise::Code::DoesNotFit,
        fmt::format("out of memory in `mortise {}`", call->verb),
        "lower batch.micro, batch.seq_len or model.width; `mortise plan` tells the sizes");
  }
}
