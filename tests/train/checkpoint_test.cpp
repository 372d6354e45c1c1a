// Checkpoints: whole or absent, verified, the newest kept, and disks that fill up.
#include "core/engine/checkpoint/checkpoint.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <sys/resource.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT
namespace fs = std::filesystem;

namespace {

CheckpointContent content(int64_t step, int64_t size = 100) {
  CheckpointContent out;
  out.step = step;
  out.model.emplace_back("w", at::full({size}, static_cast<double>(step)));
  out.optim.emplace_back("optimizer.m.0", at::arange(size, at::kFloat));
  out.state["step"] = step;
  out.state["values"]["optimizer.count"] = 5;
  return out;
}

}  // namespace

TEST_SUITE("train.checkpoint") {
  TEST_CASE("what was saved comes back, and the newest stay") {
    const testing::TempDir dir;
    const CheckpointFolder folder(dir.path);
    CHECK_FALSE(folder.latest().has_value());
    for (const int64_t step : {10, 20, 30}) folder.save(content(step), 2);
    CHECK(folder.steps() == std::vector<int64_t>{20, 30});
    const CheckpointReader reader(folder.latest().value());
    CHECK(reader.state().get("step", 0) == 30);
    at::Tensor w = at::zeros({100});
    read_tensor(reader.model(), "w", w);
    CHECK(w.equal(at::full({100}, 30.0)));
    CHECK_FALSE(fs::exists(dir.path + "/.step-30.tmp"));
  }

  TEST_CASE("state of components goes through both sides unchanged") {
    const testing::TempDir dir;
    StateSaver saver;
    saver.begin("part");
    Value count = 3;
    at::Tensor m = at::randn({4}), absent;
    saver.value("count", count);
    saver.tensor("m", m);
    saver.tensor("absent", absent);
    write_tensors(dir.path + "/t.safetensors", saver.tensors);
    const auto file = safetensors::File::open(dir.path + "/t.safetensors");
    StateLoader loader(saver.values, file);
    loader.begin("part");
    Value read;
    at::Tensor back = at::zeros({4}), none, wrong = at::zeros({5});
    loader.value("count", read);
    loader.tensor("m", back);
    loader.tensor("absent", none);
    CHECK(read.as_int() == 3);
    CHECK(back.equal(m));
    CHECK_FALSE(none.defined());
    CHECK_THROWS_WITH_AS(
        loader.tensor("m", wrong),
        doctest::Contains("tensor `part.m` is F32 [4] in the checkpoint and F32 [5] here"),
        DataError);
    CHECK_THROWS_WITH_AS(loader.value("missing", read),
                         doctest::Contains("holds no state `part.missing`"),
                         DataError);
  }

  TEST_CASE("a changed or short file is named") {
    const testing::TempDir dir;
    const CheckpointFolder folder(dir.path);
    folder.save(content(1), 2);
    const std::string path = dir.path + "/step-1/model.safetensors";
    SUBCASE("changed") {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(-3, std::ios::end);
      file.put('x');
      file.close();
      CHECK_THROWS_WITH_AS(CheckpointReader(dir.path + "/step-1"),
                           doctest::Contains("was changed since it was written"),
                           DataError);
    }
    SUBCASE("short") {
      fs::resize_file(path, fs::file_size(path) - 1);
      CHECK_THROWS_WITH_AS(CheckpointReader(dir.path + "/step-1"),
                           doctest::Contains("its manifest says"),
                           DataError);
    }
    SUBCASE("no manifest") {
      fs::remove(dir.path + "/step-1/manifest.json");
      CHECK_THROWS_WITH_AS(
          CheckpointReader(dir.path + "/step-1"), doctest::Contains("is no checkpoint"), DataError);
    }
  }

  TEST_CASE("a full disk leaves the last good checkpoint and says so in one sentence") {
    const testing::TempDir dir;
    const CheckpointFolder folder(dir.path);
    folder.save(content(1), 2);
    std::string message;
    {
      const testing::FullDisk limit(200000);
      try {
        folder.save(content(2, 100000), 2);
      } catch (const Error& error) {
        CHECK(error.code() == Code::Io);
        message = error.what();
      }
    }
    CHECK(message.find("model.safetensors: File too large") != std::string::npos);
    CHECK(message.find("the last good one is " + dir.path + "/step-1") != std::string::npos);
    CHECK(folder.steps() == std::vector<int64_t>{1});
    CHECK(CheckpointReader(folder.latest().value()).state().get("step", 0) == 1);
    CHECK_FALSE(fs::exists(dir.path + "/.step-2.tmp"));
    folder.save(content(2), 2);  // and with space again it goes on
    CHECK(folder.steps() == std::vector<int64_t>{1, 2});
  }
}
