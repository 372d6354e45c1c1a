// Preferences from answers: one's own against another's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::make_pairs {

class MakePairs final : public Transform {
 public:
  struct Config {
    std::string answer = "response";
    std::vector<std::string> by = {};
    int64_t seed = 1;
    static void describe(Schema<Config>& schema);
  };

  explicit MakePairs(Config config) : config_(std::move(config)) {}

  TransformTraits traits() const override {
    return {.per_row = true, .needs_fit = true, .global = false};
  }

  void fit(const Record& record) override;
  void finish_fit() override;
  /// Throws: DataError when a field is missing.
  void apply(Record record, RecordSink& sink) override;
  void state(StateIo& io) override;

 private:
  const std::string& answer_of(const Record& record) const;
  std::string key_of(const Record& record) const;

  Config config_;
  std::map<std::string, std::vector<std::string>> answers_;  // by key; sorted, each once
};

}  // namespace mortise::transform::make_pairs
