// Building, counting and first values.
#include "core/engine/generate/generator.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

TEST_SUITE("model.build") {
  TEST_CASE("layer tables are stacked by order and repeat") {
    const auto model = build_tiny(tiny_spec());
    REQUIRE(model->num_layers() == 3);
    CHECK(model->layer_table(0) == "early");
    CHECK(model->layer_table(2) == "late");
    const auto parameters = model->parameters();
    CHECK(parameters.front().name == "model.embed_tokens.weight");
    CHECK(parameters.back().name == "model.norm.weight");
    CHECK(parameters[1].name == "model.layers.0.input_layernorm.weight");
    REQUIRE(model->ties().size() == 1);
    CHECK(model->ties()[0].first == "lm_head.weight");
  }

  TEST_CASE("the meta device counts without memory") {
    BuildContext build;
    build.device = at::kMeta;
    Value spec = tiny_spec(/*tied=*/false);
    spec["vocab"] = 1000000;
    const auto model = LanguageModel::build(spec, host(), build);
    std::map<std::string, PartSize> parts;
    for (const PartSize& part : count_parameters(*model)) parts[part.part] = part;
    CHECK(parts.at("model.embedding").parameters == 16000000);
    CHECK(parts.at("model.head").parameters == 16000000);
    CHECK(parts.at("model.norm").parameters == 16);
    // early: norms 2·16, q k v o 4·16·16, ffn 3·16·20, twice
    CHECK(parts.at("model.layer.early").parameters == 2 * (32 + 4 * 256 + 3 * 320));
    CHECK(parts.at("model.layer.early").units == 2);
    // late: k and v have two of four heads
    CHECK(parts.at("model.layer.late").parameters == 32 + 2 * 256 + 2 * 128 + 3 * 384);
  }

  TEST_CASE("a mistake names the table in which it stands") {
    Value spec = tiny_spec();
    spec["layer"]["late"]["attention"]["kv_heads"] = 3;
    const std::string message = message_of([&] { build_tiny(spec); });
    CHECK(message.find("kv_heads must divide heads, got 3 and 4") != std::string::npos);
    CHECK(message.find("while building [model.layer.late], layer 2") != std::string::npos);
    spec = tiny_spec();
    spec["norm"]["type"] = "nothing";
    CHECK(message_of([&] { build_tiny(spec); }).find("nothing") != std::string::npos);
    spec = tiny_spec();
    spec["vocab"] = 0;
    CHECK(message_of([&] { build_tiny(spec); }).find("model.vocab must be set") !=
          std::string::npos);
    spec = tiny_spec();
    spec["layer"] = Value::table();
    CHECK(message_of([&] { build_tiny(spec); }).find("[model.layer.NAME]") != std::string::npos);
  }

  TEST_CASE("ids outside the vocabulary and positions beyond the context are refused") {
    const auto model = build_tiny(tiny_spec());
    const auto run = [&](const at::Tensor& ids) {
      return message_of([&] { model->forward(plain_batch(ids)); });
    };
    CHECK(run(at::tensor({1, 40}, at::kLong).unsqueeze(0))
              .find("token id 40 is outside the model's vocabulary of 40") != std::string::npos);
    CHECK(run(at::tensor({1, -1}, at::kLong).unsqueeze(0)).find("token id -1") !=
          std::string::npos);
    CHECK(run(at::zeros({1, 33}, at::kLong))
              .find("reaches 33 tokens, and the model was made for 32") != std::string::npos);
    CHECK(run(at::zeros({1, 32}, at::kLong)).empty());
  }
}

TEST_SUITE("model.initialise") {
  TEST_CASE("values depend on seed and path only") {
    const auto a = build_tiny(tiny_spec(), 7), b = build_tiny(tiny_spec(), 7),
               c = build_tiny(tiny_spec(), 8);
    const auto of = [](const LanguageModel& model, size_t i) {
      return model.parameters()[i].tensor.detach();
    };
    for (size_t i = 0; i < a->parameters().size(); ++i) CHECK(at::equal(of(*a, i), of(*b, i)));
    CHECK_FALSE(at::equal(of(*a, 0), of(*c, 0)));
    // the second of two equal layers has another path, hence other values
    CHECK_FALSE(at::equal(of(*a, 2), of(*a, 11)));
  }

  TEST_CASE("normal values have the wanted moments; norms are ones") {
    Value spec = tiny_llama_spec();
    spec["vocab"] = 20001;  // not a multiple of the batch
    const auto model = build_tiny(spec, 1, 0.02);
    const at::Tensor table = model->parameters()[0].tensor.detach().to(at::kDouble) / 0.02;
    CHECK(std::abs(table.mean().item<double>()) < 0.01);
    CHECK(table.std().item<double>() == doctest::Approx(1).epsilon(0.01));
    CHECK(table.pow(4).mean().item<double>() == doctest::Approx(3).epsilon(0.03));
    CHECK(table.abs().max().item<double>() < 6.1);
    // neighbours are independent, also across the borders of blocks
    const at::Tensor flat = table.flatten();
    const int64_t n = flat.numel();
    CHECK(std::abs((flat.narrow(0, 0, n - 1) * flat.narrow(0, 1, n - 1)).mean().item<double>()) <
          0.01);
    CHECK(std::abs((flat.narrow(0, 0, n - 2) * flat.narrow(0, 2, n - 2)).mean().item<double>()) <
          0.01);
    CHECK(at::equal(model->parameters()[1].tensor.detach(), at::ones({16})));
  }

  TEST_CASE("projections into the residual stream are scaled down by depth") {
    Value spec = tiny_llama_spec();
    spec["width"] = 128;
    auto model = LanguageModel::build(spec, host(), {});
    initialise(*model, 1, 0.02, /*scale_residual=*/true);
    for (const NamedTensor& parameter : model->parameters()) {
      if (parameter.name.find("o_proj") == std::string::npos) continue;
      CHECK(parameter.tensor.detach().std().item<double>() ==
            doctest::Approx(0.02 / std::sqrt(2.0 * 2)).epsilon(0.05));
    }
  }
}
