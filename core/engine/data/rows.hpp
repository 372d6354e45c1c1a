// Documents → rows of at most seq_len inputs: packing, overlong documents, and which row comes
// when.
//
// A piece is a run of tokens read as inputs; its targets are the same run one token later, so a
// target never belongs to another document.  Packing is first-fit over a window of open rows.  The
// order of rows is a pure function of (seed, number of rows consumed): permute_index per epoch, so
// a resumed run needs only its counter.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mortise/torch/objective.hpp"

#include "core/engine/data/tokens.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

struct Piece {
  int64_t begin = 0;   // of its first input in TokenSet::ids
  int32_t length = 0;  // inputs; as many targets
  int32_t masked = 0;  // leading targets that do not count (a prompt)
  int64_t document = 0;
};

class RowSet {
 public:
  /// Cuts and packs all documents.  Throws: DataError when batch.overlong = "error" meets a longer
  /// one, or nothing is left.
  RowSet(const TokenSet& tokens, const BatchTable& batch, uint64_t seed);

  int64_t num_rows() const { return static_cast<int64_t>(first_.size()) - 1; }

  std::span<const Piece> row(int64_t index) const;

  /// Unmasked targets of one row / of all.
  int64_t num_targets(int64_t index) const { return targets_[static_cast<size_t>(index)]; }

  /// What a loss of that unit counts in one row.
  int64_t num_units(int64_t index, LossUnit unit) const;

  int64_t total_targets() const { return total_targets_; }

  int64_t total_inputs() const { return total_inputs_; }

  /// Documents cut by the overlong policy.
  int64_t num_overlong() const { return num_overlong_; }

  int64_t seq_len() const { return seq_len_; }

 private:
  std::vector<Piece> cut(const TokenSet& tokens, const BatchTable& batch, uint64_t seed);
  std::vector<Piece> cut_stream(const TokenSet& tokens) const;
  void pack(const std::vector<Piece>& pieces, int64_t window);

  std::vector<Piece> pieces_;
  std::vector<int64_t> first_ = {0}, targets_;
  int64_t seq_len_ = 0, total_targets_ = 0, total_inputs_ = 0, num_overlong_ = 0;
};

/// Which row is the n-th of the run.   Thread: [any-thread].
class RowOrder {
 public:
  RowOrder(int64_t num_rows, bool shuffle, uint64_t seed)
      : num_rows_(num_rows), shuffle_(shuffle), seed_(seed) {}

  int64_t at(int64_t consumed) const;

  int64_t epoch(int64_t consumed) const { return consumed / num_rows_; }

 private:
  int64_t num_rows_;
  bool shuffle_;
  uint64_t seed_;
};

/// Optimizer steps that run.steps, run.tokens or run.epochs ask for.  Throws: Error when none or
/// several are set.
int64_t total_steps(const RunTable& run, const BatchTable& batch, const RowSet& rows);

}  // namespace mortise::core
