// mortise score --model DIR (--text T | --ids 1,2,3 | --file F.jsonl): log-probabilities of given
// tokens.
#include "mortise/error.hpp"

#include "core/cli/engine_verb.hpp"
#include "core/cli/verbs.hpp"

namespace mortise::core {

int run_score(const std::vector<std::string>& words) {
  const Arguments arguments("score", words);
  const Value options = engine_options(arguments,
                                       {{"model", OptionKind::Text},
                                        {"adapter", OptionKind::Texts},
                                        {"use", OptionKind::Text},
                                        {"text", OptionKind::Text},
                                        {"ids", OptionKind::Text},
                                        {"file", OptionKind::Text},
                                        {"logits", OptionKind::Text},
                                        {"threads", OptionKind::Integer},
                                        {"json", OptionKind::Flag}});
  if (options.find("model") == nullptr)
    throw Error(Code::Usage,
                "score needs --model DIR: a run directory or a Hugging Face folder",
                "mortise score --model DIR --text \"a small\" --json");
  return run_in_engine("score", options, arguments);
}

}  // namespace mortise::core
