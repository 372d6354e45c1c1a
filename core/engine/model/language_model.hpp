// The model that every job uses: embedding → layers → norm → head, built from a specification
// ([model] as a Value).
//
// Built empty (also on the meta device), then initialised by seed and path or filled from a weight
// format.  Parameter paths are the LLaMA names of Hugging Face: model.embed_tokens,
// model.layers.N.…, model.norm, lm_head.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mortise/architecture.hpp"
#include "mortise/torch/adapter.hpp"
#include "mortise/torch/block.hpp"
#include "mortise/torch/embedding.hpp"
#include "mortise/torch/head.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/parallel.hpp"
#include "mortise/torch/router.hpp"
#include "mortise/weight_format.hpp"

namespace mortise::core {

/// One forward's batch.  B rows, T tokens.
struct TokenBatch {
  at::Tensor ids_BT;        // int64
  at::Tensor positions_BT;  // int64
  at::Tensor segments_BT;   // int32; undefined: one document a row
  at::Tensor offsets_S;     // int64, with segments
  at::Tensor kinds_B;       // int64; undefined: not known
  KvCache* cache = nullptr;
};

struct HiddenOutput {
  at::Tensor hidden_BTD;  // after the final norm
  std::vector<NamedValue>
      losses;                     // of routers; the same name from several layers is one entry each
  std::vector<NamedValue> stats;  // by path: "model.layers.3.load_max"
  std::vector<NamedValue> counts;  // by path of the router
};

/// Thread: [train-thread].
class LanguageModel final : public Module {
 public:
  /// Builds the model of a resolved [model] table (vocab and width set).  Parameters are
  /// uninitialised. Throws: Error with the table's path as context: "while building
  /// [model.layer.dense], layer 3".
  static std::shared_ptr<LanguageModel> build(const Value& spec,
                                              Host& host,
                                              const BuildContext& build);

  /// Throws: DataError on an id outside the vocabulary; Error on a position beyond max_seq_len().
  HiddenOutput forward(const TokenBatch& batch);

  /// Puts on the adapter that `make` returns; what it adds is no part of the base from now on.
  void attach(const std::function<std::shared_ptr<Adapter>(LanguageModel&)>& make);

  /// Null: none is attached.
  Adapter* adapter() { return adapter_.get(); }

  bool has_adapter() const { return adapter_ != nullptr; }

  /// Runs a prompt through the base and hands the adapter what it left: keys, values, embeddings.
  void start_adapter_from(const at::Tensor& ids_1P);

  /// The tensors of the model without its adapter: what weight files hold.
  std::vector<NamedTensor> base_tensors() const;

  /// Says whether a tensor belongs to the model without its adapter.
  bool is_base(const std::string& name) const {
    return adapter_ == nullptr || base_names_.contains(name);
  }

  /// Runs every unit through the strategy while training.
  void wrap_units(std::shared_ptr<Parallel> strategy);

  /// Says that units differ in dtype (run.precision).  A unit whose parameters are all of one dtype
  /// computes in it, others in `standard`; between units the stream is converted.
  void settle_dtypes(at::ScalarType standard);

  /// Gives the base the dtypes of another model of the same specification.
  void take_dtypes(const LanguageModel& other);

  /// Hidden states as the head takes them.  Costs nothing when all is of one dtype.
  at::Tensor for_head(const at::Tensor& hidden) const;

  /// One unit with the adapter's prefix and, while training, the strategies around it.
  BlockOutput run_unit(int64_t layer, BlockInput& in);

  /// Bound of the uniform noise on the embeddings while training (NEFTune,
  /// arXiv:2310.05914): alpha / √(tokens × width).
  void set_embedding_noise(double alpha) { noise_alpha_ = alpha; }

  /// The routers of all layers by path.
  std::vector<std::pair<std::string, Router*>> routers();

  Head& head() { return *head_; }

  int64_t num_layers() const { return static_cast<int64_t>(layers_.size()); }

  int64_t vocab() const { return vocab_; }

  int64_t width() const { return width_; }

  /// Positions that the model was made for; 0: no limit.
  int64_t max_seq_len() const { return max_seq_len_; }

  /// The name of the [model.layer.*] table that layer `index` came from.
  const std::string& layer_table(int64_t index) const {
    return layer_tables_.at(static_cast<size_t>(index));
  }

 private:
  LanguageModel() = default;
  void build_layers(const Value& spec, Host& host, BuildContext context);
  void check(const TokenBatch& batch) const;
  BlockInput stack_input(const TokenBatch& batch);

  int64_t vocab_ = 0, width_ = 0, max_seq_len_ = 0;
  std::shared_ptr<Embedding> embedding_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::vector<UnitRunner> training_units_;  // empty: the layers themselves
  std::vector<std::shared_ptr<Parallel>> strategies_;
  std::shared_ptr<Adapter> adapter_;
  std::set<std::string> base_names_;  // filled by attach()
  double noise_alpha_ = 0;
  std::vector<at::ScalarType> layer_dtypes_;  // empty, as the next are undefined: all is one dtype
  at::ScalarType norm_dtype_ = at::ScalarType::Undefined, head_dtype_ = at::ScalarType::Undefined;
  std::vector<std::string> layer_tables_;
  std::shared_ptr<Norm> norm_;
  std::shared_ptr<Head> head_;
  std::map<std::string, std::shared_ptr<Component>> shared_;
};

/// Parameters of one part of a model, for `plan`: "model.embedding", "model.layer.dense",
/// "model.norm", "model.head".
struct PartSize {
  std::string part;
  int64_t units = 1;       // layers made from this table
  int64_t parameters = 0;  // of all units together; a tied tensor counts where it is owned
};

std::vector<PartSize> count_parameters(const LanguageModel& model);

/// Fills all parameters, or the adapter's, from their Init: numbers depend on seed and path only,
/// not on threads or order.
enum class Initialise { All, Adapter };
void initialise(LanguageModel& model,
                uint64_t seed,
                double std,
                bool scale_residual,
                Initialise which = Initialise::All);

/// Streams weights from a directory through an architecture's name map; converts to the model's
/// dtype. An adapter is left as it is, unless `with_adapter`.  Memory: the model and one tensor.
/// Throws: DataError listing missing, unexpected and misshapen tensors, all at once.
void load_weights(LanguageModel& model,
                  const WeightReader& reader,
                  const Architecture& architecture,
                  const Value& spec,
                  bool with_adapter = false);

/// Throws: Error naming what the architecture cannot express or has no name for.   `model` may be
/// on the meta device.
void check_writable(const LanguageModel& model,
                    const Architecture& architecture,
                    const Value& spec);

/// Writes config.json (last) and weights (converted to `dtype`) through the name map; tied tensors
/// once. `config_extra` is a table of further keys of config.json (token ids); null: none.
void save_weights(const LanguageModel& model,
                  const std::string& directory,
                  const WeightFormat& format,
                  const Architecture& architecture,
                  const Value& spec,
                  at::ScalarType dtype,
                  const Value& config_extra = Value());

/// A batch of unpacked rows, for scoring and tests: positions 0…T−1.
TokenBatch plain_batch(const at::Tensor& ids_BT);

}  // namespace mortise::core
