// Loading and saving: every mistake in a folder is named, and what was saved is what was loaded.
#include <cstring>

#include "mortise/torch/tensor_rules.hpp"
#include "mortise/weight_format.hpp"

#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;
namespace fs = std::filesystem;

namespace {

struct Stored {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

/// A reader over tensors in memory, so that tests can damage them one by one.
class MemoryReader final : public WeightReader {
 public:
  std::vector<Stored> entries;

  const std::vector<StoredTensor>& tensors() const override {
    infos_.clear();
    for (const Stored& entry : entries)
      infos_.push_back(
          {entry.name, entry.dtype, entry.shape, static_cast<int64_t>(entry.bytes.size())});
    return infos_;
  }

  std::span<const std::byte> data(size_t index) const override {
    return std::as_bytes(std::span(entries.at(index).bytes));
  }

  Stored& find(const std::string& name) {
    for (Stored& entry : entries)
      if (entry.name == name) return entry;
    FAIL("no tensor " << name);
    return entries.front();
  }

 private:
  mutable std::vector<StoredTensor> infos_;
};

MemoryReader read_golden(const std::string& name) {
  MemoryReader reader;
  const OpenWeights weights = open_weights(golden_folder(name), host(), catalog());
  for (size_t i = 0; i < weights.reader->tensors().size(); ++i) {
    const StoredTensor& stored = weights.reader->tensors()[i];
    const auto bytes = weights.reader->data(i);
    reader.entries.push_back(
        {stored.name,
         stored.dtype,
         stored.shape,
         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  }
  return reader;
}

std::string load_message(const std::string& name, const MemoryReader& reader) {
  const ForeignModel foreign = read_foreign_model(golden_folder(name), host(), catalog());
  const auto model = LanguageModel::build(foreign.spec, host(), {});
  return message_of([&] { load_weights(*model, reader, *foreign.architecture, foreign.spec); });
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("model.load") {
  TEST_CASE("missing, unexpected, misshapen and mistyped tensors are told all at once") {
    MemoryReader reader = read_golden("gqa_head_dim");
    REQUIRE(load_message("gqa_head_dim", reader).empty());
    reader.find("model.layers.1.self_attn.q_proj.weight").name =
        "model.layers.1.self_attn.q_prj.weight";
    reader.find("model.norm.weight").shape = {12, 2};
    reader.find("lm_head.weight").dtype = Dtype::I32;
    reader.entries.push_back({"model.extra", Dtype::F32, {1}, std::string(4, '\0')});
    const std::string message = load_message("gqa_head_dim", reader);
    CHECK(contains(message,
                   "missing (1):\n    model.layers.1.self_attn.q_proj.weight (the file has "
                   "model.layers.1.self_attn.q_prj.weight)"));
    CHECK(contains(message, "unexpected (2)"));
    CHECK(contains(message, "model.extra"));
    CHECK(contains(message,
                   "misshapen (1):\n    model.norm.weight: expected [24], the file has [12, 2]"));
    CHECK(contains(message, "lm_head.weight: I32"));
  }

  TEST_CASE("a long list is cut and counted") {
    MemoryReader reader = read_golden("gqa_head_dim");
    reader.entries.clear();
    const std::string message = load_message("gqa_head_dim", reader);
    CHECK(contains(message, "missing (30)"));
    CHECK(contains(message, "… and 22 more"));
  }

  TEST_CASE("known leftovers are ignored") {
    MemoryReader reader = read_golden("gqa_head_dim");
    reader.entries.push_back(
        {"model.layers.0.self_attn.rotary_emb.inv_freq", Dtype::F32, {1}, std::string(4, '\0')});
    CHECK(load_message("gqa_head_dim", reader).empty());
  }

  TEST_CASE("a tied tensor that is stored twice must agree with itself") {
    MemoryReader reader = read_golden("tied_mha");
    Stored copy = reader.find("model.embed_tokens.weight");
    copy.name = "lm_head.weight";
    reader.entries.push_back(copy);
    CHECK(load_message("tied_mha", reader).empty());
    reader.entries.back().bytes[3] ^= 1;
    CHECK(contains(load_message("tied_mha", reader),
                   "lm_head.weight and model.embed_tokens.weight are tied"));
  }

  TEST_CASE("bfloat16 files fill an fp32 model") {
    MemoryReader reader = read_golden("gqa_head_dim");
    Stored& norm = reader.find("model.norm.weight");
    norm.dtype = Dtype::BF16;
    norm.bytes.clear();
    for (int i = 0; i < 24; ++i) norm.bytes += std::string("\x40\x40", 2);  // 0x4040 = 3.0
    const ForeignModel foreign =
        read_foreign_model(golden_folder("gqa_head_dim"), host(), catalog());
    const auto model = LanguageModel::build(foreign.spec, host(), {});
    load_weights(*model, reader, *foreign.architecture, foreign.spec);
    for (const NamedTensor& parameter : model->parameters())
      if (parameter.name == "model.norm.weight")
        CHECK(at::equal(parameter.tensor.detach(), at::full({24}, 3.0f)));
  }

  TEST_CASE(
      "a folder that is no model, or of another architecture, is refused with what was tried") {
    const testing::TempDir temp;
    CHECK(contains(message_of([&] { open_model(temp.path, host(), catalog()); }),
                   "is no model: expected config.json"));
    CHECK(contains(message_of([&] { open_model(temp.path + "/absent", host(), catalog()); }),
                   "there is no such folder"));
    write_file(temp.path + "/config.json", R"({"model_type": "no_such"})");
    CHECK(contains(message_of([&] { open_model(temp.path, host(), catalog()); }),
                   "(model_type \"no_such\"); tried: gpt2, gpt_neox, llama"));
    fs::copy_file(golden_folder("tied_mha") + "/config.json",
                  temp.path + "/config.json",
                  fs::copy_options::overwrite_existing);
    CHECK(contains(message_of([&] { open_model(temp.path, host(), catalog()); }),
                   "no weights were found"));
  }

  TEST_CASE("a tokenizer larger than the vocabulary is refused") {
    const testing::TempDir temp;
    fs::copy(golden_folder("tied_mha"),
             temp.path,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    fs::copy_file(std::string(MORTISE_SOURCE_DIR) + "/tests/golden/tokenizer/gpt2/tokenizer.json",
                  temp.path + "/tokenizer.json");
    CHECK(contains(message_of([&] { open_model(temp.path, host(), catalog()); }),
                   "tokens, and the model knows only 101"));
  }
}

TEST_SUITE("model.save") {
  TEST_CASE("loading and saving gives back the same bytes") {
    for (const char* name : {"gqa_head_dim", "tied_mha", "llama3_rope_bias"}) {
      CAPTURE(name);
      const testing::TempDir temp;
      const OpenedModel opened = open_golden(name);
      const auto architecture = make_named<Architecture>("llama");
      const auto format = make_named<WeightFormat>("hf_safetensors");
      save_weights(*opened.model, temp.path, *format, *architecture, opened.spec, at::kFloat);
      CHECK((read_file(temp.path + "/model.safetensors") ==
             read_file(golden_folder(name) + "/model.safetensors")));
      // and once more, from what was written
      const testing::TempDir again;
      const OpenedModel reread = open_model(temp.path, host(), catalog());
      CHECK(reread.spec == opened.spec);
      save_weights(*reread.model, again.path, *format, *architecture, reread.spec, at::kFloat);
      CHECK((read_file(again.path + "/model.safetensors") ==
             read_file(temp.path + "/model.safetensors")));
      CHECK(read_file(again.path + "/config.json") == read_file(temp.path + "/config.json"));
    }
  }

  TEST_CASE("shards load, and save as one file with the same tensors") {
    const testing::TempDir temp;
    const OpenedModel opened = open_golden("sharded");
    const auto architecture = make_named<Architecture>("llama");
    save_weights(*opened.model,
                 temp.path,
                 *make_named<WeightFormat>("hf_safetensors"),
                 *architecture,
                 opened.spec,
                 at::kFloat);
    const auto written = read_tensors(temp.path + "/model.safetensors");
    size_t compared = 0;
    for (const char* shard :
         {"/model-00001-of-00002.safetensors", "/model-00002-of-00002.safetensors"})
      for (const auto& [tensor, value] : read_tensors(golden_folder("sharded") + shard)) {
        CHECK(at::equal(written.at(tensor), value));
        ++compared;
      }
    CHECK(compared == written.size());
  }
}
