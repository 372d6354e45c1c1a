// Cutting, packing and ordering.
#include "core/engine/data/rows.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/error.hpp"
#include "mortise/random.hpp"

namespace mortise::core {

namespace {

constexpr int64_t kOpenRows =
    64;  // rows that first-fit looks at: 98–99 % full for short documents, and linear time

int64_t document_at(int64_t place, int64_t count, bool shuffle, uint64_t seed) {
  return shuffle ? permute_index(place, count, mix_key(seed, "documents")) : place;
}

}  // namespace

RowSet::RowSet(const TokenSet& tokens, const BatchTable& batch, uint64_t seed)
    : seq_len_(batch.seq_len) {
  // Without document borders a packed row is a window of one long text, and targets cross
  // documents.
  const bool stream = batch.packing && !batch.document_mask;
  const std::vector<Piece> pieces = stream ? cut_stream(tokens) : cut(tokens, batch, seed);
  pack(pieces, batch.packing && !stream ? kOpenRows : 0);
  if (total_targets_ == 0)
    throw DataError(fmt::format("no document has a token to predict: {} documents, {} tokens",
                                tokens.num_documents(),
                                tokens.num_tokens()));
}

std::vector<Piece> RowSet::cut(const TokenSet& tokens, const BatchTable& batch, uint64_t seed) {
  std::vector<Piece> pieces;
  pieces.reserve(static_cast<size_t>(tokens.num_documents()));
  for (int64_t place = 0; place < tokens.num_documents(); ++place) {
    const int64_t document = document_at(place, tokens.num_documents(), batch.shuffle, seed);
    const auto d = static_cast<size_t>(document);
    const int64_t begin = tokens.begins[d];
    int64_t inputs = tokens.begins[d + 1] - begin - 1;  // the last token is only a target
    if (inputs > seq_len_) {
      ++num_overlong_;
      if (batch.overlong == "error")
        throw DataError(
            fmt::format(
                "document {} has {} tokens; a row holds {}", document, inputs + 1, seq_len_),
            "batch.overlong = \"split\" or \"truncate\", a larger batch.seq_len, or a `chunk` step "
            "in [data.pipeline]");
      if (batch.overlong == "truncate") inputs = seq_len_;
    }
    const int64_t unpredicted =
        std::max<int64_t>(0, tokens.prompts[d] - 1);  // target i is token i + 1
    for (int64_t done = 0; done < inputs; done += seq_len_) {
      const int64_t length = std::min(seq_len_, inputs - done);
      pieces.push_back({begin + done,
                        static_cast<int32_t>(length),
                        static_cast<int32_t>(std::clamp<int64_t>(unpredicted - done, 0, length)),
                        document});
    }
  }
  return pieces;
}

std::vector<Piece> RowSet::cut_stream(const TokenSet& tokens) const {
  std::vector<Piece> pieces;
  for (int64_t begin = 0; begin + 1 < tokens.num_tokens(); begin += seq_len_)
    pieces.push_back(
        {begin, static_cast<int32_t>(std::min(seq_len_, tokens.num_tokens() - 1 - begin)), 0, 0});
  return pieces;
}

// First fit over the newest `window` open rows; a row is written when it is full or falls out of
// the window.
void RowSet::pack(const std::vector<Piece>& pieces, int64_t window) {
  struct Open {
    std::vector<Piece> pieces;
    int64_t free = 0;
  };

  std::vector<Open> open;
  const auto close = [&](size_t index) {
    int64_t targets = 0;
    for (const Piece& piece : open[index].pieces) {
      targets += piece.length - piece.masked;
      total_inputs_ += piece.length;
      pieces_.push_back(piece);
    }
    first_.push_back(static_cast<int64_t>(pieces_.size()));
    targets_.push_back(targets);
    total_targets_ += targets;
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
  };
  for (const Piece& piece : pieces) {
    auto fit = std::find_if(
        open.begin(), open.end(), [&](const Open& row) { return row.free >= piece.length; });
    if (fit == open.end()) {
      if (static_cast<int64_t>(open.size()) >= std::max<int64_t>(1, window)) close(0);
      fit = open.insert(open.end(), Open{{}, seq_len_});
    }
    fit->pieces.push_back(piece);
    fit->free = window == 0 ? 0 : fit->free - piece.length;
    if (fit->free == 0) close(static_cast<size_t>(fit - open.begin()));
  }
  while (!open.empty()) close(0);
}

std::span<const Piece> RowSet::row(int64_t index) const {
  const auto begin = static_cast<size_t>(first_[static_cast<size_t>(index)]),
             end = static_cast<size_t>(first_[static_cast<size_t>(index) + 1]);
  return std::span(pieces_).subspan(begin, end - begin);
}

int64_t RowSet::num_units(int64_t index, LossUnit unit) const {
  if (unit == LossUnit::Target) return num_targets(index);
  return static_cast<int64_t>(row(index).size()) / (unit == LossUnit::Pair ? 2 : 1);
}

int64_t RowOrder::at(int64_t consumed) const {
  const int64_t index = consumed % num_rows_;
  return shuffle_ ? permute_index(
                        index, num_rows_, mix_key(seed_, fmt::format("epoch {}", epoch(consumed))))
                  : index;
}

int64_t total_steps(const RunTable& run, const BatchTable& batch, const RowSet& rows) {
  const int given =
      int{run.steps.has_value()} + int{run.tokens.has_value()} + int{run.epochs.has_value()};
  MORTISE_CHECK(
      given == 1, "exactly one of run.steps, run.tokens and run.epochs must be set, got {}", given);
  if (run.steps) return *run.steps;
  const double per_row =
      static_cast<double>(rows.total_inputs()) / static_cast<double>(rows.num_rows());
  const double wanted_rows = run.epochs ? *run.epochs * static_cast<double>(rows.num_rows())
                                        : static_cast<double>(*run.tokens) / per_row;
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(wanted_rows / static_cast<double>(batch.global))));
}

}  // namespace mortise::core
