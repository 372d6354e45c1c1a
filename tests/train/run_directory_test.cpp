// Run directories: never shared, never overwritten, comparable.
#include "core/run/run_directory.hpp"

#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "core/run/runs.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT
namespace fs = std::filesystem;

namespace {

RunTexts texts(const char* json) {
  return {"recipe", {{"base/a.toml", "x = 1\n"}}, "resolved", parse_json(json)};
}

}  // namespace

TEST_SUITE("run.directory") {
  TEST_CASE("runs that start together get directories of their own") {
    const testing::TempDir dir;
    std::vector<std::string> paths(16);
    std::vector<std::thread> threads;
    for (std::string& path : paths)
      threads.emplace_back(
          [&] { path = RunDirectory::create("a b", {}, dir.path + "/runs").path(); });
    for (std::thread& thread : threads) thread.join();
    CHECK(std::set(paths.begin(), paths.end()).size() == 16);
    CHECK(fs::exists(dir.path + "/runs/a-b-16"));
  }

  TEST_CASE("a directory that exists is never overwritten") {
    const testing::TempDir dir;
    const RunDirectory run = RunDirectory::create("x", dir.path + "/mine");
    run.write_texts(texts("{}"));
    CHECK_THROWS_WITH_AS(RunDirectory::create("x", dir.path + "/mine"),
                         doctest::Contains("exists already and is never overwritten"),
                         Error);
    CHECK_THROWS_WITH_AS(
        RunDirectory::open(dir.path), doctest::Contains("is no run directory"), Error);
  }

  TEST_CASE("texts and status come back") {
    const testing::TempDir dir;
    const RunDirectory run = RunDirectory::create("x", {}, dir.path);
    run.write_texts(texts(R"({"run": {"seed": 1}})"));
    CHECK(read_file(run.file("recipe.toml")) == "recipe");
    CHECK(read_file(run.file("includes/01-a.toml")) == "# base/a.toml\nx = 1\n");
    RunStatus status;
    status.step = 7;
    status.scores["ppl.perplexity"] = 12.5;
    run.write_status(status);
    CHECK(run.status().step == 7);
    CHECK(run.status().scores.get("ppl.perplexity", 0.0) == 12.5);
  }

  TEST_CASE("only what cannot change the past may change on resume") {
    const Value saved = parse_json(
        R"({"run": {"steps": 10, "seed": 1}, "optimizer": {"lr": 0.1}, "eval": {"p": {"every": 5}}})");
    CHECK_NOTHROW(check_resumable(
        saved, parse_json(R"({"run": {"steps": 20, "seed": 1}, "optimizer": {"lr": 0.1}})")));
    CHECK_THROWS_WITH_AS(
        check_resumable(
            saved, parse_json(R"({"run": {"steps": 20, "seed": 2}, "optimizer": {"lr": 0.2}})")),
        doctest::Contains("optimizer.lr: 0.1 → 0.2\n  run.seed: 1 → 2"),
        Error);
  }

  TEST_CASE("two runs are compared key by key") {
    const testing::TempDir dir;
    const RunDirectory a = RunDirectory::create("a", {}, dir.path),
                       b = RunDirectory::create("b", {}, dir.path);
    a.write_texts(texts(R"({"optimizer": {"type": "adamw", "lr": 0.1}})"));
    b.write_texts(texts(R"({"optimizer": {"type": "lion", "lr": 0.1}})"));
    a.write_status({});
    const Value differences = diff_runs(a.path(), b.path());
    REQUIRE(differences.at("config").as_array().size() == 1);
    CHECK(diff_text(differences, "a", "b").find("optimizer.type: \"adamw\" → \"lion\"") !=
          std::string::npos);
    CHECK(list_runs(dir.path).size() == 2);
    CHECK(runs_table(list_runs(dir.path)).find("running") != std::string::npos);
  }
}
