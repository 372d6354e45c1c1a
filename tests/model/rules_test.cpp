// TensorRule: every operation and its inverse, and the joining of slices when a folder is written.
#include "mortise/names.hpp"
#include "mortise/torch/tensor_rules.hpp"
#include "mortise/weight_format.hpp"

#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

TensorRule rule_of(TensorRule::Op op) {
  TensorRule rule;
  rule.ours = "ours";
  rule.op = op;
  return rule;
}

/// Keeps what is written.
class MemoryFormat final : public WeightFormat {
 public:
  struct Written {
    StoredTensor info;
    std::vector<std::byte> bytes;
  };

  mutable std::vector<Written> written;

  bool recognises(const std::string&) const override { return true; }

  std::unique_ptr<WeightReader> open(const std::string&) const override {
    struct Reader final : WeightReader {
      std::vector<StoredTensor> infos;
      std::vector<std::vector<std::byte>> bytes;

      const std::vector<StoredTensor>& tensors() const override { return infos; }

      std::span<const std::byte> data(size_t index) const override { return bytes.at(index); }
    };

    auto reader = std::make_unique<Reader>();
    for (const Written& tensor : written) {
      reader->infos.push_back(tensor.info);
      reader->bytes.push_back(tensor.bytes);
    }
    return reader;
  }

  std::unique_ptr<WeightWriter> create(const std::string&,
                                       std::vector<StoredTensor> tensors) const override {
    struct Writer final : WeightWriter {
      const MemoryFormat* format;
      std::vector<StoredTensor> tensors;
      size_t next = 0;

      void write(std::span<const std::byte> bytes) override {
        format->written.push_back({tensors.at(next++), {bytes.begin(), bytes.end()}});
      }

      void commit() override { REQUIRE(next == tensors.size()); }
    };

    auto writer = std::make_unique<Writer>();
    writer->format = this;
    writer->tensors = std::move(tensors);
    return writer;
  }
};

/// The tiny LLaMA stored in another way: q, k, v of layer 0 fused, o transposed, gate's rows
/// permuted, layer norms stacked.
class Fused final : public Architecture {
 public:
  bool recognises(const Value&) const override { return false; }

  Value to_spec(const Value&) const override { return {}; }

  Value to_hf(const Value&) const override { return Value::table(); }

  std::string optional_prefix() const override { return "body."; }

  std::vector<TensorRule> names(const Value& spec) const override {
    std::vector<TensorRule> rules = make_named<Architecture>("llama")->names(spec);
    int64_t begin = 0;
    for (TensorRule& rule : rules) {
      for (const char* part : {"q_proj", "k_proj", "v_proj"})
        if (rule.ours == std::string("model.layers.0.self_attn.") + part + ".weight") {
          rule.op = TensorRule::Op::Slice;
          rule.theirs = {"fused"};
          rule.begin = begin;
          rule.sizes = {16};
          begin += 16;
        }
      if (rule.ours == "model.layers.0.self_attn.o_proj.weight")
        rule.op = TensorRule::Op::Transpose;
      if (rule.ours == "model.layers.0.mlp.gate_proj.weight") {
        rule.op = TensorRule::Op::Permute;
        rule.view = {2, 10, 16};
        rule.order = {1, 0, 2};
      }
      const std::string layer_1 = "model.layers.1.self_attn.";
      int64_t part = 0;
      for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
        if (rule.ours == layer_1 + name + ".weight") {  // [heads][q, k, v][head], and turned
          rule.op = TensorRule::Op::Slice;
          rule.theirs = {"body.interleaved"};
          rule.view = {16, 2, 3, 8};
          rule.dim = 2;
          rule.begin = part;
          rule.sizes = {1};
          rule.order = {1, 2, 3, 0};
          rule.shape = {16, 16};
          rule.stored = {16, 48};
        }
        ++part;
      }
      if (rule.ours == "model.norm.weight") {
        rule.op = TensorRule::Op::Concat;
        rule.theirs = {"norm.first", "norm.second"};
        rule.sizes = {10, 6};
      }
    }
    return rules;
  }
};

}  // namespace

TEST_SUITE("model.rules") {
  TEST_CASE("every operation is undone by its inverse") {
    const at::Tensor ours = at::arange(24, at::kFloat).view({4, 6});
    TensorRule rename = rule_of(TensorRule::Op::Rename), concat = rule_of(TensorRule::Op::Concat),
               stack = rule_of(TensorRule::Op::Stack);
    TensorRule transpose = rule_of(TensorRule::Op::Transpose),
               permute = rule_of(TensorRule::Op::Permute);
    concat.dim = 1;
    concat.sizes = {1, 5};
    stack.dim = 0;
    permute.view = {2, 2, 6};
    permute.order = {1, 0, 2};
    for (const TensorRule& rule : {rename, concat, stack, transpose, permute})
      CHECK(at::equal(ours_from(rule, theirs_from(rule, ours)), ours));
  }

  TEST_CASE("operations do what their names say") {
    TensorRule permute = rule_of(TensorRule::Op::Permute);
    permute.view = {2, 3};
    permute.order = {1, 0};
    CHECK(at::equal(ours_from(permute, {at::arange(6, at::kFloat)}),
                    at::tensor({0.f, 3.f, 1.f, 4.f, 2.f, 5.f})));
    TensorRule slice = rule_of(TensorRule::Op::Slice);
    slice.begin = 1;
    slice.sizes = {2};
    CHECK(at::equal(ours_from(slice, {at::arange(4, at::kFloat)}), at::tensor({1.f, 2.f})));
    // [2 heads][q, k][2], stored as 8 rows: the keys are rows 2, 3 and 6, 7
    slice.view = {2, 2, 2};
    slice.dim = 1;
    slice.sizes = {1};
    slice.shape = {4};
    CHECK(
        at::equal(ours_from(slice, {at::arange(8, at::kFloat)}), at::tensor({2.f, 3.f, 6.f, 7.f})));
    // columns 2 and 3, turned
    TensorRule columns = rule_of(TensorRule::Op::Slice);
    columns.dim = 1;
    columns.begin = 2;
    columns.sizes = {2};
    columns.order = {1, 0};
    CHECK(at::equal(ours_from(columns, {at::arange(8, at::kFloat).view({2, 4})}),
                    at::tensor({2.f, 6.f, 3.f, 7.f}).view({2, 2})));
  }

  TEST_CASE("a folder of fused, transposed, permuted and split tensors comes back") {
    const Value spec = tiny_llama_spec();
    const auto model = build_tiny(spec);
    const Fused architecture;
    const MemoryFormat format;
    const testing::TempDir temp;
    save_weights(*model, temp.path, format, architecture, spec, at::kFloat);
    const auto reread = LanguageModel::build(spec, host(), {});
    load_weights(*reread, *format.open(""), architecture, spec);
    const auto before = model->parameters(), after = reread->parameters();
    for (size_t i = 0; i < before.size(); ++i) {
      CAPTURE(before[i].name);
      CHECK(at::equal(before[i].tensor.detach(), after[i].tensor.detach()));
    }
    std::string names;
    for (const auto& tensor : format.written) names += tensor.info.name + " ";
    CHECK(names.find("fused") != std::string::npos);
    CHECK(names.find("norm.second") != std::string::npos);
    CHECK(names.find("layers.0.self_attn.q_proj") == std::string::npos);
    CHECK(names.find("body.interleaved") != std::string::npos);
    CHECK(names.find("layers.1.self_attn.q_proj") == std::string::npos);
  }

  TEST_CASE("names on disk may lack the optional prefix") {
    const Value spec = tiny_llama_spec();
    const auto model = build_tiny(spec);
    const Fused architecture;
    const MemoryFormat format;
    const testing::TempDir temp;
    save_weights(*model, temp.path, format, architecture, spec, at::kFloat);
    for (auto& tensor : format.written)
      if (tensor.info.name == "body.interleaved") tensor.info.name = "interleaved";
    const auto reread = LanguageModel::build(spec, host(), {});
    CHECK_NOTHROW(load_weights(*reread, *format.open(""), architecture, spec));
    for (auto& tensor : format.written)
      if (tensor.info.name == "interleaved") tensor.info.name = "other";
    const std::string message =
        message_of([&] { load_weights(*reread, *format.open(""), architecture, spec); });
    CHECK(message.find("body.interleaved") != std::string::npos);
  }

  TEST_CASE("a fused tensor of another shape is refused, although it has the right size") {
    const Value spec = tiny_llama_spec();
    const auto model = build_tiny(spec);
    const Fused architecture;
    const MemoryFormat format;
    const testing::TempDir temp;
    save_weights(*model, temp.path, format, architecture, spec, at::kFloat);
    for (auto& tensor : format.written)
      if (tensor.info.name == "body.interleaved") tensor.info.shape = {48, 16};
    const std::string message =
        message_of([&] { load_weights(*model, *format.open(""), architecture, spec); });
    CHECK(message.find("body.interleaved: expected [16, 48], the file has [48, 16]") !=
          std::string::npos);
  }

  TEST_CASE("slices that leave a gap are refused before anything is written") {
    struct Gap final : Architecture {
      bool recognises(const Value&) const override { return false; }

      Value to_spec(const Value&) const override { return {}; }

      Value to_hf(const Value&) const override { return Value::table(); }

      std::vector<TensorRule> names(const Value& spec) const override {
        std::vector<TensorRule> rules = Fused().names(spec);
        for (TensorRule& rule : rules)
          if (rule.ours == "model.layers.0.self_attn.v_proj.weight") rule.begin = 40;
        return rules;
      }
    };

    const Value spec = tiny_llama_spec();
    const auto model = build_tiny(spec);
    const MemoryFormat format;
    const testing::TempDir temp;
    const std::string message =
        message_of([&] { save_weights(*model, temp.path, format, Gap(), spec, at::kFloat); });
    CHECK(message.find("the slices of fused leave a gap or overlap") != std::string::npos);
    CHECK(format.written.empty());
  }

  TEST_CASE("patterns match runs of characters") {
    CHECK(matches("*rotary_emb.inv_freq", "model.layers.3.self_attn.rotary_emb.inv_freq"));
    CHECK(matches("a*c*e", "abcde"));
    CHECK(matches("a", "a"));
    CHECK(matches("*", ""));
    CHECK_FALSE(matches("a*c", "abcd"));
    CHECK_FALSE(matches("a", "ab"));
  }
}
