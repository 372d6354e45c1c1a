// Value → TOML text: floats in their shortest exact form, strings escaped, tables as [headers].
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "mortise/value.hpp"

namespace mortise {

/// One value as it stands after `key = `: tables and arrays on one line.   Thread: [any-thread].
std::string toml_inline(const Value& value);
/// A key, quoted when it must be.
std::string toml_key(std::string_view key);

/// A document.  `comment(path)` is written behind a value when it is not empty ("optimizer.lr" →
/// "a.toml:3:1"). Text that the recipe language would replace (${…}, @file.toml) is escaped, so
/// that reading the document as a recipe gives the same values back.   Thread: [any-thread].
std::string toml_document(const Value& root,
                          const std::function<std::string(const std::string& path)>& comment = {});

}  // namespace mortise
