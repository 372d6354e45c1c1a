// Export: what is written reads back, narrow types included, and a wrong folder is noticed.
#include "mortise/torch/device.hpp"

#include "core/engine/export/export_model.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

TEST_SUITE("export") {
  TEST_CASE("a golden folder comes out with the same weights and an equivalent config") {
    for (const std::string& name : golden_names()) {
      CAPTURE(name);
      const testing::TempDir temp;
      const OpenedModel opened = open_golden(name);
      const auto architecture =
          read_foreign_model(golden_folder(name), host(), catalog()).architecture;
      const ExportReport report = export_model(*opened.model,
                                               opened.spec,
                                               opened.hf_config,
                                               nullptr,
                                               *architecture,
                                               *make_named<WeightFormat>("hf_safetensors"),
                                               temp.path,
                                               {});
      CHECK(report.verified_rows == 4);
      CHECK(report.largest_difference == 0);
      const Value config = parse_json(read_file(temp.path + "/config.json"));
      CHECK(architecture->to_spec(config) == opened.spec);
      CHECK(config.at("eos_token_id").as_int() == 2);
      CHECK(config.at("torch_dtype").as_string() == "float32");
      if (name != "sharded" && name != "gpt_neox_sequential" && name != "gpt2_bare")
        CHECK((read_file(temp.path + "/model.safetensors") ==
               read_file(golden_folder(name) + "/model.safetensors")));
    }
  }

  TEST_CASE("bfloat16 halves the file and moves the logits a little") {
    const testing::TempDir temp;
    const Value spec = tiny_llama_spec();
    const auto model = build_tiny(spec);
    const auto architecture = make_named<Architecture>("llama");
    ExportOptions options;
    options.dtype = at::kBFloat16;
    const ExportReport report = export_model(*model,
                                             spec,
                                             Value(),
                                             nullptr,
                                             *architecture,
                                             *make_named<WeightFormat>("hf_safetensors"),
                                             temp.path,
                                             options);
    CHECK(report.largest_difference > 0);
    CHECK(report.largest_difference < 0.05);
    const auto file = safetensors::File::open(temp.path + "/model.safetensors");
    CHECK(file.header().find("model.norm.weight")->bytes() == 32);
    CHECK((file.header().find("lm_head.weight") == nullptr));  // tied
    CHECK(parse_json(read_file(temp.path + "/config.json")).at("torch_dtype").as_string() ==
          "bfloat16");
  }

  TEST_CASE("the check holds no second model, and leaves the weights as they were") {
    const testing::TempDir temp;
    Value config = Value::table();
    config["type"] = "cpu";
    const auto device = mortise::make<mortise::Device>(host(), config, {});  // counts tensor memory
    Value spec = tiny_llama_spec();
    for (auto& [name, layer] : spec["layer"].as_table()) layer["repeat"] = 160;
    const auto model = build_tiny(spec);
    int64_t bytes = 0;
    std::vector<at::Tensor> before;
    for (const NamedTensor& tensor : model->tensors()) {
      bytes += static_cast<int64_t>(tensor.tensor.nbytes());
      before.push_back(tensor.tensor.detach().clone());
    }
    CHECK(bytes > 1'000'000);  // the activations of the check are a tenth of it
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      CAPTURE(at::toString(dtype));
      ExportOptions options;
      options.dtype = dtype;
      device->reset_peak();
      const int64_t now = device->memory().current_bytes;
      const ExportReport report = export_model(*model,
                                               spec,
                                               Value(),
                                               nullptr,
                                               *make_named<Architecture>("llama"),
                                               *make_named<WeightFormat>("hf_safetensors"),
                                               temp.path + "/" + at::toString(dtype),
                                               options);
      CHECK(report.verified_rows == 4);
      CHECK((report.largest_difference == 0) == (dtype == at::kFloat));
      INFO(bytes, " bytes of weights, ", device->memory().peak_bytes - now, " more at the peak");
      CHECK(device->memory().peak_bytes - now < bytes / 4);
      size_t i = 0;
      for (const NamedTensor& tensor : model->tensors())
        CHECK(at::equal(tensor.tensor.detach(), before[i++]));
    }
  }

  TEST_CASE("a model that the architecture cannot express is refused before anything is written") {
    const testing::TempDir temp;
    const Value spec = tiny_spec();  // two kinds of layers
    const auto model = build_tiny(spec);
    const auto architecture = make_named<Architecture>("llama");
    const std::string message = message_of([&] {
      export_model(*model,
                   spec,
                   Value(),
                   nullptr,
                   *architecture,
                   *make_named<WeightFormat>("hf_safetensors"),
                   temp.path,
                   {});
    });
    CHECK(message.find("layers of several kinds") != std::string::npos);
    CHECK(std::filesystem::is_empty(temp.path));
  }
}
