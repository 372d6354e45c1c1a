// [eval.*] during and after training: likelihood metrics on packed documents, text metrics on
// generated answers, others on what the objective scores.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/evaluate/likelihood.hpp"
#include "core/engine/train/references.hpp"
#include "core/run/scoring.hpp"

namespace mortise::core {

/// Continues prompts; returns the new text only.
using Continue = std::function<std::vector<std::string>(const std::vector<std::string>& prompts,
                                                        int64_t max_new_tokens)>;

struct EvalResult {
  ScoreReport report;
  std::vector<Score>
      baseline;  // the same metric under the unigram model of the training data; empty: not asked
  int64_t num_samples = 0;
};

/// Thread: [train-thread].
class Evaluator {
 public:
  /// Lifetime: workspace and model outlive it.
  Evaluator(const Workspace& space, LanguageModel& model, Continue generate, References references);

  /// Evaluates what is due at this step: all at the end, else those whose `every` divides it.
  /// `step` > 0.
  std::vector<EvalResult> run(int64_t step, bool at_end);

  const std::vector<EvalSlot>& slots() const { return slots_; }

 private:
  struct Part {
    TokenSet tokens;
    std::unique_ptr<RowSet> rows;
    std::vector<std::string> texts;  // scored text of each document
    std::unique_ptr<Likelihoods> unigram;
  };

  /// `whole`: with the labels and pairs of the documents, which are never cut.
  Part& part(const std::string& name, int64_t limit, bool whole = false);
  void check_head(const EvalSlot& slot) const;
  EvalResult likelihood(const EvalSlot& slot, std::map<std::string, Likelihoods>& done);
  EvalResult generated(const EvalSlot& slot);
  void check_scored(const EvalSlot& slot);
  EvalResult scored(const EvalSlot& slot);

  const Workspace& space_;
  LanguageModel& model_;
  Continue generate_;
  References references_;
  std::unique_ptr<Objective> objective_;  // of metrics that need scores; null: there are none
  std::vector<EvalSlot> slots_;
  std::map<std::string, Part> parts_;
  std::unique_ptr<Unigram> unigram_;
};

/// JSON of eval/NAME.json.
Value to_value(const EvalResult& result, int64_t step);
/// One line for people, the baseline included.
std::string result_line(const EvalResult& result);

}  // namespace mortise::core
