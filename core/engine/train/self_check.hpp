// A guard over the first steps: every trainable tensor gets a gradient and moves, and no frozen one
// does.
//
// The symptom it catches ("trained" weights that never moved: a plugin that detached the graph, an
// optimizer that skips slots) is otherwise silent.  Tensors are compared by digest, so that no copy
// of the weights is held.
#pragma once

#include <string>
#include <vector>

#include "mortise/torch/module.hpp"

namespace mortise::core {

/// The paths of a path set are let off: a router may not have chosen some of them yet.
/// Thread: [train-thread].
class SelfCheck {
 public:
  static constexpr int64_t kSteps = 3;
  explicit SelfCheck(Module& model);

  /// Call after each of the first kSteps steps with that step's lr.
  void after_step(double lr) { sum_lr_ += lr; }

  /// Throws: Error{Gate} listing the tensors that did not move, or did although frozen.  Says
  /// nothing while lr was 0. `exact` is false for dtypes that may round a small update away: then a
  /// warning is all.
  void finish(bool exact) const;

 private:
  struct Entry {
    NamedTensor tensor;
    std::string digest;
    bool may_rest = false;
  };

  std::vector<Entry> entries_;
  double sum_lr_ = 0;
};

}  // namespace mortise::core
