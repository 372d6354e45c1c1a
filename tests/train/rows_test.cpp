// Cutting, packing, ordering and batching of documents.
#include <algorithm>
#include <set>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"

#include "core/engine/data/batch.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT

namespace {

/// Documents of the given lengths; token i of document d is 100·d + i.
TokenSet documents(const std::vector<int64_t>& lengths) {
  TokenSet set;
  for (size_t d = 0; d < lengths.size(); ++d) {
    for (int64_t i = 0; i < lengths[d]; ++i)
      set.ids.push_back(static_cast<int32_t>(100 * d) + static_cast<int32_t>(i));
    set.begins.push_back(set.num_tokens());
    set.prompts.push_back(0);
  }
  return set;
}

BatchTable table(int64_t seq_len) {
  BatchTable batch;
  batch.seq_len = seq_len;
  return batch;
}

}  // namespace

TEST_SUITE("train.rows") {
  TEST_CASE("every target of every document is in exactly one row, and none crosses documents") {
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < 200; ++i) lengths.push_back(2 + (i * 37) % 23);
    const TokenSet tokens = documents(lengths);
    const RowSet rows(tokens, table(32), 7);
    std::multiset<std::pair<int64_t, int64_t>> seen;
    for (int64_t r = 0; r < rows.num_rows(); ++r) {
      int64_t used = 0;
      for (const Piece& piece : rows.row(r)) {
        used += piece.length;
        for (int64_t i = 0; i < piece.length; ++i) {
          const int32_t input = tokens.ids[static_cast<size_t>(piece.begin + i)],
                        target = tokens.ids[static_cast<size_t>(piece.begin + i + 1)];
          CHECK(target == input + 1);
          seen.emplace(piece.document, target);
        }
      }
      CHECK(used <= 32);
    }
    int64_t expected = 0;
    for (const int64_t length : lengths) expected += length - 1;
    CHECK(static_cast<int64_t>(seen.size()) == expected);
    CHECK(std::set(seen.begin(), seen.end()).size() == seen.size());
    CHECK(rows.total_targets() == expected);
    CHECK(static_cast<double>(rows.total_inputs()) / static_cast<double>(rows.num_rows() * 32) >
          0.95);
  }

  TEST_CASE("a document longer than a row is split, truncated or refused") {
    const TokenSet tokens = documents({71, 5});
    BatchTable batch = table(16);
    batch.overlong = "split";
    CHECK(RowSet(tokens, batch, 1).total_targets() == 70 + 4);
    batch.overlong = "truncate";
    CHECK(RowSet(tokens, batch, 1).total_targets() == 16 + 4);
    batch.overlong = "error";
    CHECK_THROWS_WITH_AS(RowSet(tokens, batch, 1),
                         doctest::Contains("document 0 has 71 tokens; a row holds 16"),
                         DataError);
  }

  TEST_CASE("prompts are read but not trained") {
    TokenSet tokens = documents({10});
    tokens.prompts[0] = 4;  // tokens 0…3 are the prompt, so targets 1…3 do not count
    const RowSet rows(tokens, table(16), 1);
    CHECK(rows.total_targets() == 6);
    const int64_t first = 0;
    const Batch batch = make_batch(tokens, rows, std::span(&first, 1));
    CHECK(batch.num_targets == 6);
    CHECK(batch.mask_N.sum().item<int64_t>() == 6);
    CHECK(batch.targets_N.masked_select(batch.mask_N)[0].item<int64_t>() == 4);
  }

  TEST_CASE("without document borders rows are full windows of one text") {
    BatchTable batch = table(8);
    batch.document_mask = false;
    const TokenSet tokens = documents({10, 11, 12});
    const RowSet rows(tokens, batch, 1);
    CHECK(rows.total_targets() == 32);
    CHECK(rows.num_rows() == 4);
  }

  TEST_CASE("without packing each document has its row, padded by position") {
    BatchTable batch = table(16);
    batch.packing = false;
    const TokenSet tokens = documents({4, 9});
    batch.shuffle = false;
    const RowSet rows(tokens, batch, 1);
    CHECK(rows.num_rows() == 2);
    const std::vector<int64_t> both = {0, 1};
    const Batch made = make_batch(tokens, rows, both);
    CHECK(made.tokens.ids_BT.size(1) == 8);
    CHECK(made.tokens.segments_BT[0][2].item<int>() == 1);
    CHECK(made.tokens.segments_BT[0][3].item<int>() == 0);
    CHECK(made.num_targets == 3 + 8);
    CHECK(made.tokens.offsets_S[0].item<int64_t>() == 0);
    CHECK(made.tokens.offsets_S[-1].item<int64_t>() == 16);
  }

  TEST_CASE("the order is a permutation of each epoch and differs between epochs and seeds") {
    const RowOrder a(50, true, 1), b(50, true, 2);
    std::vector<int64_t> first, second, other;
    for (int64_t i = 0; i < 50; ++i) {
      first.push_back(a.at(i));
      second.push_back(a.at(50 + i));
      other.push_back(b.at(i));
    }
    CHECK(first != second);
    CHECK(first != other);
    std::sort(first.begin(), first.end());
    for (int64_t i = 0; i < 50; ++i) CHECK(first[static_cast<size_t>(i)] == i);
  }

  TEST_CASE("exactly one of steps, tokens and epochs says how long a run is") {
    const TokenSet tokens = documents(std::vector<int64_t>(100, 9));
    const RowSet rows(tokens, table(8), 1);  // 100 rows of 8
    BatchTable batch = table(8);
    batch.global = 4;
    RunTable run;
    run.epochs = 2;
    CHECK(total_steps(run, batch, rows) == 50);
    run.epochs.reset();
    run.tokens = 320;
    CHECK(total_steps(run, batch, rows) == 10);
    run.steps = 3;
    CHECK_THROWS_WITH(total_steps(run, batch, rows),
                      doctest::Contains("exactly one of run.steps, run.tokens and run.epochs"));
  }
}
