// Bad plugins: the host survives every one, and says what is wrong and how to repair it.
#include <filesystem>

#include <doctest/doctest.h>

#include "mortise/child.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"

#include "core/plugin/catalog.hpp"
#include "core/plugin/plugin_host.hpp"

using namespace mortise;
using namespace mortise::core;
namespace fs = std::filesystem;

namespace {

const std::string kCli = MORTISE_BUILD_DIR "/bin/mortise";

std::string bad(const std::string& name) { return MORTISE_BUILD_DIR "/tests/bad/" + name + ".so"; }

struct Said {
  int exit_code;
  std::string text;

  bool has(std::string_view part) const { return text.find(part) != std::string::npos; }
};

Said run(std::vector<std::string> words) {
  words.insert(words.begin(), kCli);
  const ChildResult result = run_child(words, {.timeout_s = 120, .on_line = {}});
  CHECK(result.signal == 0);
  return {result.exit_code, result.out + result.err};
}

Said inspect(const std::string& name) { return run({"inspect", bad(name)}); }

Said conform(const std::string& name, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"conform", bad(name)});
  return run(more);
}

// What a run says: the library stands behind a manifest that fits.
std::string require(const std::string& name) {
  const mortise::testing::TempDir folder;
  std::string manifest = read_file(
      MORTISE_BUILD_DIR "/lib/mortise/plugins/org.mortise.metric.exact_match/plugin.toml");
  const std::string file = "metric_exact_match.so";
  manifest.replace(manifest.find(file), file.size(), "p.so");
  folder.put("plugin.toml", manifest);
  fs::copy_file(bad(name), folder.file("p.so"));
  try {
    const Catalog catalog = Catalog::discover({{folder.path}});
    PluginHost(catalog).require("metric", "exact_match");
  } catch (const PluginError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("core.bad_plugin") {
  TEST_CASE("inspect survives a library without the entry") {
    const Said said = inspect("no_entry");
    CHECK(said.exit_code == 6);
    CHECK(said.has("exports no mortise_plugin_entry"));
    CHECK(contains(require("no_entry"), "exports no mortise_plugin_entry"));
    CHECK(contains(require("no_entry"), "fix: declare the plugin with MORTISE_PLUGIN"));
  }

  TEST_CASE("inspect survives an entry that throws, and a run says it in one sentence") {
    CHECK(inspect("throws").has("thrown out of the entry"));
    CHECK(contains(require("throws"), "threw from its entry: thrown out of the entry"));
    const Said reported = inspect("entry_reports");
    CHECK(reported.exit_code == 6);
    CHECK(reported.has("the licence server is down"));
    CHECK(contains(require("entry_reports"), "the licence server is down"));
    CHECK(contains(require("entry_reports"), "fix: start it"));
    CHECK(
        contains(require("entry_reports"), "while loading plugin org.mortise.metric.exact_match"));
  }

  TEST_CASE("inspect survives an entry that crashes") {
    const Said said = inspect("entry_crashes");
    CHECK(said.exit_code == 6);
    CHECK(said.has("crashed with SIGSEGV"));
    CHECK(said.has("fix: run it in a debugger"));
  }

  TEST_CASE("inspect survives an entry that ends the process") {
    const Said said = inspect("entry_exits");
    CHECK(said.exit_code == 6);
    CHECK(said.has("called exit in its entry (exit code 0)"));
  }

  TEST_CASE("a wrong magic number, ABI or size is told") {
    CHECK(inspect("magic").has("wrong magic number"));
    CHECK(contains(require("magic"), "wrong magic number"));
    CHECK(inspect("abi").has("speaks ABI 99"));
    CHECK(contains(require("abi"), "speaks ABI 99, this mortise 1"));
    CHECK(inspect("size").has("too small"));
    CHECK(contains(require("size"), "its descriptor has 12 bytes"));
  }

  TEST_CASE("an undefined symbol is told demangled") {
    CHECK(inspect("undefined").has("it needs the symbol `mortise::missing::frobnicate("));
    const std::string message = require("undefined");
    CHECK(contains(message, "it needs the symbol `mortise::missing::frobnicate("));
    CHECK(contains(
        message,
        "fix: it was built against another SDK or lacks a library in LINK; rebuild it:  cmake"));
  }

  TEST_CASE("a missing library is named") {
    CHECK(inspect("library").has("it needs the library libnot_on_this_machine.so.1"));
    CHECK(
        contains(require("library"),
                 "it needs the library libnot_on_this_machine.so.1, which is not on this machine"));
    CHECK(contains(require("library"), "fix: install that library"));
  }

  TEST_CASE("a manifest forged over another library is stale") {
    CHECK(contains(require("length"),
                   "the manifest of plugin org.mortise.metric.exact_match is stale: id is "
                   "\"org.mortise.metric.exact_match\""));
  }

#if defined(MORTISE_HAS_TORCH)
  TEST_CASE("a duplicate TORCH_LIBRARY ends the probe, not the host") {
    const Said said = inspect("torch_library");
    CHECK(said.exit_code == 6);
    CHECK(said.has("crashed with SIGABRT"));
    CHECK(said.has("TORCH_LIBRARY"));
  }

  TEST_CASE("an operator registered at namespace scope without the macro ends the probe only") {
    const Said said = inspect("register_operators");
    CHECK(said.exit_code == 6);
    CHECK(said.has("crashed with SIGABRT"));
    CHECK(said.has("Tried to register an operator (aten::relu(Tensor self) -> Tensor)"));
    CHECK(said.has("registered by RegisterOperators"));
  }
#endif

  TEST_CASE("what is no library at all is told") {
    const Said said = run({"inspect", "/etc/hostname.so"});
    CHECK(said.has("there is no file /etc/hostname.so"));
  }
}

TEST_SUITE("core.conform") {
  TEST_CASE("a plugin whose entry crashes or exits fails with a sentence") {
    CHECK(conform("entry_crashes").exit_code == 6);
    CHECK(conform("entry_crashes").has("crashed with SIGSEGV"));
    CHECK(conform("entry_exits").has("called exit in its entry"));
  }

  TEST_CASE("an extra symbol is named") {
    const Said said = conform("extra_symbol", {"--only", "exports one symbol"});
    CHECK(said.exit_code == 6);
    CHECK(said.has("mortise::extra::exported_by_mistake()"));
    CHECK(said.has("fix: build it with mortise_add_plugin"));
  }

  TEST_CASE("a check that crashes or exits is one failure, and the next checks run") {
    for (const char* name : {"sample_crashes", "sample_exits"}) {
      const Said said = conform(name);
      CHECK(said.exit_code == 6);
      CHECK(said.has("FAIL  metric/exact: gives statistics of one length"));
      CHECK(said.has(std::string(name) == "sample_crashes" ? "it crashed with SIGSEGV"
                                                           : "it ended with exit code 3"));
      CHECK(said.has("ok    metric/exact: signs its numbers"));
    }
  }

  TEST_CASE("a check that hangs is killed") {
    const Said said = conform("sample_hangs", {"--timeout", "1", "--only", "gives statistics"});
    CHECK(said.exit_code == 6);
    CHECK(said.has("it did not end in time and was killed"));
  }

  TEST_CASE("a broken contract is a failure with both values") {
    const Said said = conform("length", {"--only", "one length"});
    CHECK(said.exit_code == 6);
    CHECK(said.has("statistics differ in length: got "));
  }

#if !defined(__SANITIZE_ADDRESS__)
  TEST_CASE("a leak is a failure") {
    const Said said = conform("leaks", {"--only", "hundred times"});
    CHECK(said.exit_code == 6);
    CHECK(said.has("left 5"));
  }
#endif

  TEST_CASE("junit holds every check") {
    const mortise::testing::TempDir temp;
    const std::string file = temp.file("junit.xml");
    const Said said = conform("length", {"--junit", file});
    const std::string xml = read_file(file);
    CHECK(contains(xml, "<testsuite name=\"org.bad.metric\" tests=\"22\""));
    CHECK(contains(xml,
                   "<testcase classname=\"metric/exact\" name=\"gives statistics of one length, "
                   "all finite\""));
    CHECK(contains(xml, "<failure>"));
  }

  TEST_CASE("--list and --only name checks without opening what is not asked for") {
    const Said list = conform("length", {"--list"});
    CHECK(list.exit_code == 0);
    CHECK(list.has("plugin: exports one symbol"));
    const Said none = conform("length", {"--only", "no such check"});
    CHECK(none.exit_code == 2);
    CHECK(none.has("no check matches \"no such check\""));
  }
}
