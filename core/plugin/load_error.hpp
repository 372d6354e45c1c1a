// Turns what the dynamic loader says into a sentence: demangled, with the reason and the fix.
#pragma once

#include <string>
#include <string_view>

namespace mortise::core {

/// "it needs the symbol `mortise::Foo::bar()`, which nothing here provides", from the loader's own
/// words.
std::string explain_load_error(std::string_view path, std::string_view loader_message);
/// What to do about it.
std::string load_error_fix(std::string_view loader_message);
/// The C++ name of a mangled symbol, or the symbol itself.
std::string demangled(const std::string& symbol);

}  // namespace mortise::core
