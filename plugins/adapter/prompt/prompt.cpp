// Trained embeddings stand before the text of every row and go through all layers with it; their
// outputs are taken away again.  The text's positions start after them.
//
// Source: Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning",
// arXiv:2104.08691 §2; file: peft 0.21, PromptEmbedding.  A row holds one document (padding may
// follow): inside a packed row the tokens would stand before the first document only.
#include "prompt.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/plugin.hpp"
#include "mortise/torch/adapter_tools.hpp"

namespace mortise::adapter::prompt {

namespace {

void refuse_packed_rows(const BlockInput& in) {
  if (!in.segments_BT.defined() || in.segments_BT.is_meta() || in.segments_BT.numel() == 0) return;
  const int64_t documents = in.segments_BT.max().item<int64_t>();
  if (documents > 1)
    throw Error(
        Code::Usage,
        fmt::format("prompt tuning puts its tokens before a row, and a row of this batch holds "
                    "{} documents",
                    documents),
        "batch.packing = false, or adapter.type = \"prefix\", which every document sees");
}

/// Borders in rows that are `added` tokens longer.  Shapes: offsets_S in B·T → in B·(T + added).
at::Tensor moved_offsets(const at::Tensor& offsets_S, int64_t tokens, int64_t added) {
  const at::Tensor row_S = at::floor_divide(offsets_S, tokens),
                   place_S = offsets_S - row_S * tokens;
  return row_S * (tokens + added) + at::where(place_S > 0, place_S + added, place_S);
}

}  // namespace

Prompt::Prompt(Config config, const AdapterArgs& args)
    : config_(std::move(config)), num_layers_(args.num_layers) {
  MORTISE_CHECK(args.model != nullptr, "an adapter needs a model");
  if (!args.file.is_null()) {
    const Config standard;
    take_from_file(
        "tokens", config_.tokens, args.file.get("num_virtual_tokens", int64_t{0}), standard.tokens);
    config_.prompt.clear();
  }
  freeze(*args.model);
  embedding_PD_ =
      add_parameter("embedding", {config_.tokens, args.width}, args.build, Init::normal());
}

void Prompt::before_stack(BlockInput& in, const at::Tensor& /*ids_BT*/) {
  // Later tokens of a cached text: the virtual ones are in the cache, and positions count them.
  is_prepended_ = in.cache == nullptr || in.cache->length() == 0;
  if (!is_prepended_) return;
  refuse_packed_rows(in);
  const int64_t rows = in.x_BTD.size(0), tokens = in.x_BTD.size(1), added = config_.tokens;
  const at::Tensor virtual_BPD =
      embedding_PD_.to(in.x_BTD.scalar_type()).unsqueeze(0).expand({rows, -1, -1});
  in.x_BTD = at::cat({virtual_BPD, in.x_BTD}, 1);
  const at::Tensor places_BP =
      at::arange(added, in.positions_BT.options()).unsqueeze(0).expand({rows, -1});
  in.positions_BT = at::cat({places_BP, in.positions_BT + added}, 1);
  if (in.segments_BT.defined())
    in.segments_BT =
        at::cat({at::ones({rows, added}, in.segments_BT.options()), in.segments_BT}, 1);
  if (in.offsets_S.defined()) in.offsets_S = moved_offsets(in.offsets_S, tokens, added);
}

at::Tensor Prompt::after_stack(const at::Tensor& x_BTD) {
  if (!is_prepended_) return x_BTD;
  return x_BTD.narrow(1, config_.tokens, x_BTD.size(1) - config_.tokens);
}

void Prompt::from_prompt(const std::vector<std::pair<at::Tensor, at::Tensor>>& /*kv*/,
                         const at::Tensor& x_PD) {
  const at::NoGradGuard no_grad;
  embedding_PD_.detach().copy_(x_PD);
}

void Prompt::merge() {
  throw Error(Code::Usage,
              "virtual tokens cannot be merged into the weights",
              "export them as they are (merge_adapter = false) and load them over their base");
}

std::vector<AdapterTensor> Prompt::file_tensors() {
  return {{"prompt_embeddings", embedding_PD_.detach()}};
}

Value Prompt::file_config(const std::string& base) const {
  Value config = peft_config("PROMPT_TUNING", base);
  config["num_virtual_tokens"] = config_.tokens;
  config["token_dim"] = embedding_PD_.size(1);
  config["num_transformer_submodules"] = 1;
  config["num_attention_heads"] = 1;  // read by nothing here, and asked for by peft
  config["num_layers"] = num_layers_;
  config["prompt_tuning_init"] = "RANDOM";
  return config;
}

void Prompt::Config::describe(Schema<Config>& schema) {
  schema.field("tokens", &Config::tokens, "virtual tokens before every row").min(1).max(65536);
  schema.field("prompt",
               &Config::prompt,
               "a text to start from, cut or repeated to `tokens`: its embeddings in the base");
  schema.needs("unpacked");  // batch.packing = false
  schema.provides("peft_prompt_tuning");
}

}  // namespace mortise::adapter::prompt

MORTISE_PLUGIN("org.mortise.adapter.prompt",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::adapter::prompt::Prompt>(
                   "prompt", "trained embeddings before every row; the base is frozen"));
