// Words of a field as the numbers of classes.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::map_labels {

class MapLabels final : public Transform {
 public:
  struct Config {
    std::string field = "label";
    std::vector<std::string> labels = {};
    std::string unknown = "error";
    static void describe(Schema<Config>& schema);
  };

  /// Throws: Error when a word stands in the list twice.
  explicit MapLabels(Config config);
  /// Throws: DataError naming record and word.
  void apply(Record record, RecordSink& sink) override;

 private:
  Config config_;
};

}  // namespace mortise::transform::map_labels
