// The recipe's own tables as typed structs, and the slots where components stand.
//
// Each struct describes itself with the Schema that plugins use, so that one validator, one
// `inspect` and one set of error messages serve both.  A slot is a table path whose value is a
// component; some slots own keys of the shared table (design §3): they survive a change of `type`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/schema.hpp"

namespace mortise::core {

/// [recipe]
struct RecipeTable {
  int64_t schema = 1;
  std::string task = "train";  // train, evaluate, pipeline
  std::string name = "run";
  std::string notes;
  std::vector<std::string> order;  // of the stages of a pipeline
  static void describe(Schema<RecipeTable>& s);
};

/// [run.loss_scale]: dynamic scaling of fp16 losses
struct LossScaleTable {
  double initial = 65536;
  double growth = 2;
  double backoff = 0.5;
  int64_t interval = 2000;  // good steps before it grows
  static void describe(Schema<LossScaleTable>& s);
};

/// One entry of run.precision: modules that hold and compute in another dtype.
struct PrecisionKeys {
  std::string match;  // a pattern on parameter names
  std::string dtype = "fp32";
  static void describe(Schema<PrecisionKeys>& s);
};

/// [run]
struct RunTable {
  int64_t seed = 1;
  int64_t threads = 0;           // 0: the cores of the machine, written into resolved.toml
  std::optional<int64_t> steps;  // optimizer steps; one of steps, tokens, epochs
  std::optional<int64_t> tokens;
  std::optional<double> epochs;
  std::string device = "cpu";  // a component of kind `device`
  std::string dir;             // empty: runs/<name>-<number>
  std::string dtype = "fp32";  // fp32, bf16, fp16
  bool master = true;          // 16-bit parameters are updated through fp32 copies
  double neftune_alpha = 0;    // noise on the embeddings while training; 0: none
  LossScaleTable loss_scale;
  std::map<std::string, PrecisionKeys> precision;  // the first by name that matches decides
  static void describe(Schema<RunTable>& s);
};

/// [ema]: a moving average of the trained weights
struct EmaTable {
  double decay = 0;       // 0: none
  bool evaluate = true;   // evaluations see the average
  bool exported = false;  // exports hold the average
  static void describe(Schema<EmaTable>& s);
};

/// [batch.curriculum]: easy rows first
struct CurriculumTable {
  std::string by;      // "length", "perplexity", or a field with a number; empty: none
  std::string model;   // "perplexity": whose; a folder or run
  double over = 0.5;   // share of the run after which all rows are drawn
  double start = 0.1;  // share of the rows that are drawn from at first
  static void describe(Schema<CurriculumTable>& s);
};

/// [batch]
struct BatchTable {
  int64_t seq_len = 256;
  bool packing = true;        // several documents in one row, told apart by segments
  bool document_mask = true;  // a packed document does not see its neighbours
  int64_t micro = 8;          // rows per forward
  int64_t global = 8;         // rows per optimizer step; a multiple of micro
  bool shuffle = true;
  std::string overlong = "split";  // a document longer than the window: split, truncate, error
  int64_t stride = 0;              // from window to window when split; 0: seq_len
  CurriculumTable curriculum;
  static void describe(Schema<BatchTable>& s);
};

/// [checkpoint]
struct CheckpointTable {
  int64_t every = 0;  // steps; 0: only at the end and when interrupted
  int64_t keep = 2;   // the newest that stay
  static void describe(Schema<CheckpointTable>& s);
};

/// [log]
struct LogTable {
  int64_t every = 10;  // steps between two lines and two points of a curve
  std::string level = "info";
  static void describe(Schema<LogTable>& s);
};

/// [profile]: traces of chosen training steps
struct ProfileTable {
  std::vector<int64_t> steps;  // from 1; each gives RUN_DIR/profile/step-N.json
  static void describe(Schema<ProfileTable>& s);
};

/// [generate]: samples written during a run, and the defaults of `mortise generate`
struct GenerateTable {
  std::vector<std::string> prompts;
  int64_t every = 0;  // steps; 0: only at the end
  int64_t max_new_tokens = 64;
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;
  double top_p = 1.0;
  static void describe(Schema<GenerateTable>& s);
};

/// [plugins]
struct PluginsTable {
  std::map<std::string, std::string> require;  // id → version range: "^1.2", ">=1.0 <2", "*"
  static void describe(Schema<PluginsTable>& s);
};

/// [model.init]
struct InitTable {
  double std = 0.02;
  bool scale_residual = true;  // projections back into the residual stream: std / sqrt(2 × layers)
  static void describe(Schema<InitTable>& s);
};

/// [model], besides its slots and [model.layer.*]
struct ModelTable {
  std::string from;   // a Hugging Face folder; keys beside it override its config
  int64_t vocab = 0;  // 0: the tokenizer's size
  int64_t width = 0;
  int64_t max_seq_len = 0;  // 0: batch.seq_len; recorded in exports
  InitTable init;
  static void describe(Schema<ModelTable>& s);
};

/// Keys of [model.layer.NAME] that belong to core; the rest are the layer component's own.
struct LayerKeys {
  int64_t order = 1;
  int64_t repeat = 1;
  static void describe(Schema<LayerKeys>& s);
};

/// One entry of optimizer.groups: other values for the parameters that match.
struct GroupKeys {
  std::string match;         // a pattern on parameter names; `*` stands for any run of characters
  std::optional<double> lr;  // factor on the optimizer's lr is 1 when absent
  std::optional<double> weight_decay;
  static void describe(Schema<GroupKeys>& s);
};

/// Slot keys of [optimizer].
struct OptimizerKeys {
  double lr = 1e-3;
  double weight_decay = 0.0;  // not applied to one-dimensional parameters (norms, biases)
  std::optional<double> clip_norm;
  std::optional<double> clip_value;
  bool in_backward = false;  // each parameter moves as soon as its gradient is whole
  std::map<std::string, GroupKeys> groups;
  static void describe(Schema<OptimizerKeys>& s);
};

/// Slot keys of [adapter].
struct AdapterKeys {
  std::string from;  // a folder in PEFT's layout that it continues from; empty: a new one
  static void describe(Schema<AdapterKeys>& s);
};

/// [reference.NAME]: a frozen model beside the trained one
struct ReferenceTable {
  std::string from;  // a folder or run; empty: the weights that training starts from
  static void describe(Schema<ReferenceTable>& s);
};

/// Slot keys of [tokenizer].
struct TokenizerKeys {
  std::string from;      // a directory with tokenizer.json; empty: trained on the training data
  int64_t vocab = 4096;  // when trained
  static void describe(Schema<TokenizerKeys>& s);
};

/// Slot keys of [data.train.NAME] and [data.eval.NAME].
struct DataKeys {
  double weight = 1.0;
  static void describe(Schema<DataKeys>& s);
};

/// Slot keys of [data.pipeline.NAME].
struct PipelineKeys {
  int64_t order = 1;
  static void describe(Schema<PipelineKeys>& s);
};

/// Slot keys of [eval.NAME].
struct EvalKeys {
  std::string data =
      "dev";  // a name of data.eval, a split made by a transform, or a JSONL file of predictions
  int64_t every = 0;            // steps; 0: only at the end
  int64_t limit = 0;            // samples; 0: all
  int64_t max_new_tokens = 64;  // for metrics on generated text
  static void describe(Schema<EvalKeys>& s);
};

/// Slot keys of [export.NAME].
struct ExportKeys {
  std::string architecture = "llama";
  std::string dtype = "fp32";
  int64_t verify = 4;  // rows whose logits are compared after reading the export back; 0: none
  bool merge_adapter = false;  // false: an adapter with a file of its own is written instead
  static void describe(Schema<ExportKeys>& s);
};

/// One entry of [gate]: what a score ("ppl.perplexity" = eval name, dot, score name) must keep to,
/// else exit 4.
struct GateKeys {
  std::optional<double> min, max;
  Value max_increase;  // against the same score of `against`: "3%" relative, 0.1 absolute
  Value max_decrease;
  std::string against;  // a stage; empty: the nearest earlier one that has this score
  static void describe(Schema<GateKeys>& s);
};

/// [sweep]: one run per point of the grid; lists under `zip` advance together.
struct SweepTable {
  Value grid, zip;             // tables in the shape of the recipe, with a list at each leaf
  std::vector<int64_t> seeds;  // a grid over run.seed
  static void describe(Schema<SweepTable>& s);
};

/// One place of a recipe where a component stands.
struct Slot {
  std::string
      path;  // "optimizer", "data.train.*", "model.layer.*"; `*` is a name that the user chooses
  std::string interface_id;  // "optimizer/1.0"
  std::vector<std::string>
      required_for;             // tasks that cannot do without (a `*` slot: without at least one)
  std::string default_type;     // used when the table names none; empty: `type` is required
  std::vector<FieldInfo> keys;  // the slot's own keys
  std::string doc;
};

/// All slots, in the order in which a resolved recipe prints them.   Thread: [any-thread].
const std::vector<Slot>& slots();

/// All tables without a component: path ("run", "model.init") and fields.
struct CoreTable {
  std::string path;  // "run", "gate.*"
  std::vector<FieldInfo> fields;
  std::string doc;
};

const std::vector<CoreTable>& core_tables();

/// A rule between tables of a whole resolved recipe.
struct RecipeRule {
  std::string code;        // "E410"
  std::string expression;  // over full paths: "batch.global % batch.micro == 0"
  std::string message, fix;
  std::vector<std::string> tasks;
  std::vector<std::string> places;  // paths to point at, the first that a user wrote wins
};

const std::vector<RecipeRule>& recipe_rules();

/// Finds the slot of a table path ("data.train.wordnet" → "data.train.*"); null when there is none.
const Slot* find_slot(std::string_view path);
/// A component's own parameters and its `type`: the table without the keys of its slot.
Value component_config(const Value& table, const Slot& slot);
/// Top-level names in the order in which a resolved recipe prints them.
const std::vector<std::string>& section_order();

}  // namespace mortise::core
