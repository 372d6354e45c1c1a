// Whether a document is packed with others, or read in one row or another, changes nothing of its
// loss.
#include <numeric>

#include "core/engine/evaluate/likelihood.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT

TEST_SUITE("train.packing") {
  TEST_CASE("packed and unpacked losses of each document are equal, with and without masks") {
    const auto model = test::build_tiny(test::tiny_spec());
    TokenSet tokens;
    for (int64_t d = 0; d < 30; ++d) {
      for (int64_t i = 0; i < 3 + d * 5 % 13; ++i)
        tokens.ids.push_back(static_cast<int32_t>((d * 7 + i * i) % 40));
      tokens.begins.push_back(tokens.num_tokens());
    }
    for (const bool masks : {false, true}) {
      if (masks)
        for (int64_t i = 0; i < tokens.num_tokens(); ++i) tokens.masked.push_back(i % 4 == 1);
      BatchTable batch;
      batch.seq_len = 32;
      const RowSet packed(tokens, batch, 1);
      batch.packing = false;
      const RowSet alone(tokens, batch, 1);
      REQUIRE(packed.num_rows() < alone.num_rows() / 2);
      CHECK(packed.total_targets() == alone.total_targets());
      const Likelihoods one = model_likelihoods(*model, tokens, packed, 3),
                        two = model_likelihoods(*model, tokens, alone, 4);
      CHECK(one.num_tokens == two.num_tokens);
      CHECK(std::accumulate(one.num_tokens.begin(), one.num_tokens.end(), int64_t{0}) ==
            packed.total_targets());
      for (size_t d = 0; d < one.sums.size(); ++d)
        CHECK(one.sums[d] == doctest::Approx(two.sums[d]).epsilon(1e-5));
    }
  }

  TEST_CASE("what a masked token is to be predicted as does not matter") {
    const auto model = test::build_tiny(test::tiny_spec());
    TokenSet tokens;
    for (int32_t i = 0; i < 12; ++i) tokens.ids.push_back(i * 3);
    tokens.begins.push_back(12);
    tokens.masked.assign(12, false);
    tokens.masked[11] = true;
    BatchTable batch;
    batch.seq_len = 16;
    const RowSet rows(tokens, batch, 1);
    const double before = model_likelihoods(*model, tokens, rows, 1).sums[0];
    tokens.ids[11] = 1;  // the last token is a target only
    CHECK(model_likelihoods(*model, tokens, rows, 1).sums[0] == before);
    tokens.masked[11] = false;
    const RowSet unmasked(tokens, batch, 1);
    CHECK(model_likelihoods(*model, tokens, unmasked, 1).sums[0] != before);
  }
}
