// How diagnostics are sorted and written.  The wording follows one pattern, so that people can grep
// it:
//   error[E102] unknown key `x` in [t]   file:line:col   did you mean `y`?
//      20 | x = 32      (owner, accepts: a b c)
//            fix: …
#include "core/recipe/diagnostics.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace mortise::core {

namespace {

auto rank(const Origin& origin) {
  const bool is_file = origin.kind == Origin::Kind::File;
  const int group = is_file ? 0 : origin.kind == Origin::Kind::Override ? 1 : 2;
  return std::tuple(
      group, is_file ? origin.file->order : origin.argument, origin.line, origin.column);
}

// A source line may be long or hold a control character: shown shortened and harmless.
std::string excerpt(std::string_view line) {
  constexpr size_t kLimit = 100;
  const bool cut = line.size() > kLimit;
  if (cut) {
    size_t end = kLimit;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
    line = line.substr(0, end);
  }
  std::string out;
  for (const char c : line) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return cut ? out + "…" : out;
}

std::string owner_text(const Diagnostic& d) {
  if (d.owner.empty() && d.accepted.empty()) return "";
  std::string out = d.owner;
  if (!d.accepted.empty())
    out +=
        (out.empty() ? "accepts: " : ", accepts: ") + fmt::format("{}", fmt::join(d.accepted, " "));
  return "      (" + out + ")";
}

}  // namespace

void Diagnostics::add(Diagnostic diagnostic) {
  constexpr size_t kMost = 200;  // nobody reads more; a hostile file could make millions
  if (items_.size() >= kMost) return;
  const auto same = [&](const Diagnostic& d) {
    return d.code == diagnostic.code && d.message == diagnostic.message &&
           rank(d.origin) == rank(diagnostic.origin);
  };
  if (std::none_of(items_.begin(), items_.end(), same)) items_.push_back(std::move(diagnostic));
}

bool Diagnostics::has_errors() const {
  return std::any_of(
      items_.begin(), items_.end(), [](const Diagnostic& d) { return !d.is_warning(); });
}

bool Diagnostics::has_syntax_errors() const {
  return std::any_of(
      items_.begin(), items_.end(), [](const Diagnostic& d) { return d.code.starts_with("E0"); });
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> out = items_;
  std::stable_sort(out.begin(), out.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return rank(a.origin) < rank(b.origin);
  });
  return out;
}

std::string render(const Diagnostic& d, bool color) {
  const char* word = d.is_warning() ? "warning" : "error";
  const char* paint = d.is_warning() ? "\x1b[33;1m" : "\x1b[31;1m";
  std::string out = fmt::format(
      "{}{}[{}]{} {}", color ? paint : "", word, d.code, color ? "\x1b[0m" : "", d.message);
  const std::string place = d.origin.place();
  if (!place.empty()) out += "   " + place;
  if (!d.suggestion.empty()) out += fmt::format("   did you mean `{}`?", d.suggestion);
  out += '\n';
  const bool has_line = d.origin.kind == Origin::Kind::File;
  if (has_line)
    out += fmt::format("{:>5} | {}{}\n",
                       d.origin.line,
                       excerpt(d.origin.file->line(d.origin.line)),
                       owner_text(d));
  else if (!owner_text(d).empty())
    out += "      " + owner_text(d) + "\n";
  for (const std::string& note : d.notes) out += fmt::format("            {}\n", note);
  if (!d.fix.empty()) out += fmt::format("            fix: {}\n", d.fix);
  return out;
}

std::string render(const std::vector<Diagnostic>& diagnostics, bool color) {
  std::string out;
  int64_t num_errors = 0, num_warnings = 0;
  for (const Diagnostic& d : diagnostics) {
    out += render(d, color);
    ++(d.is_warning() ? num_warnings : num_errors);
  }
  const auto count = [](int64_t n, const char* word) {
    return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
  };
  if (num_errors > 0) out += count(num_errors, "error") + (num_warnings > 0 ? ", " : "\n");
  if (num_warnings > 0) out += count(num_warnings, "warning") + "\n";
  return out;
}

Value to_value(const Diagnostic& d) {
  Value out = Value::table();
  out["code"] = d.code;
  out["severity"] = d.is_warning() ? "warning" : "error";
  out["message"] = d.message;
  out["place"] = d.origin.place();
  if (d.origin.kind == Origin::Kind::File) {
    out["file"] = d.origin.file->name;
    out["line"] = int64_t{d.origin.line};
    out["column"] = int64_t{d.origin.column};
  }
  const auto list = [&](const char* key, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out[key] = Value::array();
    for (const std::string& item : items) out[key].as_array().push_back(item);
  };
  if (!d.suggestion.empty()) out["suggestion"] = d.suggestion;
  if (!d.owner.empty()) out["owner"] = d.owner;
  list("accepted", d.accepted);
  list("notes", d.notes);
  if (!d.fix.empty()) out["fix"] = d.fix;
  return out;
}

namespace {

Code code_of(const std::vector<Diagnostic>& diagnostics) {
  const bool only_plugins =
      std::all_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) {
        return d.is_warning() || d.is_plugin();
      });
  return only_plugins ? Code::Plugin : Code::Usage;
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

RecipeErrors::RecipeErrors(std::vector<Diagnostic> diagnostics)
    : Error(code_of(diagnostics), trimmed(render(diagnostics, /*color=*/false))),
      diagnostics_(std::move(diagnostics)) {}

}  // namespace mortise::core
