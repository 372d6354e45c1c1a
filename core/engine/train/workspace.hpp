// What training, planning and evaluating share: the tables of a recipe as structs, the device, the
// data as rows of tokens, and the specification of the model that follows from them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mortise/torch/device.hpp"

#include "core/engine/data/batch.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

struct Tables {
  RecipeTable recipe;
  RunTable run;
  BatchTable batch;
  EmaTable ema;
  CheckpointTable checkpoint;
  LogTable log;
  ProfileTable profile;
  GenerateTable generate;
  OptimizerKeys optimizer;
  ModelTable model;
};

/// Reads the tables of a resolved recipe.   Thread: [any-thread].
Tables read_tables(const Value& recipe);

/// Everything a job needs before there is a model.
struct Workspace {
  Value recipe;
  Tables tables;
  Host* host = nullptr;
  std::unique_ptr<Device> device;
  Corpus corpus;
  std::unique_ptr<Tokenizer> tokenizer;
  TokenSet tokens;               // of the part "train"; empty when there is none
  std::unique_ptr<RowSet> rows;  // of tokens
  int64_t total_steps = 0;
  Value model_spec;  // [model] with vocab and max_seq_len set
};

struct WorkspaceOptions {
  std::string saved_tokenizer;    // folder of a tokenizer that was already made (resume)
  bool train = true;              // also tokens, rows and steps
  bool keep_train_texts = false;  // false: the training texts are dropped once they are tokens
  /// Scores a curriculum by perplexity; without it (`plan`) documents are ordered by length.
  std::function<std::vector<double>(const Workspace&)> difficulty;
};

/// Makes all of it.  Throws: DataError, Error.   Thread: [main-thread].
Workspace make_workspace(const Value& recipe, Host& host, const WorkspaceOptions& options);

/// Which row of the workspace is the n-th of the run.
RowOrder make_order(const Workspace& space);

/// Makes the device named by run.device; on the CPU it also begins to count tensor memory, so it
/// comes first.
std::unique_ptr<Device> make_device(const Value& recipe, Host& host);

/// Builds the model of the workspace, its adapter on and its units wrapped: empty, on `device` (the
/// meta device allocates nothing).  With another `spec` it is a sample to measure: not wrapped.
std::shared_ptr<LanguageModel> build_model(const Workspace& space,
                                           const Value& spec,
                                           at::Device device);

/// The strategies of [parallel.*] for a model of `num_layers` units and these tensors, in the order
/// of their phases.
std::vector<std::shared_ptr<Parallel>> make_strategies(const Workspace& space,
                                                       int64_t num_layers,
                                                       const LanguageModel& model);

/// A model without an adapter and without strategies: evaluation, references.
std::shared_ptr<LanguageModel> build_base(const Value& spec,
                                          const Tables& tables,
                                          Host& host,
                                          at::Device device);

}  // namespace mortise::core
