// mortise generate --model DIR --prompt TEXT: continues a prompt.
#include "mortise/error.hpp"

#include "core/cli/engine_verb.hpp"
#include "core/cli/verbs.hpp"

namespace mortise::core {

int run_generate(const std::vector<std::string>& words) {
  const Arguments arguments("generate", words);
  const Value options = engine_options(arguments,
                                       {{"model", OptionKind::Text},
                                        {"adapter", OptionKind::Texts},
                                        {"use", OptionKind::Text},
                                        {"prompt", OptionKind::Texts},
                                        {"max-new-tokens", OptionKind::Integer},
                                        {"temperature", OptionKind::Number},
                                        {"top-k", OptionKind::Integer},
                                        {"top-p", OptionKind::Number},
                                        {"seed", OptionKind::Integer},
                                        {"threads", OptionKind::Integer},
                                        {"json", OptionKind::Flag},
                                        {"stream", OptionKind::Flag}});
  if (options.find("model") == nullptr)
    throw Error(Code::Usage,
                "generate needs --model DIR: a run directory or a Hugging Face folder",
                "mortise generate --model runs/quickstart-1 --prompt \"a small\"");
  return run_in_engine("generate", options, arguments);
}

}  // namespace mortise::core
