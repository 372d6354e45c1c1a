// Conversations as segments, each marked trained or not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::chat_template {

class ChatTemplate final : public Transform {
 public:
  struct Config {
    std::string format = "chatml";
    std::map<std::string, std::string> roles = {};
    std::vector<std::string> train = {"assistant"};
    std::string system = {};
    std::string field = "messages";
    static void describe(Schema<Config>& schema);
  };

  /// Throws: Error on a template without {content}, or a trained role without a template.
  explicit ChatTemplate(Config config);
  /// Throws: DataError naming record, message and role.
  void apply(Record record, RecordSink& sink) override;

 private:
  struct Turn {
    std::string before, after;
    bool train = false;
  };

  void add_role(const std::string& role, std::string text);
  Value segments(const Record& record, const Value& messages, bool& any_trained) const;
  const Turn& turn_of(const Record& record, const std::string& role, size_t index) const;

  Config config_;
  std::map<std::string, Turn> turns_;
};

}  // namespace mortise::transform::chat_template
