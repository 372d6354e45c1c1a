// Adapters on whole models: the same logits as the Python library peft, in files of its layout;
// with recompute and packing; merged and not.
#include <cstdlib>
#include <filesystem>

#include "mortise/torch/adapter_tools.hpp"

#include "core/engine/export/export_model.hpp"
#include "core/engine/generate/generator.hpp"
#include "core/engine/model/adapter_set.hpp"
#include "core/engine/model/adapters.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

const std::vector<std::string> kCases = {
    "lora", "rslora", "dora", "ia3", "prefix", "prefix_projection", "prompt"};

std::string adapter_folder(const std::string& name) {
  return std::string(MORTISE_SOURCE_DIR) + "/tests/golden/adapters/" + name;
}

OpenedModel open_base(const std::string& name) {
  const Value facts = parse_json(read_file(adapter_folder(name) + "/expected.json"));
  return open_golden(facts.at("base").as_string());
}

at::Tensor logits_of(LanguageModel& model, const at::Tensor& ids_BT) {
  const at::NoGradGuard no_grad;
  model.train(false);
  return model.head().logits(model.forward(plain_batch(ids_BT)).hidden_BTD);
}

Value table_of(const char* json) { return parse_json(json); }

/// A small model with an adapter whose parameters are all away from their start.
std::shared_ptr<LanguageModel> adapted(const Value& table, bool recompute = false) {
  auto model = build_tiny(tiny_spec(), /*seed=*/3, /*std=*/0.3);
  attach_adapter(*model, table, host(), {}, /*is_sample=*/false);
  start_adapter(*model, &table, nullptr, /*seed=*/5, /*std=*/0.3);
  at::manual_seed(7);
  const at::NoGradGuard no_grad;
  for (NamedTensor& tensor : model->parameters())
    if (!model->is_base(tensor.name)) tensor.tensor.add_(at::randn(tensor.tensor.sizes()) * 0.3);
  if (recompute) {
    Value config = Value::table();
    config["type"] = "recompute";
    model->wrap_units(std::shared_ptr<Parallel>(make<Parallel>(host(), config, {3})));
  }
  return model;
}

/// Documents of these lengths in one row.
TokenBatch packed(const at::Tensor& ids_1T, const std::vector<int64_t>& lengths) {
  TokenBatch batch;
  batch.ids_BT = ids_1T;
  std::vector<at::Tensor> positions, segments;
  std::vector<int64_t> borders = {0};
  for (size_t i = 0; i < lengths.size(); ++i) {
    positions.push_back(at::arange(lengths[i]));
    segments.push_back(at::full({lengths[i]}, static_cast<int64_t>(i) + 1, at::kInt));
    borders.push_back(borders.back() + lengths[i]);
  }
  batch.positions_BT = at::cat(positions).unsqueeze(0);
  batch.segments_BT = at::cat(segments).unsqueeze(0);
  batch.offsets_S = at::tensor(borders, at::kLong);
  return batch;
}

std::map<std::string, at::Tensor> gradients(LanguageModel& model) {
  std::map<std::string, at::Tensor> all;
  for (NamedTensor& tensor : model.parameters()) {
    if (tensor.tensor.grad().defined()) all[tensor.name] = tensor.tensor.grad().clone();
    tensor.tensor.mutable_grad().reset();
  }
  return all;
}

at::Tensor ids_of(int64_t rows, int64_t tokens) {
  at::manual_seed(11);
  return at::randint(0, 40, {rows, tokens}, at::kLong);
}

constexpr const char* kLora =
    R"({"type": "lora", "rank": 3, "dropout": 0.2, "targets": ["q_proj", "v_proj", "down_proj"]})";
constexpr const char* kDora =
    R"({"type": "lora", "rank": 3, "use_dora": true, "targets": ["q_proj", "o_proj", "up_proj"]})";
constexpr const char* kIa3 = R"({"type": "ia3"})";
// As they are written for other programs: every kind of projection, no dropout.
constexpr const char* kWritten =
    R"({"type": "lora", "rank": 3, "targets": ["q_proj", "k_proj", "v_proj", "o_proj"]})";
constexpr const char* kIa3Written =
    R"({"type": "ia3", "targets": ["k_proj", "v_proj"], "feedforward": []})";
constexpr const char* kPrefixWritten = R"({"type": "prefix", "tokens": 2})";
constexpr const char* kPrefix = R"({"type": "prefix", "tokens": 4})";
constexpr const char* kProjected =
    R"({"type": "prefix", "tokens": 4, "projection": true, "hidden": 6})";
constexpr const char* kPrompt = R"({"type": "prompt", "tokens": 3})";

}  // namespace

TEST_SUITE("model.adapter") {
  TEST_CASE("a folder that peft wrote gives peft's logits") {
    for (const std::string& name : kCases) {
      CAPTURE(name);
      const auto expected = read_tensors(adapter_folder(name) + "/expected.safetensors");
      const OpenedModel opened = open_base(name);
      MORTISE_CHECK_CLOSE(
          logits_of(*opened.model, expected.at("ids")), expected.at("base"), 1e-5, 1e-5);
      open_adapter(*opened.model, opened.spec, adapter_folder(name), host(), catalog());
      MORTISE_CHECK_CLOSE(
          logits_of(*opened.model, expected.at("ids")), expected.at("logits"), 2e-5, 2e-5);
      if (!opened.model->adapter()->can_merge()) continue;
      opened.model->adapter()->merge();
      MORTISE_CHECK_CLOSE(
          logits_of(*opened.model, expected.at("ids")), expected.at("merged"), 2e-5, 2e-5);
    }
  }

  TEST_CASE("what is written again is the same adapter, with peft's names") {
    for (const std::string& name : kCases) {
      CAPTURE(name);
      const testing::TempDir temp;
      const OpenedModel first = open_base(name), second = open_base(name);
      open_adapter(*first.model, first.spec, adapter_folder(name), host(), catalog());
      save_adapter(*first.model->adapter(), temp.path + "/again", "base");
      const auto theirs = read_tensors(adapter_folder(name) + "/adapter_model.safetensors"),
                 ours = read_tensors(temp.path + "/again/adapter_model.safetensors");
      REQUIRE(ours.size() == theirs.size());
      for (const auto& [tensor, values] : theirs) {
        CAPTURE(tensor);
        REQUIRE(ours.contains(tensor));
        CHECK(at::equal(ours.at(tensor), values));
      }
      if (const char* out = std::getenv("MORTISE_ADAPTERS_OUT"))  // adapter_in_peft.sh
        save_adapter(*first.model->adapter(), std::string(out) + "/" + name, "base");
      open_adapter(*second.model, second.spec, temp.path + "/again", host(), catalog());
      const auto expected = read_tensors(adapter_folder(name) + "/expected.safetensors");
      CHECK(at::equal(logits_of(*second.model, expected.at("ids")),
                      logits_of(*first.model, expected.at("ids"))));
    }
  }

  TEST_CASE("adapters over models of every architecture are the same when written and read again") {
    const std::vector<std::string> with_projections = {"mistral", "qwen2", "qwen3", "mixtral_top2"},
                                   fused = {"gpt2", "gpt_neox"};
    std::vector<std::pair<std::string, const char*>> pairs;
    for (const std::string& base : with_projections)
      for (const char* json : {kWritten, kIa3Written}) pairs.emplace_back(base, json);
    for (const auto* bases : {&with_projections, &fused})
      for (const std::string& base : *bases)
        for (const char* json : {kPrefixWritten, kPrompt}) pairs.emplace_back(base, json);
    for (const auto& [base, json] : pairs) {
      const Value table = table_of(json);
      const std::string name = fmt::format("{}_over_{}", table.at("type").as_string(), base);
      CAPTURE(name);
      const testing::TempDir temp;
      const OpenedModel first = open_golden(base), second = open_golden(base);
      const at::Tensor ids = ids_of(1, 9), before = logits_of(*first.model, ids);
      attach_adapter(*first.model, table, host(), {}, /*is_sample=*/false);
      start_adapter(*first.model, &table, nullptr, /*seed=*/5, /*std=*/0.3);
      at::manual_seed(7);
      const at::NoGradGuard no_grad;
      for (NamedTensor& tensor : first.model->parameters())
        if (!first.model->is_base(tensor.name))
          tensor.tensor.add_(at::randn(tensor.tensor.sizes()) * 0.1);
      save_adapter(*first.model->adapter(), temp.path + "/again", base);
      if (const char* out = std::getenv("MORTISE_ADAPTERS_OUT"))  // adapter_in_peft.sh
        save_adapter(*first.model->adapter(), std::string(out) + "/" + name, base);
      open_adapter(*second.model, second.spec, temp.path + "/again", host(), catalog());
      CHECK(at::equal(logits_of(*second.model, ids), logits_of(*first.model, ids)));
      CHECK_FALSE(at::equal(logits_of(*first.model, ids), before));
    }
  }

  TEST_CASE("an adapter made for another base is refused with names and shapes") {
    const OpenedModel other = open_golden("tied_mha");
    const std::string message = message_of(
        [&] { open_adapter(*other.model, other.spec, adapter_folder("lora"), host(), catalog()); });
    CHECK(message.find("was made for another base model") != std::string::npos);
    CHECK(message.find("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight: this model "
                       "needs [4, ") != std::string::npos);
    const OpenedModel prefixed = open_golden("tied_mha");
    CHECK(message_of([&] {
            open_adapter(
                *prefixed.model, prefixed.spec, adapter_folder("prefix"), host(), catalog());
          }).find("prompt_embeddings: this model needs [5, ") != std::string::npos);
  }

  TEST_CASE("an adapter is refused where an attention lacks what it needs, as in a recipe") {
    // The built plugins, and among them an attention that takes no prefix.
    const testing::TempDir temp;
    const std::string gqa = "org.mortise.attention.gqa";
    for (const auto& entry : std::filesystem::directory_iterator(plugin_folder()))
      if (entry.path().filename() != gqa)
        std::filesystem::create_symlink(entry.path(),
                                        temp.path + "/" + entry.path().filename().string());
    std::string manifest = read_file(fmt::format("{}/{}/plugin.toml", plugin_folder(), gqa));
    const std::string provided = "\"name\": \"prefix\"";
    REQUIRE(manifest.find(provided) != std::string::npos);
    manifest.replace(manifest.find(provided), provided.size(), "\"name\": \"suffix\"");
    std::filesystem::create_directory(temp.path + "/" + gqa);
    write_file(fmt::format("{}/{}/plugin.toml", temp.path, gqa), manifest);
    const Catalog lacking = Catalog::discover({{temp.path}});
    const auto opened_with = [&](const char* name, const Catalog& plugins) {
      const OpenedModel base = open_base(name);
      AdapterSet set(base, host(), plugins);
      return message_of([&] { set.load("mine", adapter_folder(name)); });
    };
    const std::string message = opened_with("prefix", lacking);
    CAPTURE(message);
    CHECK(message.find("adapters/prefix/adapter_config.json: [adapter] \"prefix\" needs the "
                       "capability `prefix`, which [model.layer.") != std::string::npos);
    CHECK(message.find(".attention] \"gqa\" lacks") != std::string::npos);
    CHECK(message.find("while loading the adapter \"mine\"") != std::string::npos);
    CHECK(opened_with("prefix", catalog()).empty());
    CHECK(opened_with("lora", lacking).empty());
    CHECK(opened_with("prompt", lacking).empty());  // "unpacked" is of a batch, not of an attention
  }

  TEST_CASE("lora and ia3 start from the base's own bits of output") {
    const at::Tensor ids = ids_of(2, 9);
    auto bare = build_tiny(tiny_spec(), 3, 0.3);
    for (const char* json : {kLora, kIa3}) {
      CAPTURE(json);
      auto model = build_tiny(tiny_spec(), 3, 0.3);
      const Value table = table_of(json);
      attach_adapter(*model, table, host(), {}, false);
      start_adapter(*model, &table, nullptr, 5, 0.3);
      CHECK(at::equal(logits_of(*model, ids), logits_of(*bare, ids)));
    }
  }

  TEST_CASE("recompute gives the same gradient bits, dropout and prefix included") {
    for (const char* json : {kLora, kDora, kIa3, kPrefix, kProjected}) {
      CAPTURE(json);
      const TokenBatch batch = packed(ids_of(1, 14), {5, 6, 3});
      std::map<std::string, at::Tensor> found[2];
      for (const bool recompute : {false, true}) {
        const auto model = adapted(table_of(json), recompute);
        model->train(true);
        at::manual_seed(21);
        model->forward(batch).hidden_BTD.square().sum().backward();
        found[recompute] = gradients(*model);
      }
      REQUIRE(!found[0].empty());
      REQUIRE(found[0].size() == found[1].size());
      for (const auto& [name, gradient] : found[0]) {
        CAPTURE(name);
        CHECK(name.find("self_attn.q_proj.weight") == std::string::npos);  // the base is frozen
        CHECK(at::equal(gradient, found[1].at(name)));
      }
    }
  }

  TEST_CASE(
      "packed documents under recompute equal each document alone without: values and gradients") {
    for (const char* json : {kPrefix, kProjected, kDora}) {
      CAPTURE(json);
      const at::Tensor ids = ids_of(1, 14);
      const std::vector<int64_t> lengths = {5, 6, 3};
      const auto together = adapted(table_of(json), /*recompute=*/true),
                 alone = adapted(table_of(json));
      const at::Tensor hidden = together->forward(packed(ids, lengths)).hidden_BTD;
      (hidden * at::linspace(-1, 2, hidden.numel()).view_as(hidden)).sum().backward();
      int64_t begin = 0;
      std::vector<at::Tensor> parts;
      for (const int64_t length : lengths) {
        parts.push_back(alone->forward(plain_batch(ids.narrow(1, begin, length))).hidden_BTD);
        begin += length;
      }
      const at::Tensor apart = at::cat(parts, 1);
      (apart * at::linspace(-1, 2, apart.numel()).view_as(apart)).sum().backward();
      MORTISE_CHECK_CLOSE(hidden, apart, 1e-5, 1e-5);
      const auto packed_gradients = gradients(*together), expected = gradients(*alone);
      REQUIRE(packed_gradients.size() == expected.size());
      for (const auto& [name, gradient] : expected) {
        CAPTURE(name);
        MORTISE_CHECK_CLOSE(packed_gradients.at(name), gradient, 1e-4, 1e-4);
      }
    }
  }

  TEST_CASE("merged equals unmerged, and the report says by how much") {
    for (const char* json : {kLora, kDora, kIa3}) {
      CAPTURE(json);
      const auto model = adapted(table_of(json));
      const Agreement report = merge_adapter(*model, 4);
      CHECK(report.relative < 1e-5);
      CHECK(report.kl < 1e-8);
      CHECK(report.top1 > 0.99);
      CHECK(report.tokens == 4 * 32);
    }
    const auto prefixed = adapted(table_of(kPrefix));
    CHECK(message_of([&] { merge_adapter(*prefixed, 1); }).find("cannot be merged") !=
          std::string::npos);
  }

  TEST_CASE("the report tells two models apart") {
    const at::Tensor a = at::tensor({2.0f, 0.0f, 0.0f, 2.0f}).view({2, 2}),
                     b = at::tensor({0.0f, 2.0f, 0.0f, 2.0f}).view({2, 2});
    const Agreement report = agreement(a, b);
    CHECK(report.max_difference == doctest::Approx(2));
    CHECK(report.top1 == doctest::Approx(0.5));
    // p = σ(±2): KL = 2·(2p − 1) for the first row, 0 for the second
    const double p = 1 / (1 + std::exp(-2.0));
    CHECK(report.kl == doctest::Approx((2 * p - 1)));
  }

  TEST_CASE("a prefix from a prompt goes on as the base does after that prompt") {
    const at::Tensor prompt = ids_of(1, 4), text = ids_of(1, 13).narrow(1, 4, 9);
    auto base = build_tiny(tiny_spec(), 3, 0.3);
    const at::Tensor expected = logits_of(*base, at::cat({prompt, text}, 1)).narrow(1, 4, 9);
    for (const char* json : {kPrefix, R"({"type": "prompt", "tokens": 4})"}) {
      CAPTURE(json);
      auto model = build_tiny(tiny_spec(), 3, 0.3);
      const Value table = table_of(json);
      attach_adapter(*model, table, host(), {}, false);
      start_adapter(*model, &table, nullptr, 5, 0.3);
      model->start_adapter_from(prompt);
      MORTISE_CHECK_CLOSE(logits_of(*model, text), expected, 1e-5, 1e-5);
    }
  }

  TEST_CASE("cached tokens equal the whole text at once, after a prefix and after virtual tokens") {
    const at::Tensor ids = ids_of(1, 10);
    for (const char* json : {kPrefix, kPrompt, kLora}) {
      CAPTURE(json);
      const auto model = adapted(table_of(json));
      const at::Tensor whole = logits_of(*model, ids);
      const at::NoGradGuard no_grad;
      KvCache cache(model->num_layers(), 16);
      std::vector<at::Tensor> parts;
      for (int64_t begin = 0; begin < 10;) {
        const int64_t count = begin == 0 ? 4 : begin == 4 ? 1 : 5;
        TokenBatch batch = plain_batch(ids.narrow(1, begin, count));
        batch.positions_BT = batch.positions_BT + cache.length();
        batch.cache = &cache;
        parts.push_back(model->forward(batch).hidden_BTD);
        begin += count;
      }
      MORTISE_CHECK_CLOSE(model->head().logits(at::cat(parts, 1)), whole, 1e-5, 1e-5);
    }
  }

  TEST_CASE("generation counts virtual tokens against the longest sequence") {
    const auto model = adapted(table_of(kPrompt));
    GenerateOptions options;
    options.max_new_tokens = 100;
    const auto out = generate(*model, {{1, 2, 3, 4}}, options);
    CHECK(out.at(0).ids.size() == 32 - 4 - 3);
    CHECK(out.at(0).finish == Finish::Context);
  }

  TEST_CASE("what the adapter adds is no part of the base, and only that is filled by its start") {
    const auto model = adapted(table_of(kLora));
    CHECK(model->base_tensors().size() == build_tiny(tiny_spec())->tensors().size());
    for (const NamedTensor& tensor : model->parameters())
      CHECK(tensor.tensor.requires_grad() == !model->is_base(tensor.name));
    CHECK(message_of([&] {
            attach_adapter(*model, table_of(kIa3), host(), {}, false);
          }).find("has an adapter already") != std::string::npos);
  }

  TEST_CASE("targets that match nothing list near names; a file of no known kind is refused") {
    auto model = build_tiny(tiny_spec());
    CHECK(message_of([&] {
            attach_adapter(
                *model, table_of(R"({"type": "lora", "targets": ["k_prj"]})"), host(), {}, false);
          }).find("did you mean \"k_proj\"?") != std::string::npos);
    const testing::TempDir temp;
    write_file(temp.path + "/adapter_config.json", R"({"peft_type": "OFT"})");
    CHECK(message_of([&] {
            open_adapter(*model, tiny_spec(), temp.path, host(), catalog());
          }).find("no adapter plugin reads peft_type OFT") != std::string::npos);
  }

  TEST_CASE("several adapters over one base: each gives the bits that it gives alone") {
    const char* first = "";  // of those that share a base
    SUBCASE("LoRA, prefix and prompt") { first = "lora"; }
    SUBCASE("DoRA, rsLoRA and IA3") { first = "dora"; }
    const OpenedModel opened = open_base(first);
    const at::Tensor ids = ids_of(2, 9), base = logits_of(*opened.model, ids);
    AdapterSet set(opened, host(), catalog());
    std::map<std::string, at::Tensor> alone;
    for (const std::string& name : kCases) {
      const OpenedModel single = open_base(name);
      if (single.weights != opened.weights) continue;
      open_adapter(*single.model, single.spec, adapter_folder(name), host(), catalog());
      alone[name] = logits_of(*single.model, ids);
      CHECK_FALSE(at::equal(alone[name], base));
      set.load(name, adapter_folder(name));
    }
    REQUIRE(alone.size() >= 3);
    for (int round = 0; round < 2; ++round)  // what was used before leaves nothing behind
      for (const auto& [name, logits] : alone) {
        CAPTURE(name);
        CHECK(at::equal(logits_of(set.use(name), ids), logits));
        CHECK(at::equal(logits_of(set.use(""), ids), base));
      }
    const std::vector<NamedTensor> ours = opened.model->tensors(),
                                   theirs = set.use(first).base_tensors();
    REQUIRE(ours.size() == theirs.size());
    for (size_t i = 0; i < ours.size(); ++i)
      CHECK(ours[i].tensor.data_ptr() == theirs[i].tensor.data_ptr());
  }

  TEST_CASE("adapters are chosen by name, and what cannot be chosen is told") {
    const OpenedModel opened = open_base("lora");
    const std::string dir = adapter_folder("lora"), other = adapter_folder("prefix");
    const auto chosen = [&](const char* adapter, const char* use) {
      AdapterSet set(opened, host(), catalog());
      Value options = parse_json(fmt::format(fmt::runtime(adapter), dir, other));
      if (*use != '\0') options["use"] = use;
      return choose_adapter(set, options).has_adapter();
    };
    constexpr const char *kNone = "{{}}", *kOne = R"({{"adapter": ["{0}"]}})",
                         *kText = R"({{"adapter": "{0}"}})",
                         *kTwo = R"({{"adapter": ["a={0}", "b={1}"]}})";
    CHECK_FALSE(chosen(kNone, ""));
    CHECK(chosen(kOne, ""));
    CHECK(chosen(kText, ""));
    CHECK(chosen(kTwo, "b"));
    CHECK_FALSE(chosen(kTwo, "none"));
    CHECK(message_of([&] {
            chosen(kTwo, "");
          }).find("2 adapters are loaded, and none is chosen: a, b") != std::string::npos);
    CHECK(message_of([&] {
            chosen(kTwo, "c");
          }).find("no adapter is called \"c\"; there are: a, b") != std::string::npos);
    CHECK(message_of([&] {
            chosen(R"({{"adapter": ["a={0}", "a={1}"]}})", "a");
          }).find("two adapters are called \"a\"") != std::string::npos);
    CHECK(message_of([&] {
            chosen(R"({{"adapter": ["none={0}"]}})", "");
          }).find("means the base") != std::string::npos);
    CHECK(message_of([&] {
            chosen(R"({{"adapter": ["a={0}/none"]}})", "");
          }).find("while loading the adapter \"a\"") != std::string::npos);
    open_adapter(*opened.model, opened.spec, dir, host(), catalog());
    CHECK(message_of([&] { chosen(kOne, ""); }).find("has an adapter already") !=
          std::string::npos);
  }

  TEST_CASE("an interrupted write leaves no folder, and nothing is overwritten") {
    const testing::TempDir temp;
    const auto model = adapted(table_of(kLora));
    save_adapter(*model->adapter(), temp.path + "/a", "");
    CHECK(!std::filesystem::exists(temp.path + "/a.part"));
    CHECK(message_of([&] {
            save_adapter(*model->adapter(), temp.path + "/a", "");
          }).find("is not empty") != std::string::npos);
  }
}
