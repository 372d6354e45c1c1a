// Finding and opening a model: a Hugging Face folder, a run directory, or one of its checkpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/tokenizer.hpp"

#include "core/engine/model/language_model.hpp"
#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// A foreign folder's config.json, understood.
struct ForeignModel {
  std::unique_ptr<Architecture> architecture;
  Value spec;  // complete [model] table
  Value hf_config;
};

/// Finds the architecture that recognises DIR/config.json among all providers.
/// Throws: DataError naming the architectures that were tried.
ForeignModel read_foreign_model(const std::string& directory, Host& host, const Catalog& catalog);

/// Opens the weights of a directory with the first format that recognises its files.  Throws:
/// DataError.
struct OpenWeights {
  std::unique_ptr<WeightFormat> format;
  std::unique_ptr<WeightReader> reader;  // Lifetime: destroyed before `format`
};

OpenWeights open_weights(const std::string& directory, Host& host, const Catalog& catalog);

/// Loads the tokenizer of a directory with the first provider that can read it; null when there is
/// no tokenizer.json. Throws: DataError with what each provider said.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& directory,
                                          Host& host,
                                          const Catalog& catalog);

/// The element type that a recipe or an option names: fp32, bf16 or fp16.  Throws: Error on
/// another.
at::ScalarType scalar_type_of(const std::string& dtype);
std::string dtype_text(at::ScalarType dtype);

struct OpenedModel {
  std::shared_ptr<LanguageModel> model;  // filled, not training
  Value spec;
  Value hf_config;                       // null for a checkpoint of our own
  std::unique_ptr<Tokenizer> tokenizer;  // null: the folder has none
  std::string weights;                   // the folder that the weights came from
  std::string base;                      // of a run: its model.from; may be empty
};

/// A model of this specification, its parameters not yet filled, not training.
std::shared_ptr<LanguageModel> build_empty(const Value& spec, Host& host, at::ScalarType dtype);

/// Opens DIR: a Hugging Face folder (config.json), a run directory (its newest checkpoint, else its
/// first export), or a folder ckpt/step-N of one.  Weights become `dtype`. Throws: DataError when
/// DIR is none of these, when weights do not fit, or tokenizer and model do not belong together.
OpenedModel open_model(const std::string& path,
                       Host& host,
                       const Catalog& catalog,
                       at::ScalarType dtype = at::kFloat);

/// Fills a model from a safetensors file that holds our own parameter names (a checkpoint).
/// Throws: DataError like load_weights.
void load_own_weights(LanguageModel& model, const std::string& file);

}  // namespace mortise::core
