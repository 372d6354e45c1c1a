// Catalog and PluginHost with a real plugin of the tree, and with manifests that are wrong in one
// place each.
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/metric.hpp"

#include "core/plugin/catalog.hpp"
#include "core/plugin/handshake.hpp"
#include "core/plugin/plugin_host.hpp"
#include "manifest.hpp"

using namespace mortise;
using namespace mortise::core;
namespace fs = std::filesystem;

namespace {

const std::string kPlugins = MORTISE_BUILD_DIR "/lib/mortise/plugins";
const std::string kExactMatch = kPlugins + "/org.mortise.metric.exact_match";

// A folder that goes away with its object.
std::string manifest_with(std::string_view from, std::string_view to) {
  std::string text = read_file(kExactMatch + "/plugin.toml");
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// Copies the plugin with another manifest, and returns the message of the catalog or of the host.
std::string message_of(const std::string& manifest) {
  const testing::TempDir temp;
  fs::create_directories(temp.path + "/p");
  fs::copy_file(kExactMatch + "/metric_exact_match.so", temp.path + "/p/metric_exact_match.so");
  write_file(temp.path + "/p/plugin.toml", manifest);
  const Catalog catalog = Catalog::discover({{temp.path}});
  PluginHost host(catalog);
  try {
    host.require("metric", "exact_match");
  } catch (const PluginError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("core.plugin_host") {
  TEST_CASE("a component is made, used and destroyed through the boundary") {
    const Catalog catalog = Catalog::discover({{kExactMatch}});
    REQUIRE(catalog.plugins().size() == 1);
    CHECK(catalog.plugins()[0].refusal == "");
    PluginHost host(catalog);
    Value config;
    config["type"] = "exact_match";
    config["ignore_case"] = true;
    const auto metric = mortise::make<Metric>(host, config, NoArgs{});
    const std::vector<std::string> references = {"YES"};
    Sample sample;
    sample.prediction = "yes";
    sample.references = references;
    CHECK(metric->sample(sample) == Stats{1, 1});
    REQUIRE(host.loaded().size() == 1);
    CHECK(host.loaded()[0].sha256.size() == 64);
  }

  TEST_CASE("a qualified name narrows to one plugin") {
    const Catalog catalog = Catalog::discover({{kPlugins}});
    CHECK(catalog.providers("metric", "org.mortise.metric.exact_match:exact_match").size() == 1);
    CHECK(catalog.providers("metric", "org.acme:exact_match").empty());
    CHECK(catalog.providers("optimizer", "exact_match").empty());
    REQUIRE(catalog.providers("metric", "exact_match").size() == 1);
    CHECK(catalog.providers("metric", "exact_match")[0]->schema().find("ignore_case") != nullptr);
  }

  TEST_CASE("an unknown name tells the known ones and where was searched") {
    const Catalog catalog = Catalog::discover({{kExactMatch}});
    PluginHost host(catalog);
    try {
      host.require("metric", "exact_mach");
      FAIL("no error");
    } catch (const PluginError& error) {
      CHECK(contains(error.what(), "no plugin provides metric \"exact_mach\"; known: exact_match"));
      CHECK(contains(error.what(), kExactMatch));
    }
  }

  TEST_CASE("two providers of one name are an error that names both files") {
    const testing::TempDir temp;
    for (const char* name : {"a", "b"}) {
      fs::create_directories(temp.path + "/" + name);
      fs::copy_file(kExactMatch + "/metric_exact_match.so",
                    temp.path + "/" + name + "/metric_exact_match.so");
    }
    write_file(temp.path + "/a/plugin.toml", read_file(kExactMatch + "/plugin.toml"));
    write_file(temp.path + "/b/plugin.toml",
               manifest_with("id = \"org.mortise.metric.exact_match\"", "id = \"org.acme.eval\""));
    const Catalog catalog = Catalog::discover({{temp.path}});
    PluginHost host(catalog);
    try {
      host.require("metric", "exact_match");
      FAIL("no error");
    } catch (const PluginError& error) {
      CHECK(contains(error.what(), "2 plugins provide metric \"exact_match\""));
      CHECK(contains(error.what(), temp.path + "/a/metric_exact_match.so"));
      CHECK(contains(error.what(), temp.path + "/b/metric_exact_match.so"));
      CHECK(contains(error.what(), "type = \"org.acme.eval:exact_match\""));
    }
  }

  TEST_CASE("a manifest that differs from the library is stale") {
    const std::string message = message_of(manifest_with("\nversion = \"", "\nversion = \"9"));
    CHECK(contains(
        message, "the manifest of plugin org.mortise.metric.exact_match is stale: version is \"9"));
    CHECK(contains(message, "fix: write it again:  mortise-describe "));
    CHECK(contains(message_of(manifest_with("ignore_case", "ignore_caze")),
                   "is stale: the schema of component exact_match"));
    CHECK(contains(message_of(manifest_with("license = \"Apache-2.0\"", "license = \"MIT\"")),
                   "license is \"MIT\""));
  }

  TEST_CASE("a file that is not the installed one is refused by its hash") {
    const std::string message = message_of(manifest_with("sha256 = \"\"", "sha256 = \"00ff\""));
    CHECK(contains(message, "is not the file that was installed"));
    CHECK(contains(message, "sha256 in plugin.toml 00ff"));
    CHECK(contains(message, "fix: install the plugin again"));
  }

  TEST_CASE("a manifest without its library says which file is missing") {
    CHECK(contains(
        message_of(manifest_with("file = \"metric_exact_match.so\"", "file = \"gone.so\"")),
        "gone.so"));
  }
}

TEST_SUITE("core.handshake") {
  TEST_CASE("each field that differs is refused with both sides and the fix") {
    const auto refusal = [](std::string_view from, std::string_view to) {
      return message_of(manifest_with(from, to));
    };
    const std::string rebuild = "fix: rebuild it:  cmake -S . -B build -Dmortise_DIR=";
    const std::string sdk = refusal("sdk=0.", "sdk=7.");
    CHECK(contains(sdk, "cannot be used by this mortise\n    sdk     plugin 7."));
    CHECK(contains(sdk, rebuild));
    CHECK(contains(refusal("cxx11=1", "cxx11=0"), "    cxx11   plugin 0  host 1     <- differs"));
    CHECK(contains(refusal("stdlib=libstdc++", "stdlib=libc++"), "plugin libc++"));
    CHECK(contains(refusal("glibcxx_debug=0", "glibcxx_debug=1"),
                   "    glibcxx_debug plugin 1  host 0     <- differs"));
    CHECK(contains(refusal("san=", "san=x"), "    san     plugin x"));
    CHECK(contains(refusal("abi = 1", "abi = 2"), "    abi     plugin 2  host 1     <- differs"));
    CHECK(contains(refusal("glibc = \"2.", "glibc = \"9."), "    glibc   plugin 9."));
    CHECK(contains(refusal("glibcxx = \"3.4.", "glibcxx = \"3.4.9"), "    glibcxx plugin 3.4.9"));
    CHECK(contains(refusal("interface = \"metric/1.0\"", "interface = \"metric/2.0\""),
                   "    metric  plugin metric/2.0  host metric/1.0     <- differs; an interface "
                   "must have the same major"));
    CHECK(contains(refusal("interface = \"metric/1.0\"", "interface = \"metric/1.7\""),
                   "too old; the plugin uses a newer minor"));
    CHECK(contains(refusal("layout = \"", "layout = \"x"), "    layout of metric/1.0 plugin x"));
  }

  TEST_CASE("a newer LibTorch is refused in the words of the reference") {
    HostFacts host = plain_host_facts();
    add_engine_facts(
        host,
        "[engine]\ntorch = \"2.11.0\"\n[[interface]]\nid = \"optimizer/1.0\"\nlayout = \"aa\"\n");
    PluginManifest manifest = parse_manifest(manifest_with("compiler=", "torch=2.12.0;compiler="));
    check_handshake(manifest, host);
    CHECK(contains(manifest.refusal,
                   "    torch   plugin 2.12.0  host 2.11.0     <- differs; tensor-tier plugins "
                   "must match major.minor"));
    manifest = parse_manifest(manifest_with("compiler=", "torch=2.11.3;compiler="));
    check_handshake(manifest, host);
    CHECK(manifest.refusal == "");
  }

  TEST_CASE("a tensor plugin on a host without the tensor tier says so once") {
    PluginManifest manifest = parse_manifest(manifest_with("compiler=", "torch=2.11.0;compiler="));
    CHECK(compare(manifest, plain_host_facts()).size() == 1);
    CHECK(compare(manifest, plain_host_facts())[0].rule ==
          "this mortise was built without the tensor tier");
  }

  TEST_CASE(
      "an older minor of an interface is welcome whatever its layout, for the host never passes "
      "what it lacks") {
    HostFacts host = plain_host_facts();
    host.interfaces["metric"] = {"metric/1.3", "other"};
    CHECK(compare(parse_manifest(read_file(kExactMatch + "/plugin.toml")), host).empty());
    host.interfaces["metric"] = {"metric/1.0-draft", "other"};
    CHECK(compare(parse_manifest(read_file(kExactMatch + "/plugin.toml")), host).size() == 1);
  }
}
