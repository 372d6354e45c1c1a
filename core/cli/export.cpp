// mortise export DIR --to NEW: a run, a checkpoint or a foreign folder → a folder that transformers
// loads.
#include "mortise/error.hpp"

#include "core/cli/engine_verb.hpp"
#include "core/cli/verbs.hpp"

namespace mortise::core {

int run_export(const std::vector<std::string>& words) {
  const Arguments arguments("export", words);
  Value options = engine_options(arguments,
                                 {{"to", OptionKind::Text},
                                  {"dtype", OptionKind::Text},
                                  {"architecture", OptionKind::Text},
                                  {"format", OptionKind::Text},
                                  {"verify", OptionKind::Integer},
                                  {"merge-adapter", OptionKind::Flag},
                                  {"threads", OptionKind::Integer},
                                  {"json", OptionKind::Flag}});
  options["model"] = arguments.only("RUN_or_DIR");
  if (options.find("to") == nullptr)
    throw Error(Code::Usage,
                "export needs --to DIR: a new folder",
                "mortise export runs/quickstart-1 --to exported");
  return run_in_engine("export", options, arguments);
}

}  // namespace mortise::core
