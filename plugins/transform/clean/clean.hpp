// Idempotent cleaning of text fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::clean {

class Clean final : public Transform {
 public:
  struct Config {
    std::vector<std::string> fields = {"text"};
    bool control = true;
    bool nfc = true;
    std::string whitespace = "lines";
    bool strip = true;
    int64_t min_chars = 1;
    int64_t max_chars = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit Clean(Config config);
  void apply(Record record, RecordSink& sink) override;
  /// Returns the cleaned text.   Thread: [any-thread].
  std::string cleaned(std::string_view text) const;

 private:
  Config config_;
};

}  // namespace mortise::transform::clean
