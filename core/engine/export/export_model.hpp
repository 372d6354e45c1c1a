// Writing a folder that other tools load, and proving that it reads back.
#pragma once

#include <cstdint>
#include <string>

#include "mortise/tokenizer.hpp"

#include "core/engine/model/language_model.hpp"

namespace mortise::core {

struct ExportOptions {
  at::ScalarType dtype = at::kFloat;
  int64_t verify = 4;  // rows whose logits are compared after reading the export back; 0: none
};

struct ExportReport {
  int64_t parameters = 0;
  int64_t verified_rows = 0;
  double largest_difference =
      0;  // of logits, relative to the largest; 0 when dtype is the model's own
};

/// How far two models agree on the next token, over all tokens of random rows.
struct Agreement {
  double max_difference = 0;  // of logits
  double relative = 0;        // the same over the largest logit
  double kl = 0;              // mean KL divergence of the second from the first, nats
  double top1 = 1;            // share of tokens with the same likeliest successor
  int64_t tokens = 0;

  Value to_value() const;
};

/// Logits of `rows` random rows, without dropout.  Shapes: → [rows × T, V], fp32.
at::Tensor sample_logits(LanguageModel& model, int64_t rows);
Agreement agreement(const at::Tensor& first_NV, const at::Tensor& second_NV);

/// Folds the adapter into the base weights and compares the logits before and after.
/// Throws: Error when it cannot be folded, or fp32 logits moved by more than rounding does.
Agreement merge_adapter(LanguageModel& model, int64_t rows);

/// Writes config.json, weights and tokenizer files.  `hf_config` keeps the token ids of a foreign
/// model; null: they come from the tokenizer, which may be null too. Throws: Error{Io}; Error when
/// the architecture cannot express the model; Error{Internal} when what was read back differs.
/// Thread: [main-thread].
ExportReport export_model(LanguageModel& model,
                          const Value& spec,
                          const Value& hf_config,
                          const Tokenizer* tokenizer,
                          const Architecture& architecture,
                          const WeightFormat& format,
                          const std::string& directory,
                          const ExportOptions& options);

}  // namespace mortise::core
