// Cutting, packing, ordering and batching of documents.
#include <algorithm>
#include <cmath>
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
    tokens.masked.resize(10);
    for (size_t i = 0; i < 4; ++i) tokens.masked[i] = true;  // so targets 1…3 do not count
    const RowSet rows(tokens, table(16), 1);
    CHECK(rows.total_targets() == 6);
    const int64_t first = 0;
    const Batch batch = make_batch(tokens, rows, std::span(&first, 1));
    CHECK(batch.num_targets == 6);
    CHECK(batch.mask_N.sum().item<int64_t>() == 6);
    CHECK(batch.targets_N.masked_select(batch.mask_N)[0].item<int64_t>() == 4);
  }

  TEST_CASE("any token can be masked, and a document without a target is counted and left out") {
    TokenSet tokens = documents({10, 6, 8});
    tokens.masked.resize(24);
    for (const size_t token : {2U, 3U, 7U}) tokens.masked[token] = true;
    for (size_t token = 11; token < 16; ++token) tokens.masked[token] = true;
    const RowSet rows(tokens, table(32), 1);
    CHECK(rows.total_targets() == 6 + 7);
    CHECK(rows.num_untrained() == 1);
    CHECK(rows.total_inputs() == 9 + 7);
    const int64_t first = 0;
    const Batch batch = make_batch(tokens, rows, std::span(&first, 1));
    CHECK(batch.num_targets == 13);
    CHECK(batch.num_samples == 2);
    const at::Tensor trained = batch.targets_N.masked_select(batch.mask_N);
    std::multiset<int64_t> seen(trained.data_ptr<int64_t>(),
                                trained.data_ptr<int64_t>() + trained.numel());
    CHECK(seen == std::multiset<int64_t>{1, 4, 5, 6, 8, 9, 201, 202, 203, 204, 205, 206, 207});
    for (size_t token = 0; token < 24; ++token) tokens.masked[token] = true;
    CHECK_THROWS_WITH_AS(
        RowSet(tokens, table(32), 1), doctest::Contains("3 documents wholly masked"), DataError);
  }

  TEST_CASE("windows with a stride read their overlap and train every target once") {
    const TokenSet tokens = documents({50});
    BatchTable batch = table(16);
    batch.stride = 6;
    const RowSet rows(tokens, batch, 1);
    CHECK(rows.total_targets() == 49);
    std::set<int64_t> trained;
    for (int64_t r = 0; r < rows.num_rows(); ++r)
      for (const Piece& piece : rows.row(r)) {
        CHECK(piece.begin % 6 == 0);
        CHECK(piece.context == (piece.begin == 0 ? 0 : 10));
        for (int64_t i = 0; i < piece.length; ++i)
          if (is_target(tokens, piece, i)) CHECK(trained.insert(piece.begin + i + 1).second);
      }
    CHECK(trained.size() == 49);
    CHECK(rows.num_rows() == 7);  // begins 0, 6, …, 36: the last reaches input 48
  }

  TEST_CASE("the documents of a pair share a row, packed or not, and units count pairs") {
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < 60; ++i) lengths.push_back(3 + (i * 7) % 11);
    TokenSet tokens = documents(lengths);
    for (int64_t d = 0; d < 60; ++d) {
      tokens.pairs.push_back(d / 2);
      tokens.chosen.push_back(d % 2 == 0);
    }
    for (const bool packing : {true, false}) {
      BatchTable batch = table(32);
      batch.packing = packing;
      const RowSet rows(tokens, batch, 5);
      int64_t pairs = 0;
      for (int64_t r = 0; r < rows.num_rows(); ++r) {
        const auto row = rows.row(r);
        REQUIRE(row.size() % 2 == 0);
        for (size_t i = 0; i < row.size(); i += 2) {
          CHECK(row[i].document % 2 == 0);
          CHECK(row[i + 1].document == row[i].document + 1);
        }
        CHECK(rows.num_units(r, LossUnit::Sample) == static_cast<int64_t>(row.size()));
        pairs += rows.num_units(r, LossUnit::Pair);
      }
      CHECK(pairs == 30);
      if (!packing) CHECK(rows.num_rows() == 30);
      const int64_t first = 0;
      const Batch made = make_batch(tokens, rows, std::span(&first, 1));
      CHECK(made.units(LossUnit::Pair) == rows.num_units(0, LossUnit::Pair));
      CHECK(made.chosen_S[0].item<bool>());
      CHECK(made.pairs_S[0].item<int64_t>() == made.pairs_S[1].item<int64_t>());
    }
  }

  TEST_CASE("a pair too long for a row is cut fairly or refused, never split") {
    TokenSet tokens = documents({31, 6, 41, 41});
    tokens.pairs = {0, 0, 2, 2};
    tokens.chosen = {1, 0, 1, 0};
    BatchTable batch = table(20);
    batch.shuffle = false;
    CHECK_THROWS_WITH_AS(
        RowSet(tokens, batch, 1), doctest::Contains("a pair cannot be split"), DataError);
    batch.overlong = "truncate";
    const RowSet rows(tokens, batch, 1);
    REQUIRE(rows.num_rows() == 2);
    CHECK(rows.row(0)[0].length == 15);  // what the short one leaves
    CHECK(rows.row(0)[1].length == 5);
    CHECK(rows.row(1)[0].length == 10);  // half each
    CHECK(rows.row(1)[1].length == 10);
  }

  TEST_CASE("a document with a label is not split, and keeps its sample without a target") {
    TokenSet tokens = documents({9, 5});
    tokens.labels = {1, 0};
    tokens.masked.assign(14, true);
    BatchTable batch = table(16);
    const RowSet rows(tokens, batch, 1);
    CHECK(rows.num_untrained() == 0);
    CHECK(rows.num_units(0, LossUnit::Sample) == 2);
    batch.seq_len = 6;
    CHECK_THROWS_WITH_AS(RowSet(tokens, batch, 1),
                         doctest::Contains("a document with a label cannot be split"),
                         DataError);
  }

  TEST_CASE("a curriculum draws from the easiest rows first, as a function of the place alone") {
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < 400; ++i) lengths.push_back(2 + (i * 31) % 60);
    const TokenSet tokens = documents(lengths);
    BatchTable batch = table(64);
    batch.packing = false;
    batch.curriculum.by = "length";
    const RowSet rows(tokens, batch, 3);
    for (int64_t r = 1; r < rows.num_rows(); ++r)
      CHECK(rows.row(r)[0].length >= rows.row(r - 1)[0].length);
    const RowOrder order(400, true, 3, {1000, 0.1});
    int64_t highest_early = 0, highest_late = 0;
    for (int64_t n = 0; n < 1000; ++n) {
      const int64_t row = order.at(n);
      const double share = std::sqrt(static_cast<double>(n) / 1000 * 0.99 + 0.01);
      CHECK(row <= static_cast<int64_t>(std::ceil(400 * share)));
      (n < 10 ? highest_early : highest_late) =
          std::max(n < 10 ? highest_early : highest_late, row);
    }
    CHECK(highest_early < 80);
    CHECK(highest_late > 380);
    std::set<int64_t> epoch;
    for (int64_t n = 1000; n < 1400; ++n) epoch.insert(order.at(n));
    CHECK(epoch.size() == 400);  // after it, every row once
    CHECK(RowOrder(400, true, 3, {1000, 0.1}).at(777) == order.at(777));
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
