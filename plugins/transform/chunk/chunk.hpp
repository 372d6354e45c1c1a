// Overlapping windows of a long text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::chunk {

class Chunk final : public Transform {
 public:
  struct Config {
    std::string field = "text";
    std::string unit = "chars";
    int64_t size = 2000;
    int64_t overlap = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit Chunk(Config config);
  void apply(Record record, RecordSink& sink) override;

 private:
  Config config_;
};

}  // namespace mortise::transform::chunk
