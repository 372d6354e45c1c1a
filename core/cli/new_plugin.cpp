// mortise new-plugin KIND NAME --id org.acme [--dir DIR]: six files that build, pass their test and
// pass conformance untouched.
//
// Templates are plain files in <prefix>/share/mortise/templates/<kind> and common/; @NAME@,
// @CLASS@, @ID@, @KIND@, @LINK@,
// @COMPONENTS@, @PREFIX@ and @SHARE@ are replaced.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/plugin/catalog.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

using Words = std::map<std::string, std::string>;

std::string share_folder() { return installation_prefix() + "/share/mortise"; }

bool is_snake_case(std::string_view text) {
  return !text.empty() && text[0] >= 'a' && text[0] <= 'z' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

std::string camel_case(std::string_view name) {
  std::string out;
  bool is_start = true;
  for (const char c : name) {
    if (c != '_') out += is_start && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    is_start = c == '_';
  }
  return out;
}

std::vector<std::string> kinds() {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(share_folder() + "/templates", absent))
    if (entry.path().filename() != "common") out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  if (out.empty())
    throw Error(Code::Internal,
                fmt::format("there are no templates in {}/templates", share_folder()),
                "install Mortise again");
  return out;
}

std::string filled(std::string text, const Words& words) {
  for (const auto& [key, value] : words)
    for (size_t at = text.find(key); at != std::string::npos;
         at = text.find(key, at + value.size()))
      text.replace(at, key.size(), value);
  return text;
}

// The name under which a template file appears.
std::string target_name(const std::string& file, const std::string& name) {
  if (file == "plugin.cpp") return name + ".cpp";
  if (file == "test.cpp") return name + "_test.cpp";
  if (file == "gitignore") return ".gitignore";
  return file;
}

void check_kind(const std::string& kind) {
  const auto all = kinds();
  if (std::find(all.begin(), all.end(), kind) != all.end()) return;
  std::string list;
  for (const std::string& each : all) list += (list.empty() ? "" : ", ") + each;
  const std::string near = nearest(kind, all);
  throw Error(Code::Usage,
              fmt::format("there is no template for the kind `{}`{}; kinds: {}",
                          kind,
                          near.empty() ? "" : fmt::format("   did you mean `{}`?", near),
                          list));
}

// A kind is of the tensor tier when its source includes a tensor header.
bool needs_torch(const std::string& kind) {
  return read_file(fmt::format("{}/templates/{}/plugin.cpp", share_folder(), kind))
             .find("<mortise/torch/") != std::string::npos;
}

}  // namespace

int run_new_plugin(const std::vector<std::string>& given) {
  const Arguments arguments("new-plugin", given);
  if (arguments.positional().size() != 2)
    throw Error(Code::Usage,
                "new-plugin takes a kind and a name",
                "mortise new-plugin optimizer lion --id org.acme");
  const std::string kind = arguments.positional()[0], name = arguments.positional()[1];
  check_kind(kind);
  if (!is_snake_case(name))
    throw Error(Code::Usage,
                fmt::format("a name is snake_case and begins with a letter, got \"{}\"", name));
  const std::string owner = arguments.get("id");
  if (owner.empty())
    throw Error(Code::Usage,
                "who publishes this plugin?",
                fmt::format("mortise new-plugin {} {} --id org.acme", kind, name));
  if (owner.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") != std::string::npos ||
      owner.find('.') == std::string::npos)
    throw Error(Code::Usage,
                fmt::format("--id is a reverse domain such as org.acme, got \"{}\"", owner));
  const std::string folder = arguments.get("dir", name);
  if (fs::exists(folder) && !fs::is_empty(folder))
    throw Error(
        Code::Usage, fmt::format("{} is not empty", folder), "choose another folder with --dir");

  const bool torch = needs_torch(kind);
  const Words words = {{"@NAME@", name},
                       {"@CLASS@", camel_case(name)},
                       {"@ID@", owner + "." + name},
                       {"@KIND@", kind},
                       {"@LINK@", torch ? "mortise::sdk_torch" : "mortise::sdk"},
                       {"@COMPONENTS@", torch ? " COMPONENTS torch" : ""},
                       {"@PREFIX@", installation_prefix()},
                       {"@SHARE@", share_folder()}};
  fs::create_directories(folder);
  for (const std::string& source : {std::string("common"), kind})
    for (const auto& entry :
         fs::directory_iterator(fmt::format("{}/templates/{}", share_folder(), source))) {
      const std::string target = folder + "/" + target_name(entry.path().filename().string(), name);
      write_file(target, filled(read_file(entry.path().string()), words));
      fmt::print("{}\n", target);
    }
  fmt::print(
      "\nnext:  cmake -S {} -B {}/build -G Ninja -Dmortise_DIR={}/lib/cmake/mortise && cmake "
      "--build {}/build && ctest --test-dir {}/build\n",
      folder,
      folder,
      installation_prefix(),
      folder,
      folder);
  return 0;
}

}  // namespace mortise::core
