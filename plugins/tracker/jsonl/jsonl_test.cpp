// Reads back the bytes of metrics.jsonl, also after a resume and on a full disk (RLIMIT_FSIZE).
#include "jsonl.hpp"

#include <csignal>
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using tracker::jsonl::Jsonl;

namespace {

struct Folder : testing::TempDir {
  std::string file() const { return path + "/metrics.jsonl"; }

  RunInfo info(int64_t resumed_step = 0) const {
    RunInfo info;
    info.directory = path;
    info.resumed_step = resumed_step;
    return info;
  }
};

void log_steps(Jsonl& tracker, int64_t from, int64_t to) {
  for (int64_t step = from; step <= to; ++step) {
    const Scalar values[] = {{"loss", 1.0 / static_cast<double>(step)}};
    tracker.scalars(step, values);
  }
}

std::vector<Value> rows(const std::string& path) {
  std::vector<Value> out;
  const std::string text = read_file(path);
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    out.push_back(parse_json(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

}  // namespace

TEST_SUITE("tracker.jsonl") {
  TEST_CASE("steps, scores and texts are one object a line") {
    const Folder folder;
    Jsonl tracker;
    tracker.start(folder.info());
    const Scalar values[] = {{"loss", 2.5},
                             {"grad_norm", std::numeric_limits<double>::quiet_NaN()},
                             {"lr", std::numeric_limits<double>::infinity()}};
    tracker.scalars(3, values);
    tracker.scores(3, {"ppl", "dev", "mean:token", {{"perplexity", 9.5}, {"nll", 2.25}}});
    tracker.text(4, "sample", "a\n\"b\" \xff");
    tracker.finish({});
    CHECK(read_file(folder.file()) ==
          "{\"step\": 3, \"loss\": 2.5, \"grad_norm\": \"NaN\", \"lr\": \"Infinity\"}\n"
          "{\"step\": 3, \"eval\": \"ppl\", \"data\": \"dev\", \"signature\": \"mean:token\", "
          "\"scores\": {\"perplexity\": 9.5, \"nll\": 2.25}}\n"
          "{\"step\": 4, \"text\": \"sample\", \"value\": \"a\\n\\\"b\\\" \xef\xbf\xbd\"}\n");
  }

  TEST_CASE("a resumed run drops what lies after its step, also a torn line") {
    const Folder folder;
    {
      Jsonl tracker;
      tracker.start(folder.info());
      log_steps(tracker, 1, 10);
      tracker.flush();
    }
    std::string torn = read_file(folder.file());
    write_file(folder.file(), torn + "{\"step\": 5, \"lo");
    Jsonl tracker;
    tracker.start(folder.info(6));
    log_steps(tracker, 7, 12);
    tracker.finish({});
    const std::vector<Value> all = rows(folder.file());
    REQUIRE(all.size() == 12);
    for (size_t i = 0; i < all.size(); ++i)
      CHECK(all[i].at("step").as_int() == static_cast<int64_t>(i) + 1);
  }

  TEST_CASE("a fresh run starts an empty file, and resuming without a file is no error") {
    const Folder folder;
    write_file(folder.file(), "old\n");
    Jsonl fresh;
    fresh.start(folder.info());
    fresh.flush();
    CHECK(read_file(folder.file()).empty());
    std::filesystem::remove(folder.file());
    Jsonl resumed;
    resumed.start(folder.info(5));
    resumed.finish({});
    CHECK(read_file(folder.file()).empty());
  }

  TEST_CASE(
      "a full disk is an error, whole lines stay, and the rest is written once there is room") {
    const Folder folder;
    Jsonl tracker;
    tracker.start(folder.info());
    log_steps(tracker, 1, 20);
    tracker.flush();
    {
      const testing::FullDisk disk(2000);
      log_steps(tracker, 21, 100);
      try {
        tracker.flush();
        FAIL("flush() succeeded on a full disk");
      } catch (const Error& error) {
        CHECK((error.code() == Code::Io));
        CHECK(error.message().find("metrics.jsonl") != std::string::npos);
      }
      CHECK(rows(folder.file()).size() == 20);
    }
    tracker.flush();
    CHECK(rows(folder.file()).size() == 100);
  }

  TEST_CASE("a folder that is not there is an Io error") {
    RunInfo info;
    info.directory = "/nonexistent/folder";
    Jsonl tracker;
    CHECK_THROWS_AS(tracker.start(info), Error);
  }

  TEST_CASE("after a rollback each object says its attempt, also when resumed") {
    const Folder folder;
    {
      Jsonl tracker;
      tracker.start(folder.info());
      log_steps(tracker, 1, 3);
      tracker.rewound(3, 1, "loss 9 is a spike");
      log_steps(tracker, 2, 4);
      tracker.finish({});
    }
    const auto all = rows(folder.file());
    REQUIRE(all.size() == 7);
    CHECK(all[2].find("attempt") == nullptr);
    CHECK(to_json(all[3]) ==
          R"({"step": 1, "attempt": 2, "rollback_from": 3, "why": "loss 9 is a spike"})");
    CHECK(all[4].get("step", 0) == 2);
    CHECK(all[4].get("attempt", 0) == 2);
    Jsonl resumed;
    resumed.start(folder.info(3));
    log_steps(resumed, 4, 4);
    resumed.finish({});
    CHECK(rows(folder.file()).back().get("attempt", 0) == 2);
  }
}
