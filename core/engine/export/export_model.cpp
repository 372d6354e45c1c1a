// Export and its check: the folder is opened again as a stranger would, and the logits of random
// rows are compared.
//
// No second model is held for it: every tensor is read back through the name map and compared, and
// then one part of the model after another (embedding, a layer, the final norm, the head) holds
// what was read while it runs.
//
// With the model's own dtype they must be equal bit for bit.  With a narrower one the reread
// weights must equal the rounded ones exactly, and the logits may move by what rounding does
// (bounded loosely; the figure is reported).
#include "core/engine/export/export_model.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/random.hpp"

namespace mortise::core {

namespace {

constexpr double kMostByRounding = 0.2;  // of the largest logit; a wrong tensor gives more than 1

Value token_ids(const Value& hf_config, const Tokenizer* tokenizer) {
  Value extra = Value::table();
  constexpr std::pair<const char*, SpecialToken> kTokens[] = {{"bos_token_id", SpecialToken::Bos},
                                                              {"eos_token_id", SpecialToken::Eos},
                                                              {"pad_token_id", SpecialToken::Pad}};
  for (const auto& [key, token] : kTokens) {
    if (const Value* known = hf_config.find(key); known != nullptr)
      extra[key] = *known;
    else if (tokenizer == nullptr)
      continue;
    else if (const auto id = tokenizer->special(token))
      extra[key] = int64_t{*id};
  }
  return extra;
}

at::Tensor random_rows(int64_t rows, int64_t length, int64_t vocab) {
  at::Tensor ids = at::empty({rows, length}, at::kLong);
  Philox random(mix_key(0, "export"), 0);
  for (int64_t i = 0; i < ids.numel(); ++i)
    ids.mutable_data_ptr<int64_t>()[i] =
        static_cast<int64_t>(random.below(static_cast<uint64_t>(vocab)));
  return ids;
}

int64_t sample_length(const LanguageModel& model) {
  return model.max_seq_len() > 0 ? std::min<int64_t>(64, model.max_seq_len()) : 64;
}

at::Tensor logits_of(LanguageModel& model, const at::Tensor& ids_BT) {
  const c10::InferenceMode inference;
  return model.head()
      .logits(model.forward(plain_batch(ids_BT)).hidden_BTD.flatten(0, 1))
      .to(at::kFloat);
}

[[noreturn]] void fail(const std::string& directory, const std::string& what) {
  throw Error(Code::Internal,
              fmt::format("the export in {} does not read back: {}", directory, what),
              "do not use this folder; report the bug with the recipe");
}

bool is_all(const LanguageModel& model, at::ScalarType dtype) {
  const std::vector<NamedTensor> parameters = model.parameters();
  return std::all_of(parameters.begin(), parameters.end(), [dtype](const NamedTensor& p) {
    return p.tensor.scalar_type() == dtype;
  });
}

void check_weights(const LanguageModel& model,
                   const WeightSource& read,
                   at::ScalarType dtype,
                   const std::string& directory) {
  for (const NamedTensor& ours : model.base_tensors()) {
    const at::ScalarType own = ours.tensor.scalar_type();
    const at::Tensor rounded = ours.tensor.detach().to(at::kCPU, dtype).to(own);
    if (!at::equal(rounded, read(ours.name).to(own)))
      fail(directory, ours.name + " has other values");
  }
}

/// While it lives, the tensors of one part of the model hold what was read; then their own again.
class Replaced {
 public:
  Replaced(const LanguageModel& model, const WeightSource& read, const std::string& part) {
    std::set<std::string> tied;  // the part's own, kept elsewhere
    for (const auto& [alias, owner] : model.ties())
      if (alias.starts_with(part + ".")) tied.insert(owner);
    for (const NamedTensor& tensor : model.base_tensors()) {
      if (!tensor.name.starts_with(part + ".") && !tied.contains(tensor.name)) continue;
      own_.emplace_back(tensor.tensor.detach(), tensor.tensor.detach().clone());
      own_.back().first.copy_(read(tensor.name));
    }
  }

  ~Replaced() {
    for (auto& [tensor, own] : own_) tensor.copy_(own);
  }

  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> own_;
};

/// Logits of the model with the weights that were read: one part after another holds them.
at::Tensor reread_logits(LanguageModel& model, const WeightSource& read, const at::Tensor& ids_BT) {
  const c10::InferenceMode inference;  // as logits_of: products may differ by it
  std::unique_ptr<Replaced> part;
  const auto before = [&](const std::string& path) {
    part.reset();
    part = std::make_unique<Replaced>(model, read, path);
  };
  const at::Tensor hidden_BTD = model.forward(plain_batch(ids_BT), before).hidden_BTD;
  before("lm_head");
  return model.head().logits(hidden_BTD.flatten(0, 1)).to(at::kFloat);
}

ExportReport verify(LanguageModel& model,
                    const Value& spec,
                    const Architecture& architecture,
                    const WeightFormat& format,
                    const std::string& directory,
                    const ExportOptions& options) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<WeightReader> reader = format.open(directory);
  const WeightSource read = weight_source(model, *reader, architecture, spec);
  check_weights(model, read, options.dtype, directory);
  const bool was_training = model.is_training();
  model.train(false);
  const at::Tensor ids_BT = random_rows(options.verify, sample_length(model), model.vocab());
  const at::Tensor expected = logits_of(model, ids_BT), found = reread_logits(model, read, ids_BT);
  model.train(was_training);
  ExportReport report;
  report.verified_rows = options.verify;
  report.largest_difference =
      ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item<double>();
  const bool is_exact = is_all(model, options.dtype);
  if (!(report.largest_difference <= (is_exact ? 0.0 : kMostByRounding)))
    fail(directory,
         fmt::format("logits differ by {:.3g} of the largest", report.largest_difference));
  return report;
}

}  // namespace

Value Agreement::to_value() const {
  Value out = Value::table();
  out["max_logit_difference"] = max_difference;
  out["relative_difference"] = relative;
  out["kl"] = kl;
  out["top1_agreement"] = top1;
  out["tokens"] = tokens;
  return out;
}

at::Tensor sample_logits(LanguageModel& model, int64_t rows) {
  const bool was_training = model.is_training();
  model.train(false);
  const at::Tensor ids_BT = random_rows(rows, sample_length(model), model.vocab());
  const at::Tensor logits_NV = logits_of(model, ids_BT);
  model.train(was_training);
  return logits_NV;
}

Agreement agreement(const at::Tensor& first_NV, const at::Tensor& second_NV) {
  const c10::InferenceMode inference;
  Agreement out;
  out.max_difference = (second_NV - first_NV).abs().max().item<double>();
  out.relative = out.max_difference / std::max(1e-30, first_NV.abs().max().item<double>());
  const at::Tensor first = at::log_softmax(first_NV.to(at::kDouble), -1);
  const at::Tensor second = at::log_softmax(second_NV.to(at::kDouble), -1);
  out.kl = (first.exp() * (first - second)).sum(-1).mean().item<double>();
  out.top1 = (first_NV.argmax(-1) == second_NV.argmax(-1)).to(at::kDouble).mean().item<double>();
  out.tokens = first_NV.size(0);
  return out;
}

Agreement merge_adapter(LanguageModel& model, int64_t rows) {
  constexpr double kMostInFp32 = 1e-3;
  const at::Tensor before_NV = sample_logits(model, std::max<int64_t>(1, rows));
  model.adapter()->merge();
  const Agreement report = agreement(before_NV, sample_logits(model, std::max<int64_t>(1, rows)));
  const bool is_fp32 = is_all(model, at::kFloat);
  if (!(report.relative <= kMostInFp32) && is_fp32)
    throw Error(Code::Internal,
                fmt::format("merging the adapter moved the logits by {:.3g} of the largest",
                            report.relative),
                "export it unmerged (merge_adapter = false), and report the bug with the recipe");
  return report;
}

ExportReport export_model(LanguageModel& model,
                          const Value& spec,
                          const Value& hf_config,
                          const Tokenizer* tokenizer,
                          const Architecture& architecture,
                          const WeightFormat& format,
                          const std::string& directory,
                          const ExportOptions& options) {
  std::filesystem::create_directories(directory);
  if (tokenizer != nullptr) tokenizer->save(directory);
  save_weights(
      model, directory, format, architecture, spec, options.dtype, token_ids(hf_config, tokenizer));
  ExportReport report;
  if (options.verify > 0) report = verify(model, spec, architecture, format, directory, options);
  for (const NamedTensor& tensor : model.base_tensors())
    report.parameters += tensor.is_buffer ? 0 : tensor.tensor.numel();
  return report;
}

}  // namespace mortise::core
