// Bytes against the tensorboard package's own (tests/golden/tensorboard_events.py), and files read
// record by record.
#include "tensorboard.hpp"

#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "event.hpp"

using namespace mortise;                        // NOLINT: a test file
using namespace mortise::tracker::tensorboard;  // NOLINT
namespace fs = std::filesystem;

namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return out;
}

/// The events of all files below tb/, in order of the files' names.
std::vector<std::string> events(const std::string& directory) {
  std::vector<std::string> files, out;
  for (const auto& entry : fs::directory_iterator(directory + "/tb"))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    const std::string bytes = read_file(file);
    for (size_t at = 0; at < bytes.size();) {
      uint64_t length = 0;
      REQUIRE(at + 16 <= bytes.size());
      std::memcpy(&length, bytes.data() + at, sizeof length);
      const std::string data = bytes.substr(at + 12, length);
      CHECK(bytes.substr(at, length + 16) == record(data));
      out.push_back(data);
      at += length + 16;
    }
  }
  return out;
}

constexpr double kTime = 1700000000.25;

}  // namespace

TEST_SUITE("tracker.tensorboard") {
  TEST_CASE("events and records are those of the tensorboard package, byte for byte") {
    const Value golden =
        parse_json(read_file(MORTISE_SOURCE_DIR "/tests/golden/tensorboard_events.json"));
    const std::pair<const char*, std::string> ours[] = {
        {"version", version_event(kTime)},
        {"restart", restart_event(kTime, 301)},
        {"scalars",
         summary_event(
             kTime, 7, scalar_value("train/loss", 2.5f) + scalar_value("train/lr", 3e-4f))},
        {"text", summary_event(kTime, 100000, text_value("samples", "狐狸 *jumps*\n"))}};
    for (const auto& [name, event] : ours) {
      CAPTURE(name);
      CHECK(hex(event) == golden.at(name).get("event", ""));
      CHECK(hex(record(event)) == golden.at(name).get("record", ""));
    }
  }

  TEST_CASE("a run is a version, its steps, scores and texts") {
    const testing::TempDir temp;
    Tensorboard tracker;
    RunInfo info;
    info.directory = temp.path;
    tracker.start(info);
    const Scalar values[] = {{"loss", 2.0}};
    tracker.scalars(1, values);
    tracker.scores(1, {"ppl", "dev", "v1", {{"perplexity", 9.0}}});
    tracker.finish({"done", 1, 1.0, {{"peak", "1 MiB"}}});
    const auto found = events(temp.path);
    REQUIRE(found.size() == 4);
    CHECK(found[0].find("brain.Event:2") != std::string::npos);
    CHECK(found[1].find("train/loss") != std::string::npos);
    CHECK(found[2].find("eval/ppl/perplexity") != std::string::npos);
    CHECK(found[3].find("| peak | 1 MiB |") != std::string::npos);
  }

  TEST_CASE("a resumed run opens another file and hides what comes again") {
    const testing::TempDir temp;
    RunInfo info;
    info.directory = temp.path;
    Tensorboard first;
    first.start(info);
    first.flush();
    info.resumed_step = 300;
    Tensorboard second;
    second.start(info);
    second.flush();
    const auto found = events(temp.path);
    REQUIRE(found.size() == 3);
    // all but the eight bytes of the clock
    CHECK(found[2].substr(9) == restart_event(kTime, 301).substr(9));
  }

  TEST_CASE("a run that goes back hides what it gave up, and says why") {
    const testing::TempDir temp;
    RunInfo info;
    info.directory = temp.path;
    Tensorboard tracker;
    tracker.start(info);
    const Scalar values[] = {{"loss", 2.0}};
    tracker.scalars(18, values);
    tracker.rewound(18, 10, "loss 9 is a spike");
    tracker.scalars(11, values);
    tracker.flush();
    const auto found = events(temp.path);
    REQUIRE(found.size() == 5);
    CHECK(found[2].substr(9) == restart_event(kTime, 11).substr(9));
    CHECK(found[3].find("from step 18 to step 10: loss 9 is a spike") != std::string::npos);
  }
}
