// Filling ids, positions, segments, offsets and targets of a batch.
#include "core/engine/data/batch.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace mortise::core {

namespace {

/// The entries of the documents; undefined when there are none.
template <class T>
at::Tensor pick(const std::vector<T>& list,
                const std::vector<int64_t>& documents,
                at::ScalarType type) {
  if (list.empty()) return {};
  std::vector<int64_t> picked;
  for (const int64_t document : documents) picked.push_back(list[static_cast<size_t>(document)]);
  return at::tensor(picked, at::TensorOptions().dtype(at::kLong)).to(type);
}

}  // namespace

int64_t row_length(std::span<const Piece> row) {
  int64_t length = 0;
  for (const Piece& piece : row) length += piece.length;
  return length;
}

ObjectiveInput objective_input(const Batch& batch, const at::Tensor& hidden_BTD, Head& head) {
  ObjectiveInput input;
  input.hidden_ND = hidden_BTD.reshape({-1, hidden_BTD.size(-1)});
  input.head = &head;
  input.targets_N = batch.targets_N;
  input.mask_N = batch.mask_N;
  input.samples_N = batch.samples_N;
  input.labels_S = batch.labels_S;
  input.pairs_S = batch.pairs_S;
  input.chosen_S = batch.chosen_S;
  return input;
}

Batch make_batch(const TokenSet& tokens, const RowSet& rows, std::span<const int64_t> indices) {
  const auto num_rows = static_cast<int64_t>(indices.size());
  int64_t width = 1;
  for (const int64_t index : indices) width = std::max(width, row_length(rows.row(index)));
  Batch batch;
  const auto longs = at::TensorOptions().dtype(at::kLong);
  batch.tokens.ids_BT = at::zeros({num_rows, width}, longs);
  batch.tokens.positions_BT = at::zeros({num_rows, width}, longs);
  batch.tokens.segments_BT = at::zeros({num_rows, width}, at::TensorOptions().dtype(at::kInt));
  batch.targets_N = at::zeros({num_rows * width}, longs);
  at::Tensor mask_N = at::zeros({num_rows * width}, at::TensorOptions().dtype(at::kBool));
  batch.samples_N = at::full({num_rows * width}, -1, longs);
  std::vector<int64_t> offsets = {0}, documents, first_documents;
  for (int64_t r = 0; r < num_rows; ++r) {
    int64_t place = r * width;
    int32_t segment = 0;
    first_documents.push_back(rows.row(indices[static_cast<size_t>(r)]).front().document);
    for (const Piece& piece : rows.row(indices[static_cast<size_t>(r)])) {
      const int32_t* source = tokens.ids.data() + piece.begin;
      ++segment;
      batch.samples_N.narrow(0, place, piece.length).fill_(batch.num_samples++);
      documents.push_back(piece.document);
      for (int64_t i = 0; i < piece.length; ++i) {
        batch.tokens.ids_BT.data_ptr<int64_t>()[place + i] = source[i];
        batch.tokens.positions_BT.data_ptr<int64_t>()[place + i] = i;
        batch.tokens.segments_BT.data_ptr<int32_t>()[place + i] = segment;
        batch.targets_N.data_ptr<int64_t>()[place + i] = source[i + 1];
        mask_N.data_ptr<bool>()[place + i] = is_target(tokens, piece, i);
      }
      place += piece.length;
      offsets.push_back(place);
      batch.num_targets += piece.targets;
      batch.num_inputs += piece.length;
    }
    for (; place < (r + 1) * width;
         ++place) {  // padding: its own document, split so that it costs no attention
      batch.tokens.positions_BT.data_ptr<int64_t>()[place] = 0;
      offsets.push_back(place + 1);
    }
  }
  batch.tokens.offsets_S = at::tensor(offsets, longs);
  if (batch.num_targets < num_rows * width) batch.mask_N = mask_N;
  batch.tokens.kinds_B = pick(tokens.kinds, first_documents, at::kLong);
  batch.labels_S = pick(tokens.labels, documents, at::kLong);
  batch.pairs_S = pick(tokens.pairs, documents, at::kLong);
  batch.chosen_S = pick(tokens.chosen, documents, at::kBool);
  return batch;
}

}  // namespace mortise::core
