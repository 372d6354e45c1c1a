// conform.toml beside a plugin's sources: what the kit cannot invent.
//
//   [jsonl]
//   config = { path = "example/rows.jsonl" }   # parameters over the defaults; "${here}" is the
//   folder of this file skip = ["survives random tables"]
#pragma once

#include <string>

#include "mortise/value.hpp"

namespace mortise::core {

/// Reads it; an empty path gives an empty table.  Throws: Error{Usage} with place and reason.
Value read_example_file(const std::string& path);

}  // namespace mortise::core
