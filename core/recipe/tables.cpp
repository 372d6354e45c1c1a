// The recipe's own tables and slots as data.  A new key of core is one line here; a new kind of
// slot is one entry.
#include "core/recipe/tables.hpp"

#include <algorithm>

namespace mortise::core {

void RecipeTable::describe(Schema<RecipeTable>& s) {
  s.field("schema", &RecipeTable::schema, "version of the recipe language").one_of({1});
  s.field("task", &RecipeTable::task, "what the job is").one_of({"train", "evaluate", "pipeline"});
  s.field("name", &RecipeTable::name, "names the run directory");
  s.field("notes", &RecipeTable::notes, "free text, kept with the run");
  s.field("order", &RecipeTable::order, "the stages of a pipeline in the order in which they run");
}

void RunTable::describe(Schema<RunTable>& s) {
  s.field("seed", &RunTable::seed, "of all random numbers").min(0);
  s.field("threads", &RunTable::threads, "0: the cores of the machine").range(0, 4096);
  s.field("steps", &RunTable::steps, "optimizer steps; one of steps, tokens, epochs")
      .unit("steps")
      .min(1);
  s.field("tokens", &RunTable::tokens, "training tokens").unit("tokens").min(1);
  s.field("epochs", &RunTable::epochs, "passes over the training data").above(0);
  s.field("device", &RunTable::device, "a component of kind device");
  s.field("dir", &RunTable::dir, "the run directory; empty: runs/<name>-<number>");
  s.field("dtype", &RunTable::dtype, "of parameters and activations")
      .one_of({"fp32", "bf16", "fp16"});
  s.field("master", &RunTable::master, "16-bit parameters are updated through fp32 copies");
  s.field("neftune_alpha",
          &RunTable::neftune_alpha,
          "noise on the embeddings while training (NEFTune); 0: none")
      .min(0);
  s.field("loss_scale", &RunTable::loss_scale, "dynamic scaling of fp16 losses");
  s.field("precision",
          &RunTable::precision,
          "modules in another dtype; what they are given is converted, and so is their result; of "
          "several entries that match, the first by name decides");
}

void PrecisionKeys::describe(Schema<PrecisionKeys>& s) {
  s.field("match",
          &PrecisionKeys::match,
          "a pattern on parameter names that takes whole modules (\"*norm*\", \"lm_head.*\"); `*` "
          "stands for any run of characters")
      .required();
  s.field("dtype", &PrecisionKeys::dtype, "of their parameters and of what they compute")
      .one_of({"fp32", "bf16"});
}

void LossScaleTable::describe(Schema<LossScaleTable>& s) {
  s.field("initial", &LossScaleTable::initial, "first factor").above(0);
  s.field("growth", &LossScaleTable::growth, "factor after `interval` good steps").min(1);
  s.field("backoff", &LossScaleTable::backoff, "factor after an overflow").above(0).max(1);
  s.field("interval", &LossScaleTable::interval, "good steps before it grows").unit("steps").min(1);
}

void EmaTable::describe(Schema<EmaTable>& s) {
  s.field("decay", &EmaTable::decay, "share of the old average that stays; 0: no average")
      .min(0)
      .max(1);
  s.field("evaluate", &EmaTable::evaluate, "evaluations and samples see the average");
  s.field("exported", &EmaTable::exported, "exports hold the average");
}

void BatchTable::describe(Schema<BatchTable>& s) {
  s.field("seq_len", &BatchTable::seq_len, "tokens in a row").unit("tokens").min(2);
  s.field("packing", &BatchTable::packing, "several documents in one row, told apart by segments");
  s.field(
      "document_mask", &BatchTable::document_mask, "a packed document does not see its neighbours");
  s.field("micro", &BatchTable::micro, "rows per forward").min(1);
  s.field("global", &BatchTable::global, "rows per optimizer step; a multiple of micro").min(1);
  s.field("shuffle", &BatchTable::shuffle, "a new order of documents in every epoch");
  s.field("overlong", &BatchTable::overlong, "a document longer than the window")
      .one_of({"split", "truncate", "error"});
  s.field("stride",
          &BatchTable::stride,
          "from window to window when split; what windows share is trained once; 0: seq_len")
      .unit("tokens")
      .min(0);
  s.field("curriculum", &BatchTable::curriculum, "easy rows first");
}

void CurriculumTable::describe(Schema<CurriculumTable>& s) {
  s.field(
      "by",
      &CurriculumTable::by,
      "\"length\", \"perplexity\", or a field with a number in every record (smaller is easier); "
      "empty: none");
  s.field("model",
          &CurriculumTable::model,
          "whose perplexity: a model folder or run that reads the same tokens; each document is "
          "scored once, before training");
  s.field("over", &CurriculumTable::over, "share of the run after which all rows are drawn")
      .above(0)
      .max(1);
  s.field("start", &CurriculumTable::start, "share of the rows that are drawn from at first")
      .above(0)
      .max(1);
}

void CheckpointTable::describe(Schema<CheckpointTable>& s) {
  s.field("every", &CheckpointTable::every, "0: only at the end and when interrupted")
      .unit("steps")
      .min(0);
  s.field("keep", &CheckpointTable::keep, "the newest that stay").min(1);
}

void LogTable::describe(Schema<LogTable>& s) {
  s.field("every", &LogTable::every, "steps between two lines and two points of a curve")
      .unit("steps")
      .min(1);
  s.field("level", &LogTable::level, "what is written").one_of({"error", "warn", "info", "debug"});
}

void ProfileTable::describe(Schema<ProfileTable>& s) {
  s.field("steps",
          &ProfileTable::steps,
          "training steps whose trace (Chrome's format: open it in Perfetto) is written to "
          "profile/step-N.json of the run directory")
      .min(1);
}

void GenerateTable::describe(Schema<GenerateTable>& s) {
  s.field("prompts", &GenerateTable::prompts, "texts to continue");
  s.field("every", &GenerateTable::every, "0: only at the end").unit("steps").min(0);
  s.field("max_new_tokens", &GenerateTable::max_new_tokens, "length of a sample")
      .unit("tokens")
      .min(1);
  s.field("temperature", &GenerateTable::temperature, "0: greedy").min(0);
  s.field("top_k", &GenerateTable::top_k, "0: all tokens").min(0);
  s.field("top_p", &GenerateTable::top_p, "share of the probability that is sampled from")
      .above(0)
      .max(1);
}

void PluginsTable::describe(Schema<PluginsTable>& s) {
  s.field("require",
          &PluginsTable::require,
          "plugin id → version range: \"^1.2\", \">=1.0 <2\", \"*\"");
}

void InitTable::describe(Schema<InitTable>& s) {
  s.field("std", &InitTable::std, "standard deviation of new weights").above(0);
  s.field("scale_residual",
          &InitTable::scale_residual,
          "projections back into the residual stream: std / sqrt(2 × layers)");
}

void ModelTable::describe(Schema<ModelTable>& s) {
  s.field("from", &ModelTable::from, "a Hugging Face folder; keys beside it override its config");
  s.field("vocab", &ModelTable::vocab, "0: the tokenizer's size").min(0);
  s.field("width", &ModelTable::width, "size of the residual stream").min(0);
  s.field("max_seq_len", &ModelTable::max_seq_len, "recorded in exports; 0: batch.seq_len")
      .unit("tokens")
      .min(0);
  s.field("init", &ModelTable::init, "of new weights");
}

void LayerKeys::describe(Schema<LayerKeys>& s) {
  s.field("order", &LayerKeys::order, "groups of layers are stacked by ascending order");
  s.field("repeat", &LayerKeys::repeat, "how many such layers").min(1);
}

void GroupKeys::describe(Schema<GroupKeys>& s) {
  s.field("match",
          &GroupKeys::match,
          "a pattern on parameter names; `*` stands for any run of characters")
      .required();
  s.field("lr", &GroupKeys::lr, "factor on the optimizer's lr").min(0);
  s.field("weight_decay", &GroupKeys::weight_decay, "of these parameters").min(0);
}

void OptimizerKeys::describe(Schema<OptimizerKeys>& s) {
  s.field("lr", &OptimizerKeys::lr, "peak learning rate").above(0).max(1);
  s.field("weight_decay", &OptimizerKeys::weight_decay, "not applied to norms and biases").min(0);
  s.field("clip_norm", &OptimizerKeys::clip_norm, "upper bound of the gradient's norm").above(0);
  s.field("clip_value", &OptimizerKeys::clip_value, "upper bound of a gradient's elements")
      .above(0);
  s.field("in_backward",
          &OptimizerKeys::in_backward,
          "each parameter moves as soon as its gradient is whole, and the gradient goes: no more "
          "than one unit's are there at once; the same bits");
  s.field("groups", &OptimizerKeys::groups, "other values for parameters that match");
}

void ReferenceTable::describe(Schema<ReferenceTable>& s) {
  s.field("from",
          &ReferenceTable::from,
          "a model folder or run; empty: the weights that training starts from");
}

void TokenizerKeys::describe(Schema<TokenizerKeys>& s) {
  s.field("from",
          &TokenizerKeys::from,
          "a folder with tokenizer.json; empty: trained on the training data");
  s.field("vocab", &TokenizerKeys::vocab, "size when trained").min(2);
}

void DataKeys::describe(Schema<DataKeys>& s) {
  s.field("weight", &DataKeys::weight, "share in a mixture").above(0);
}

void PipelineKeys::describe(Schema<PipelineKeys>& s) {
  s.field("order", &PipelineKeys::order, "transforms run by ascending order");
}

void EvalKeys::describe(Schema<EvalKeys>& s) {
  s.field("data",
          &EvalKeys::data,
          "a name of data.eval, a split made by a transform, or a JSONL file of predictions");
  s.field("every", &EvalKeys::every, "0: only at the end").unit("steps").min(0);
  s.field("limit", &EvalKeys::limit, "samples; 0: all").unit("samples").min(0);
  s.field("max_new_tokens", &EvalKeys::max_new_tokens, "for metrics on generated text")
      .unit("tokens")
      .min(1);
}

void ExportKeys::describe(Schema<ExportKeys>& s) {
  s.field("architecture",
          &ExportKeys::architecture,
          "a component of kind architecture: names and config of the export; unless given, the one "
          "that read model.from");
  s.field("dtype", &ExportKeys::dtype, "of all written weights, whatever run.precision says")
      .one_of({"fp32", "bf16", "fp16"});
  s.field(
       "verify", &ExportKeys::verify, "rows whose logits are compared after reading back; 0: none")
      .min(0);
  s.field("merge_adapter",
          &ExportKeys::merge_adapter,
          "the adapter goes into the weights; false: it is written by itself, in PEFT's layout");
}

void AdapterKeys::describe(Schema<AdapterKeys>& s) {
  s.field("from", &AdapterKeys::from, "a folder in PEFT's layout to continue from");
}

void GateKeys::describe(Schema<GateKeys>& s) {
  s.field("min", &GateKeys::min, "the score must reach this");
  s.field("max", &GateKeys::max, "the score must not exceed this");
  s.field("max_increase",
          &GateKeys::max_increase,
          "against an earlier stage: \"3%\" or an absolute number");
  s.field("max_decrease",
          &GateKeys::max_decrease,
          "against an earlier stage: \"3%\" or an absolute number");
  s.field("against",
          &GateKeys::against,
          "the stage to compare with; empty: the nearest earlier one with this score");
}

void SweepTable::describe(Schema<SweepTable>& s) {
  s.field("grid", &SweepTable::grid, "lists at recipe paths; every combination is one run");
  s.field("zip", &SweepTable::zip, "lists of one length that advance together");
  s.field("seeds", &SweepTable::seeds, "a grid over run.seed").min(0);
}

namespace {

template <class Table>
std::vector<FieldInfo> fields() {
  return describe<Table>().info().fields;
}

// A string that names a component is checked like a `type`.
std::vector<FieldInfo> naming(std::vector<FieldInfo> list,
                              std::string_view field,
                              const char* interface_id) {
  for (FieldInfo& info : list)
    if (info.name == field) info.interface_id = interface_id;
  return list;
}

std::vector<Slot> make_slots() {
  const std::vector<std::string> train = {"train"};
  return {
      {"tokenizer", "tokenizer/1.0", train, "", fields<TokenizerKeys>(), "text ↔ ids"},
      {"data.train.*", "data_source/1.0", train, "", fields<DataKeys>(), "training records"},
      {"data.eval.*", "data_source/1.0", {}, "", fields<DataKeys>(), "records for evaluation"},
      {"data.pipeline.*",
       "transform/1.0",
       {},
       "",
       fields<PipelineKeys>(),
       "what happens to records, by order"},
      {"model.embedding", "embedding/1.0", train, "", {}, "ids → vectors"},
      {"model.layer.*", "layer/1.0", train, "", fields<LayerKeys>(), "a group of equal layers"},
      {"model.norm",
       "norm/1.0",
       train,
       "",
       {},
       "the final norm; layers inherit it unless they name one"},
      {"model.head", "head/1.0", train, "", {}, "vectors → logits"},
      {"adapter",
       "adapter/1.0",
       {},
       "",
       fields<AdapterKeys>(),
       "what is trained instead of all weights"},
      {"objective", "objective/1.0", train, "", {}, "what is minimised"},
      {"optimizer", "optimizer/1.0", train, "", fields<OptimizerKeys>(), "how parameters move"},
      {"schedule", "schedule/1.0", {}, "", {}, "factor on lr by step; absent: constant"},
      {"parallel.*", "parallel/1.0-draft", {}, "", {}, "recompute and other layouts of a step"},
      {"guard.*", "guard/1.0", {}, "", {}, "what to do when something goes wrong"},
      {"eval.*",
       "metric/1.0",
       {"evaluate"},
       "",
       fields<EvalKeys>(),
       "a score and the data it is taken on"},
      {"export.*",
       "weight_format/1.0",
       {},
       "",
       naming(fields<ExportKeys>(), "architecture", "architecture/1.0"),
       "what is written when training ends"},
      {"tracker.*", "tracker/1.0", {}, "", {}, "where curves and samples go"},
  };
}

std::vector<CoreTable> make_core_tables() {
  return {
      {"recipe", fields<RecipeTable>(), "what this file is"},
      {"plugins", fields<PluginsTable>(), "versions that must be there"},
      {"run", naming(fields<RunTable>(), "device", "device/1.0"), "how long and on what"},
      {"batch", fields<BatchTable>(), "rows and windows"},
      {"model", fields<ModelTable>(), "the network; its parts are components"},
      {"reference.*", fields<ReferenceTable>(), "frozen models: a teacher, a reference policy"},
      {"ema", fields<EmaTable>(), "a moving average of the weights"},
      {"checkpoint", fields<CheckpointTable>(), "what a run can resume from"},
      {"log", fields<LogTable>(), "lines and curves"},
      {"profile", fields<ProfileTable>(), "where the time of chosen training steps goes"},
      {"generate", fields<GenerateTable>(), "samples"},
      {"gate.*", fields<GateKeys>(), "scores that must be kept, else exit 4"},
      {"sweep", fields<SweepTable>(), "several runs from one recipe"},
  };
}

std::vector<RecipeRule> make_rules() {
  const std::vector<std::string> train = {"train"};
  const std::vector<std::string> lengths = {"run.steps", "run.tokens", "run.epochs"};
  return {
      {"E411",
       "has(run.steps) or has(run.tokens) or has(run.epochs)",
       "a training run needs a length: run.steps, run.tokens or run.epochs",
       "run.steps = 1000",
       train,
       {"run", "recipe"}},
      {"E410",
       "not (has(run.steps) and has(run.tokens))",
       "run.steps and run.tokens cannot both be given",
       "keep one of them",
       train,
       lengths},
      {"E410",
       "not (has(run.steps) and has(run.epochs))",
       "run.steps and run.epochs cannot both be given",
       "keep one of them",
       train,
       lengths},
      {"E410",
       "not (has(run.tokens) and has(run.epochs))",
       "run.tokens and run.epochs cannot both be given",
       "keep one of them",
       train,
       {"run.tokens", "run.epochs"}},
      {"E414",
       "batch.stride <= batch.seq_len",
       "batch.stride cannot be larger than batch.seq_len: tokens would be left out",
       "",
       train,
       {"batch.stride", "batch.seq_len"}},
      {"E417",
       "(batch.curriculum.by == 'perplexity') == (batch.curriculum.model != '')",
       "a curriculum by perplexity needs a model, and no other curriculum does",
       "batch.curriculum = { by = \"perplexity\", model = \"a model folder or run\" }",
       train,
       {"batch.curriculum.model", "batch.curriculum.by", "batch"}},
      {"E412",
       "batch.global % batch.micro == 0",
       "batch.global must be a multiple of batch.micro",
       "",
       train,
       {"batch.global", "batch.micro", "batch"}},
      {"E416",
       "not optimizer.in_backward or batch.micro == batch.global",
       "optimizer.in_backward = true moves parameters within one backward pass, and a step of "
       "several micro-batches has several",
       "optimizer.in_backward = false",
       train,
       {"optimizer.in_backward", "batch.micro", "batch.global"}},
      {"E416",
       "not (optimizer.in_backward and has(optimizer.clip_norm))",
       "optimizer.clip_norm needs all gradients at once, and optimizer.in_backward = true keeps "
       "none",
       "optimizer.in_backward = false",
       train,
       {"optimizer.in_backward", "optimizer.clip_norm"}},
      {"E416",
       "not (optimizer.in_backward and run.dtype == 'fp16')",
       "run.dtype = \"fp16\" leaves out steps whose gradients overflow, and optimizer.in_backward "
       "= true has moved parameters by then",
       "optimizer.in_backward = false",
       train,
       {"optimizer.in_backward", "run.dtype"}},
      {"E413",
       "model.from != '' or model.width > 0",
       "model.width is not given, and there is no model.from to take it from",
       "model.width = 256",
       train,
       {"model.width", "model"}},
  };
}

bool matches(std::string_view pattern, std::string_view path) {
  while (true) {
    const size_t dot = pattern.find('.'), other = path.find('.');
    if (pattern.substr(0, dot) != "*" && pattern.substr(0, dot) != path.substr(0, other))
      return false;
    if ((dot == std::string_view::npos) != (other == std::string_view::npos)) return false;
    if (dot == std::string_view::npos) return true;
    pattern.remove_prefix(dot + 1);
    path.remove_prefix(other + 1);
  }
}

}  // namespace

const std::vector<Slot>& slots() {
  static const std::vector<Slot> all = make_slots();
  return all;
}

const std::vector<CoreTable>& core_tables() {
  static const std::vector<CoreTable> all = make_core_tables();
  return all;
}

const std::vector<RecipeRule>& recipe_rules() {
  static const std::vector<RecipeRule> all = make_rules();
  return all;
}

const Slot* find_slot(std::string_view path) {
  for (const Slot& slot : slots())
    if (matches(slot.path, path)) return &slot;
  return nullptr;
}

Value component_config(const Value& table, const Slot& slot) {
  Value out = table;
  for (const FieldInfo& key : slot.keys) out.erase(key.name);
  return out;
}

const std::vector<std::string>& section_order() {
  static const std::vector<std::string> order = {
      "recipe",   "vars",    "plugins",    "run",       "tokenizer", "data",     "batch",
      "model",    "adapter", "reference",  "objective", "optimizer", "schedule", "ema",
      "parallel", "guard",   "checkpoint", "log",       "profile",   "generate", "eval",
      "export",   "tracker", "gate",       "sweep",     "stage"};
  return order;
}

}  // namespace mortise::core
