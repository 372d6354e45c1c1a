// Keep-first deduplication by 128-bit hashes.
#pragma once

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::exact_dedup {

class ExactDedup final : public Transform {
 public:
  struct Config {
    std::vector<std::string> fields = {"text"};
    bool normalise = false;
    static void describe(Schema<Config>& schema);
  };

  explicit ExactDedup(Config config);

  TransformTraits traits() const override {
    return {.per_row = false, .needs_fit = false, .global = true};
  }

  void apply(Record record, RecordSink& sink) override;
  void state(StateIo& io) override;

 private:
  using Hash = std::pair<uint64_t, uint64_t>;

  struct HashOfHash {
    size_t operator()(const Hash& hash) const { return hash.first; }
  };

  Hash hash_of(const Record& record) const;

  Config config_;
  std::unordered_set<Hash, HashOfHash> seen_;
};

}  // namespace mortise::transform::exact_dedup
