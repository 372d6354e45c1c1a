// A text made of other fields.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/transform.hpp"

namespace mortise::transform::prompt_template {

class PromptTemplate final : public Transform {
 public:
  struct Config {
    std::string text;
    std::string output = "text";
    std::string missing = "error";
    std::string join = ", ";
    static void describe(Schema<Config>& schema);
  };

  /// Throws: Error on a brace that is not closed or not opened, with its place.
  explicit PromptTemplate(Config config);
  void apply(Record record, RecordSink& sink) override;

 private:
  struct Piece {
    std::string text;  // written as it is, or the name of a field
    bool is_field = false;
  };

  void compile();

  Config config_;
  std::vector<Piece> pieces_;
};

}  // namespace mortise::transform::prompt_template
