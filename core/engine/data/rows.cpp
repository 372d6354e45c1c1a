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

int64_t inputs_of(const TokenSet& tokens, int64_t document) {
  const auto d = static_cast<size_t>(document);
  return tokens.begins[d + 1] - tokens.begins[d] - 1;  // the last token is only a target
}

/// The first documents of all groups, in the order in which they are packed.
std::vector<int64_t> group_order(const TokenSet& tokens, const BatchTable& batch, uint64_t seed) {
  std::vector<int64_t> groups, order;
  for (int64_t d = 0; d < tokens.num_documents(); d += tokens.group_size(d)) groups.push_back(d);
  const auto count = static_cast<int64_t>(groups.size());
  for (int64_t place = 0; place < count; ++place)
    order.push_back(groups[static_cast<size_t>(
        batch.shuffle ? permute_index(place, count, mix_key(seed, "documents")) : place)]);
  if (batch.curriculum.by.empty()) return order;
  const auto difficulty = [&](int64_t d) {
    return tokens.difficulty.empty() ? static_cast<double>(inputs_of(tokens, d))
                                     : tokens.difficulty[static_cast<size_t>(d)];
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t left, int64_t right) {
    return difficulty(left) < difficulty(right);
  });
  return order;
}

int32_t count_targets(const TokenSet& tokens, const Piece& piece) {
  int32_t count = 0;
  for (int32_t i = 0; i < piece.length; ++i) count += is_target(tokens, piece, i) ? 1 : 0;
  return count;
}

}  // namespace

RowSet::RowSet(const TokenSet& tokens, const BatchTable& batch, uint64_t seed)
    : seq_len_(batch.seq_len) {
  // Without document borders a packed row is a window of one long text, and targets cross
  // documents.
  const bool stream = batch.packing && !batch.document_mask;
  const std::vector<Piece> pieces = stream ? cut_stream(tokens) : cut(tokens, batch, seed);
  pack(tokens, pieces, batch.packing && !stream ? kOpenRows : 0);
  if (pieces_.empty())
    throw DataError(
        fmt::format("no document has a token to predict: {} documents, {} tokens, {} documents "
                    "wholly masked",
                    tokens.num_documents(),
                    tokens.num_tokens(),
                    num_untrained_),
        "`mortise data preview RECIPE` shows what is trained; a `chat_template` step trains the "
        "roles that its `train` names");
}

// How many inputs of the document are used when `room` are left in its row.
int64_t RowSet::fit(const TokenSet& tokens,
                    int64_t document,
                    int64_t room,
                    const BatchTable& batch) {
  const int64_t inputs = inputs_of(tokens, document);
  if (inputs <= room) return inputs;
  ++num_overlong_;
  const bool is_pair = tokens.group_size(document) == 2;
  const bool whole = is_pair || tokens.is_labelled(document);
  if (batch.overlong == "error" || (whole && batch.overlong == "split"))
    throw DataError(
        fmt::format("document {} has {} tokens; a row holds {}{}",
                    document,
                    inputs + 1,
                    seq_len_,
                    is_pair
                        ? fmt::format(", both documents of a pair together, and {} are left for "
                                      "this one; a pair cannot be split",
                                      room)
                    : whole ? ", and a document with a label cannot be split"
                            : ""),
        fmt::format("batch.overlong = {}\"truncate\", a larger batch.seq_len, or a `chunk` step in "
                    "[data.pipeline]",
                    whole ? "" : "\"split\" or "));
  return batch.overlong == "truncate" ? room : inputs;
}

// Windows of one document; what a window shares with the one before is context.
void RowSet::cut_document(const TokenSet& tokens,
                          int64_t document,
                          int64_t inputs,
                          int64_t stride,
                          std::vector<Piece>& pieces) const {
  const int64_t begin = tokens.begins[static_cast<size_t>(document)];
  for (int64_t done = 0, end = 0; end < inputs; done += stride) {
    Piece piece = {begin + done,
                   static_cast<int32_t>(std::min(seq_len_, inputs - done)),
                   static_cast<int32_t>(end - done),
                   0,
                   document};
    end = done + piece.length;
    piece.targets = count_targets(tokens, piece);
    if (piece.targets > 0 || tokens.is_labelled(document)) pieces.push_back(piece);
  }
}

std::vector<Piece> RowSet::cut(const TokenSet& tokens, const BatchTable& batch, uint64_t seed) {
  std::vector<Piece> pieces;
  pieces.reserve(static_cast<size_t>(tokens.num_documents()));
  const int64_t stride = batch.stride == 0 ? seq_len_ : batch.stride;
  for (const int64_t document : group_order(tokens, batch, seed)) {
    const int64_t size = tokens.group_size(document);
    const size_t before = pieces.size();
    int64_t room = seq_len_;
    for (int64_t d = document; d < document + size; ++d) {
      // The first of a pair leaves the second its half, or what that needs.
      const int64_t other =
          d + 1 < document + size ? std::min(seq_len_ / 2, inputs_of(tokens, d + 1)) : 0;
      const int64_t inputs = fit(tokens, d, room - other, batch);
      cut_document(tokens, d, inputs, stride, pieces);
      room -= inputs;
    }
    const auto made = static_cast<int64_t>(pieces.size() - before);
    if (made > 0 && made >= size) continue;
    num_untrained_ += size;  // a pair of which one side is masked is of no use either
    pieces.resize(before);
  }
  return pieces;
}

std::vector<Piece> RowSet::cut_stream(const TokenSet& tokens) const {
  MORTISE_CHECK(tokens.labels.empty() && tokens.pairs.empty(),
                "documents with labels or pairs need borders: batch.document_mask must be true");
  std::vector<Piece> pieces;
  for (int64_t begin = 0; begin + 1 < tokens.num_tokens(); begin += seq_len_) {
    Piece piece = {
        begin, static_cast<int32_t>(std::min(seq_len_, tokens.num_tokens() - 1 - begin)), 0, 0, 0};
    piece.targets = count_targets(tokens, piece);
    if (piece.targets > 0) pieces.push_back(piece);
  }
  return pieces;
}

// First fit over the newest `window` open rows; a row is written when it is full or falls out of
// the window.
void RowSet::pack(const TokenSet& tokens, const std::vector<Piece>& pieces, int64_t window) {
  struct Open {
    std::vector<Piece> pieces;
    int64_t free = 0;
  };

  std::vector<Open> open;
  const auto close = [&](size_t index) {
    int64_t targets = 0;
    for (const Piece& piece : open[index].pieces) {
      targets += piece.targets;
      total_inputs_ += piece.length;
      pieces_.push_back(piece);
    }
    first_.push_back(static_cast<int64_t>(pieces_.size()));
    targets_.push_back(targets);
    total_targets_ += targets;
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
  };
  for (size_t i = 0; i < pieces.size();) {
    const auto count = static_cast<size_t>(tokens.group_size(pieces[i].document));
    int64_t length = 0;
    for (size_t k = 0; k < count; ++k) length += pieces[i + k].length;
    auto row = std::find_if(
        open.begin(), open.end(), [&](const Open& each) { return each.free >= length; });
    if (row == open.end()) {
      if (static_cast<int64_t>(open.size()) >= std::max<int64_t>(1, window)) close(0);
      row = open.insert(open.end(), Open{{}, seq_len_});
    }
    for (size_t k = 0; k < count; ++k) row->pieces.push_back(pieces[i + k]);
    row->free = window == 0 ? 0 : row->free - length;
    if (row->free == 0) close(static_cast<size_t>(row - open.begin()));
    i += count;
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
  if (consumed < ramp_.rows) {
    const double progress = static_cast<double>(consumed) / static_cast<double>(ramp_.rows);
    const double first = ramp_.start * ramp_.start;
    const double share = std::sqrt(progress * (1 - first) + first);
    const double easiest = std::ceil(share * static_cast<double>(num_rows_));
    Philox random(mix_key(seed_, "curriculum"), static_cast<uint64_t>(consumed));
    return static_cast<int64_t>(random.below(
        static_cast<uint64_t>(std::clamp(easiest, 1.0, static_cast<double>(num_rows_)))));
  }
  const int64_t place = consumed - ramp_.rows, index = place % num_rows_;
  return shuffle_
             ? permute_index(
                   index, num_rows_, mix_key(seed_, fmt::format("epoch {}", place / num_rows_)))
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
