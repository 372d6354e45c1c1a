#include "hf_safetensors.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using namespace mortise;
using weight_format::hf_safetensors::HfSafetensors;
namespace fs = std::filesystem;

namespace {

struct Folder : testing::TempDir {
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(path))
      out.insert(entry.path().filename().string());
    return out;
  }
};

const std::vector<StoredTensor> kTensors = {{"b.weight", Dtype::F32, {4}, 16},
                                            {"a.weight", Dtype::U8, {3}, 3},
                                            {"c.weight", Dtype::F32, {2, 2}, 16}};

// Every byte of tensor i is `first` + i.
void write_all(WeightWriter& writer, char first) {
  for (size_t i = 0; i < kTensors.size(); ++i) {
    const std::string bytes(static_cast<size_t>(kTensors[i].bytes),
                            static_cast<char>(first + static_cast<char>(i)));
    writer.write(std::as_bytes(std::span(bytes.data(), bytes.size())));
  }
}

void save(const Folder& folder, int64_t max_shard_bytes, char first) {
  const auto writer =
      HfSafetensors({.max_shard_bytes = max_shard_bytes}).create(folder.path, kTensors);
  write_all(*writer, first);
  writer->commit();
}

// One letter a tensor, in the order b, a, c: "xyz" for first = 'x'.
std::string load(const Folder& folder) {
  const auto reader = HfSafetensors({}).open(folder.path);
  std::string out(kTensors.size(), '?');
  for (size_t i = 0; i < reader->tensors().size(); ++i)
    for (size_t k = 0; k < kTensors.size(); ++k)
      if (reader->tensors()[i].name == kTensors[k].name)
        out[k] = static_cast<char>(reader->data(i)[0]);
  return out;
}

void refuse(const Folder& folder, const char* part) {
  CHECK_THROWS_WITH_AS(HfSafetensors({}).open(folder.path), doctest::Contains(part), DataError);
}

void edit_index(const Folder& folder, const char* tensor, Value file) {
  const std::string path = folder.file("model.safetensors.index.json");
  Value index = parse_json(read_file(path));
  if (file.is_null())
    index["weight_map"].erase(tensor);
  else
    index["weight_map"][tensor] = std::move(file);
  write_file(path, to_json(index));
}

}  // namespace

TEST_SUITE("weight_format.hf_safetensors") {
  TEST_CASE("shards of the reference library are read") {
    const HfSafetensors format({});
    const std::string folder = MORTISE_SOURCE_DIR "/tests/golden/llama/sharded";
    CHECK(format.recognises(folder));
    const auto reader = format.open(folder);
    int64_t total = 0;
    for (size_t i = 0; i < reader->tensors().size(); ++i) {
      CHECK(static_cast<int64_t>(reader->data(i).size()) == reader->tensors()[i].bytes);
      total += reader->tensors()[i].bytes;
    }
    CHECK(total == 68560);  // total_size of its index
  }

  TEST_CASE("a single file is read") {
    const auto reader = HfSafetensors({}).open(MORTISE_SOURCE_DIR "/tests/golden/llama/tied_mha");
    CHECK_FALSE(reader->tensors().empty());
  }

  TEST_CASE("a small model is one file, a large one is shards and an index") {
    const Folder folder;
    save(folder, 1000, 'x');
    CHECK(folder.names() == std::set<std::string>{"model.safetensors"});
    CHECK(load(folder) == "xyz");
    save(folder, 19, 'A');
    CHECK(folder.names() == std::set<std::string>{"model-00001-of-00002.safetensors",
                                                  "model-00002-of-00002.safetensors",
                                                  "model.safetensors.index.json"});
    CHECK(load(folder) == "ABC");
    const Value index = parse_json(read_file(folder.file("model.safetensors.index.json")));
    CHECK(index.at("metadata").at("total_size") == Value(35));
    CHECK(index.at("weight_map").at("c.weight") == Value("model-00002-of-00002.safetensors"));
  }

  TEST_CASE(
      "a tensor larger than a shard gets one of its own, and stale shards of an older save go") {
    const Folder folder;
    save(folder, 1, 'a');
    CHECK(folder.names().size() == 4);
    CHECK(load(folder) == "abc");
    save(folder, 19, 'd');
    CHECK(folder.names().size() == 3);
    CHECK(load(folder) == "def");
    save(folder, 19, 'g');  // the same names again
    CHECK(load(folder) == "ghi");
    save(folder, 100, 'j');
    CHECK(folder.names() == std::set<std::string>{"model.safetensors"});
    CHECK(load(folder) == "jkl");
  }

  TEST_CASE("files of others are left alone") {
    const Folder folder;
    write_file(folder.file("adapter.safetensors"), "x");
    write_file(folder.file("model-best.safetensors"), "x");
    save(folder, 19, 'a');
    save(folder, 100, 'a');
    CHECK(folder.names().contains("adapter.safetensors"));
    CHECK(folder.names().contains("model-best.safetensors"));
  }

  TEST_CASE("old weights are intact until commit, and an abandoned save leaves nothing") {
    const Folder folder;
    save(folder, 19, 'a');
    const auto before = folder.names();
    {
      const auto writer = HfSafetensors({.max_shard_bytes = 19}).create(folder.path, kTensors);
      write_all(*writer, 'x');
      CHECK(load(folder) == "abc");
    }
    CHECK(folder.names() == before);
    CHECK(load(folder) == "abc");
  }

  TEST_CASE("a full disk fails with a reason and leaves the old weights") {
    const Folder folder;
    save(folder, 1000, 'a');
    {
      const testing::FullDisk disk(64);
      CHECK_THROWS_WITH_AS(save(folder, 1000, 'x'), doctest::Contains("File too large"), Error);
    }
    CHECK(load(folder) == "abc");
    CHECK(folder.names() == std::set<std::string>{"model.safetensors"});
  }

  TEST_CASE("too many, too few, repeated and misshapen tensors are refused") {
    const Folder folder;
    const HfSafetensors format({});
    {
      const auto writer = format.create(folder.path, kTensors);
      CHECK_THROWS_WITH_AS(writer->commit(), doctest::Contains("were not written"), Error);
      CHECK_THROWS_WITH_AS(
          writer->write({}), doctest::Contains("\"b.weight\": expected 16 bytes, got 0"), Error);
      write_all(*writer, 'a');
      CHECK_THROWS_WITH_AS(writer->write({}), doctest::Contains("more tensors are written"), Error);
    }
    CHECK_THROWS_WITH_AS(format.create(folder.path, {kTensors[0], kTensors[0]}),
                         doctest::Contains("stands twice"),
                         Error);
  }

  TEST_CASE("index and shards must agree") {
    const Folder folder;
    save(folder, 19, 'a');
    SUBCASE("a tensor is not in the index") {
      edit_index(folder, "a.weight", Value());
      refuse(folder, "tensor \"a.weight\" is not in the index");
    }
    SUBCASE("a tensor is not in its shard") {
      edit_index(folder, "d.weight", "model-00001-of-00002.safetensors");
      refuse(folder, "tensor \"d.weight\" is missing");
    }
    SUBCASE("a tensor is in another shard") {
      edit_index(folder, "a.weight", "model-00002-of-00002.safetensors");
      refuse(folder, "tensor \"a.weight\" is here, but");
    }
    SUBCASE("a shard is missing") {
      fs::remove(folder.file("model-00002-of-00002.safetensors"));
      refuse(folder,
             "shard model-00002-of-00002.safetensors is missing; the index puts 1 tensors into it");
    }
    SUBCASE("a shard is cut short") {
      fs::resize_file(folder.file("model-00002-of-00002.safetensors"), 100);
      refuse(folder, "model-00002-of-00002.safetensors");
    }
    SUBCASE("names that leave the folder") {
      for (const char* name :
           {"../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", ""}) {
        edit_index(folder, "a.weight", name);
        refuse(folder, "is refused");
      }
    }
    SUBCASE("a name that is not text") {
      edit_index(folder, "a.weight", 3);
      refuse(folder, "tensor \"a.weight\": expected a file name, got integer");
    }
    SUBCASE("no weight map") {
      write_file(folder.file("model.safetensors.index.json"), "{}");
      refuse(folder, "\"weight_map\" must be an object");
    }
    SUBCASE("no index: what a crash between two renames leaves") {
      fs::remove(folder.file("model.safetensors.index.json"));
      refuse(folder, "there are shards but no model.safetensors.index.json");
    }
  }

  TEST_CASE("a folder without weights is named") {
    const Folder folder;
    CHECK_FALSE(HfSafetensors({}).recognises(folder.path));
    refuse(folder, "neither model.safetensors nor");
    CHECK_THROWS_WITH_AS(HfSafetensors({}).open("/nowhere"),
                         doctest::Contains("/nowhere is not a folder"),
                         DataError);
  }
}
