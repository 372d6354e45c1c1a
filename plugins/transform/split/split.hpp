// Train, dev and test without shared values.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

#include "grouping.hpp"

namespace mortise::transform::split {

/// Persistent: the numbers stand in saved states.
enum class Part : uint8_t { Train = 0, Dev = 1, Test = 2 };

class Split final : public Transform {
 public:
  struct Config {
    std::vector<std::string> by = {};
    bool ignore_case = true;
    double dev = 0.05;
    double test = 0.05;
    int64_t seed = 1;
    std::string field = "split";
    static void describe(Schema<Config>& schema);
  };

  explicit Split(Config config);

  TransformTraits traits() const override {
    return {.per_row = true, .needs_fit = !config_.by.empty(), .global = false};
  }

  void fit(const Record& record) override;
  /// Throws: DataError when values leak between parts, or a share cannot be met.
  void finish_fit() override;
  void apply(Record record, RecordSink& sink) override;
  void state(StateIo& io) override;

 private:
  std::vector<uint64_t> values_of(const Record& record) const;
  Part part_by_id(std::string_view id) const;
  Part part_by_values(const Record& record) const;
  void assign(const std::vector<ValueGroup>& components);
  void audit() const;

  Config config_;
  Grouping grouping_;                         // filled by fit, emptied by finish_fit
  std::unordered_map<uint64_t, Part> parts_;  // of every value; filled by finish_fit
};

}  // namespace mortise::transform::split
