// Scores from a confusion matrix C (rows: labels, columns: predictions), as scikit-learn defines
// them (sklearn/metrics/_classification.py, 1.9):
//   accuracy = Σ C[k][k] / Σ C      recall_k = C[k][k] / Σ_j C[k][j]      precision_k likewise by
//   column      F1_k = 2·tp / (2·tp + fp + fn)      macro: the mean over the classes that occur
// Statistics of a sample: K² cells and its log loss, so that shards add up.
#include "classification.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::metric::classification {

namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

size_t num_classes(const Stats& sum) {
  const auto classes = static_cast<size_t>(std::sqrt(static_cast<double>(sum.size())));
  MORTISE_CHECK(classes * classes + 1 == sum.size(), "statistics of another metric");
  return classes;
}

}  // namespace

Stats Classification::sample(const Sample& sample) const {
  const std::span<const double> scores = sample.scores;
  const auto classes = static_cast<int64_t>(scores.size());
  MORTISE_CHECK(sample.label >= 0 && sample.label < classes,
                "a sample has the label {}, and there are {} scores",
                sample.label,
                classes);
  MORTISE_CHECK(std::none_of(scores.begin(), scores.end(), [](double s) { return std::isnan(s); }),
                "a score is nan: the model's output holds nan");
  const auto best = std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - *best);
  Stats stats(static_cast<size_t>(classes * classes) + 1, 0.0);
  stats[static_cast<size_t>(sample.label * classes + (best - scores.begin()))] = 1;
  stats.back() = std::log(sum) + *best - scores[static_cast<size_t>(sample.label)];
  return stats;
}

std::vector<Score> Classification::compute(const Stats& sum) const {
  const size_t classes = num_classes(sum);
  double samples = 0, hits = 0, f1 = 0, recall = 0, commonest = 0;
  int64_t seen = 0, labelled = 0;
  for (size_t k = 0; k < classes; ++k) {
    double labels = 0, predictions = 0;
    for (size_t j = 0; j < classes; ++j) {
      labels += sum[k * classes + j];
      predictions += sum[j * classes + k];
    }
    const double hit = sum[k * classes + k];
    samples += labels;
    hits += hit;
    commonest = std::max(commonest, labels);
    f1 += ratio(2 * hit, labels + predictions);
    recall += ratio(hit, labels);
    seen += labels + predictions > 0 ? 1 : 0;
    labelled += labels > 0 ? 1 : 0;
  }
  return {{"accuracy", ratio(hits, samples)},
          {"macro_f1", ratio(f1, static_cast<double>(seen))},
          {"balanced_accuracy", ratio(recall, static_cast<double>(labelled))},
          {"log_loss", ratio(sum.back(), samples)},
          {"majority", ratio(commonest, samples)}};
}

std::string Classification::signature() const {
  return "mean:macro|zero_division:0|ties:first|log:natural|version:1";
}

void Classification::Config::describe(Schema<Config>& schema) { schema.needs("sample_scores"); }

}  // namespace mortise::metric::classification

MORTISE_PLUGIN("org.mortise.metric.classification",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::classification::Classification>(
                   "classification", "accuracy, macro-F1 and log loss of labelled samples"));
