// The boundary between the CLI (no LibTorch in it) and the engine (libmortise_engine.so, opened
// when a verb computes).
//
// One C-named entry, C++ types behind it: both sides come from one build.  Errors cross as
// mortise::Error, whose type lives in libmortise_sdk; what LibTorch throws is turned into one
// before it leaves the engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "mortise/api.hpp"
#include "mortise/host.hpp"
#include "mortise/value.hpp"

namespace mortise::core {

class Catalog;

/// What the CLI hands over for one verb.  Lifetime: everything outlives the call.
struct EngineCall {
  std::string_view verb;             // "train", "generate", "score", …
  const Value* options = nullptr;    // the verb's command-line options as a table; never null
  const Value* recipe = nullptr;     // the resolved recipe; null when the verb has none
  Host* host = nullptr;              // makes components; never null
  const Catalog* catalog = nullptr;  // what can be made; null in tests that bring their own Host
  const std::atomic<int>* stop_signal =
      nullptr;          // becomes the number of a caught signal: finish the step and save
  int64_t threads = 0;  // what the environment was set to before LibTorch was loaded
};

}  // namespace mortise::core

/// Runs one verb; returns the exit code.  Throws: mortise::Error.   Thread: [main-thread], one call
/// at a time.
extern "C" MORTISE_API int mortise_engine_main(const mortise::core::EngineCall* call);
