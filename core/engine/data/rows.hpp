// Documents → rows of at most seq_len inputs: packing, overlong documents, and which row comes
// when.
//
// A piece is a run of tokens read as inputs; its targets are the same run one token later, so a
// target never belongs to another document.  Packing is first-fit over a window of open rows; the
// two documents of a pair always share a row.  The order of rows is a pure function of (seed,
// number of rows consumed), so a resumed run needs only its counter: permute_index per epoch, and
// before that, with a curriculum, draws among the easiest rows, whose share grows with the square
// root of progress (Platanios et al., arXiv:1903.09848, eq. 8).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mortise/torch/objective.hpp"

#include "core/engine/data/tokens.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

struct Piece {
  int64_t begin = 0;    // of its first input in TokenSet::ids
  int32_t length = 0;   // inputs; as many targets
  int32_t context = 0;  // leading targets that do not count: the window before has them
  int32_t targets = 0;  // that count
  int64_t document = 0;
};

/// Whether target i of a piece counts.
inline bool is_target(const TokenSet& tokens, const Piece& piece, int64_t i) {
  return i >= piece.context && !tokens.is_masked(piece.begin + i + 1);
}

class RowSet {
 public:
  /// Cuts and packs all documents.  Throws: DataError when batch.overlong = "error" meets a longer
  /// one, a labelled or paired one would be split, or nothing is left.
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

  /// Documents left out because nothing in them is trained.
  int64_t num_untrained() const { return num_untrained_; }

  int64_t seq_len() const { return seq_len_; }

 private:
  std::vector<Piece> cut(const TokenSet& tokens, const BatchTable& batch, uint64_t seed);
  std::vector<Piece> cut_stream(const TokenSet& tokens) const;
  void cut_document(const TokenSet& tokens,
                    int64_t document,
                    int64_t inputs,
                    int64_t stride,
                    std::vector<Piece>& pieces) const;
  int64_t fit(const TokenSet& tokens, int64_t document, int64_t room, const BatchTable& batch);
  void pack(const TokenSet& tokens, const std::vector<Piece>& pieces, int64_t window);

  std::vector<Piece> pieces_;
  std::vector<int64_t> first_ = {0}, targets_;
  int64_t seq_len_ = 0, total_targets_ = 0, total_inputs_ = 0, num_overlong_ = 0,
          num_untrained_ = 0;
};

/// The first `rows` rows of a run are drawn among the easiest, at first a share `start` of them.
struct Ramp {
  int64_t rows = 0;
  double start = 0;
};

/// Which row is the n-th of the run.   Thread: [any-thread].
class RowOrder {
 public:
  RowOrder(int64_t num_rows, bool shuffle, uint64_t seed, Ramp ramp = {})
      : num_rows_(num_rows), shuffle_(shuffle), seed_(seed), ramp_(ramp) {}

  int64_t at(int64_t consumed) const;

  int64_t epoch(int64_t consumed) const { return consumed / num_rows_; }

 private:
  int64_t num_rows_;
  bool shuffle_;
  uint64_t seed_;
  Ramp ramp_;
};

/// Optimizer steps that run.steps, run.tokens or run.epochs ask for.  Throws: Error when none or
/// several are set.
int64_t total_steps(const RunTable& run, const BatchTable& batch, const RowSet& rows);

}  // namespace mortise::core
