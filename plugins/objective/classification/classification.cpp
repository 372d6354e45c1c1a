// Cross-entropy over the classes of whole samples (see README.md for the formula).  The scores of a
// micro-batch are as many rows as it has samples, so nothing is cut into chunks.
#include "classification.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/samples.hpp"

namespace mortise::objective::classification {

namespace {

void check_labels(const at::Tensor& labels_S, int64_t num_classes) {
  const auto [low, high] = at::aminmax(labels_S);
  const int64_t smallest = low.item<int64_t>(), largest = high.item<int64_t>();
  if (smallest < 0)
    throw Error(Code::Data,
                "a document has no number `label`, and the objective classifies documents",
                "add a `map_labels` step to [data.pipeline] that maps a field to numbers");
  if (largest >= num_classes)
    throw Error(Code::Data,
                fmt::format("a document has the label {}; the head has {} outputs, for 0 to {}",
                            largest,
                            num_classes,
                            num_classes - 1),
                fmt::format("model.head = {{ type = \"classify\", labels = {} }}", largest + 1));
}

}  // namespace

Classification::Classification(Config config) : config_(std::move(config)) {}

at::Tensor Classification::sample_scores(const ObjectiveInput& in) {
  if (!in.labels_S.defined())
    throw Error(Code::Data,
                "the objective classifies documents, and none has a number `label`",
                "add a `map_labels` step to [data.pipeline] that maps a field to numbers");
  const at::Tensor pooled_SD =
      pool_samples(in, config_.pooling == "mean" ? Pooling::Mean : Pooling::Last);
  const at::Tensor scores = in.head->logits(pooled_SD);
  check_labels(in.labels_S, scores.size(1));
  return scores.to(scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

ObjectiveOutput Classification::forward(const ObjectiveInput& in) {
  const at::Tensor scores_SL = sample_scores(in);
  const double smoothing = config_.label_smoothing;
  const at::Tensor log_p_SL = at::log_softmax(scores_SL, -1);
  at::Tensor loss_S = -(1 - smoothing) * log_p_SL.gather(1, in.labels_S.unsqueeze(1)).squeeze(1);
  if (smoothing > 0) loss_S = loss_S - smoothing * log_p_SL.mean(-1);
  if (!config_.class_weights.empty()) {
    const auto given = static_cast<int64_t>(config_.class_weights.size());
    MORTISE_CHECK(given == scores_SL.size(1),
                  "objective.class_weights has {} numbers and the head {} outputs",
                  given,
                  scores_SL.size(1));
    const at::Tensor weights_L = at::tensor(config_.class_weights, scores_SL.options());
    loss_S = loss_S * weights_L.index_select(0, in.labels_S);
  }
  const at::Tensor sum = loss_S.sum();
  ObjectiveOutput out;
  out.loss = sum * (in.loss_scale / in.normaliser);
  out.loss_sum = sum.detach();
  out.parts.push_back(
      {"accuracy", scores_SL.detach().argmax(-1).eq(in.labels_S).sum().to(at::kDouble)});
  return out;
}

void Classification::Config::describe(Schema<Config>& schema) {
  schema.field("pooling", &Config::pooling, "what stands for a sample: its last token or the mean")
      .one_of({"last", "mean"});
  schema
      .field(
          "class_weights", &Config::class_weights, "factor on the loss of each class; empty: all 1")
      .min(0);
  schema
      .field("label_smoothing",
             &Config::label_smoothing,
             "share of the class's probability spread over all classes")
      .range(0, 1);
  schema.provides("sample_scores");
}

}  // namespace mortise::objective::classification

MORTISE_PLUGIN("org.mortise.objective.classification",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::objective::classification::Classification>(
                   "classification", "the class of each sample by cross-entropy"));
