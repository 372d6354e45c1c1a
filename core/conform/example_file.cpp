// The recipe engine's TOML reader, and one variable.
#include "core/conform/example_file.hpp"

#include <filesystem>
#include <memory>

#include "mortise/error.hpp"
#include "mortise/file.hpp"

#include "core/recipe/toml_read.hpp"

namespace mortise::core {

namespace {

constexpr std::string_view kHere = "${here}";

void replace_here(Value& value, const std::string& folder) {
  if (value.is_string()) {
    std::string text = value.as_string();
    for (size_t at = text.find(kHere); at != std::string::npos;
         at = text.find(kHere, at + folder.size()))
      text.replace(at, kHere.size(), folder);
    value = Value(std::move(text));
  } else if (value.is_array()) {
    for (Value& item : value.as_array()) replace_here(item, folder);
  } else if (value.is_table()) {
    for (auto& entry : value.as_table()) replace_here(entry.second, folder);
  }
}

}  // namespace

Value read_example_file(const std::string& path) {
  if (path.empty()) return Value::table();
  const auto file = std::make_shared<SourceFile>();
  file->name = file->path = path;
  file->text = read_file(path, kMaxRecipeBytes);
  Diagnostics diagnostics;
  Value value = parse_toml(file, diagnostics).to_value();
  if (diagnostics.has_errors())
    throw Error(Code::Usage, render(diagnostics.sorted(), /*color=*/false));
  replace_here(value, std::filesystem::absolute(path).parent_path().string());
  return value;
}

}  // namespace mortise::core
