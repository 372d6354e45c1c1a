// The messages of the recipe engine, word by word: golden/*.toml against golden/*.txt.
// `# --set …` lines at the top of a file are overrides.  MORTISE_UPDATE_GOLDEN=1 writes the .txt
// files; read the diff.
#include <algorithm>
#include <cstdlib>

#include <doctest/doctest.h>
#include <unistd.h>

#include "mortise/file.hpp"

#include "core/recipe/resolve.hpp"
#include "core/recipe/sweep.hpp"
#include "fake_catalog.hpp"

using namespace mortise;
using namespace mortise::core;
namespace fs = std::filesystem;

namespace {

// The plugins of the fake catalog, and "double" provided twice.
const fake::Plugins& plugins() {
  static fake::Plugins all;
  static const bool more = [] {
    all.add("org.acme.one", "1.0.0", fake::component_text<fake::Empty>("double", "metric/1.0"));
    all.add("org.acme.two", "1.0.0", fake::component_text<fake::Empty>("double", "metric/1.0"));
    return true;
  }();
  (void)more;
  return all;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::vector<Override> overrides_in(const std::string& text) {
  std::vector<Override> out;
  const std::string mark = "# --set ";
  for (size_t at = 0; text.compare(at, mark.size(), mark) == 0; at = text.find('\n', at) + 1) {
    const size_t begin = at + mark.size();
    out.push_back({text.substr(begin, text.find('\n', at) - begin),
                   static_cast<int32_t>(2 * out.size() + 3)});
  }
  return out;
}

std::string messages_of(const std::string& file) {
  ResolveOptions options;
  options.overrides = overrides_in(read_file(file));
  Outcome outcome = check_recipe(file, plugins().catalog(), options);
  if (outcome.ok()) check_sweep(file, plugins().catalog(), options, outcome);
  return replaced(render(outcome.diagnostics, false), plugins().folder(), "<plugins>");
}

}  // namespace

TEST_SUITE("core.recipe.messages") {
  TEST_CASE("every message reads as its golden file") {
    const std::string folder = MORTISE_SOURCE_DIR "/tests/core/recipe/golden";
    REQUIRE(::chdir(folder.c_str()) == 0);
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator("."))
      if (entry.path().extension() == ".toml") files.push_back(entry.path().filename().string());
    std::sort(files.begin(), files.end());
    REQUIRE(files.size() >= 13);
    for (const std::string& file : files) {
      CAPTURE(file);
      const std::string golden = fs::path(file).replace_extension(".txt").string();
      const std::string messages = messages_of(file);
      if (std::getenv("MORTISE_UPDATE_GOLDEN") != nullptr) write_file(golden, messages);
      CHECK(messages == read_file(golden));
    }
  }
}
