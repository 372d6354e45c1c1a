// The verb table.  A new verb is one entry here and one file beside it.
#include "core/cli/verbs.hpp"

#include <array>

namespace mortise::core {

namespace {

constexpr std::array<OptionSpec, 6> kCommon = {{
    {"plugin-path", "DIR", "a folder with plugins, searched first; may be repeated"},
    {"set", "KEY=VALUE", "override a value of the recipe, or ~KEY to remove one; may be repeated"},
    {"json", "", "print JSON"},
    {"color", "auto|always|never", "colours in messages"},
    {"verbose", "", "say more"},
    {"help", "", "this text"},
}};

}  // namespace

std::span<const OptionSpec> common_options() { return kCommon; }

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"run",
       "[RECIPE]",
       "run a recipe in a run directory of its own; goes on with an interrupted run",
       {{"resume", "DIR", "go on with the run in DIR, bit for bit"},
        {"locked",
         "FILE",
         "refuse to run with other plugins, data or machine than this lock.toml names"},
        {"quiet", "", "print nothing but errors"}},
       "  mortise run configs/recipes/quickstart.toml\n"
       "  mortise run train.toml --set optimizer.type=lion --set optimizer.lr=3e-4\n"
       "  mortise run --resume runs/quickstart-1\n"
       "  mortise run --resume runs/quickstart-1 --set run.steps=900\n"
       "  mortise run runs/quickstart-1/resolved.toml --locked runs/quickstart-1/lock.toml    the "
       "same bits again\n"
       "Ctrl-C finishes the step, saves a checkpoint and ends with 130; a second Ctrl-C ends at "
       "once.\n",
       run_run},
      {"plan",
       "RECIPE",
       "say what a run will build and cost: parameters, tokens, steps, memory; trains nothing",
       {},
       "  mortise plan train.toml\n"
       "  mortise plan train.toml --set batch.micro=16 --json\n"
       "Exit code: 0 it fits, 3 it does not.\n",
       run_plan},
      {"validate",
       "RECIPE",
       "check a recipe: every mistake at once, in milliseconds, nothing is loaded",
       {},
       "  mortise validate train.toml\n"
       "  mortise validate train.toml --set optimizer.type=lion --set optimizer.lr=1e-4\n"
       "  mortise validate train.toml --json        for editors and scripts\n"
       "Exit code: 0 fine, 2 mistakes in the recipe, 6 only plugins are missing.\n",
       run_validate},
      {"show",
       "RECIPE",
       "print the resolved recipe: all defaults, where each value comes from, what differs",
       {{"origin", "", "write behind each value where it comes from"},
        {"diff", "BASE", "print only what differs from another recipe"},
        {"missing", "", "print the components that no plugin provides, KIND/NAME one a line"},
        {"from-hf", "DIR", "print a Hugging Face folder as a [model] table; takes no RECIPE"}},
       "  mortise show train.toml > resolved.toml    runnable alone\n"
       "  mortise show train.toml --origin\n"
       "  mortise show train.toml --diff base.toml\n"
       "  mortise show --missing train.toml          what has to be built or installed first\n"
       "  mortise show --from-hf models/llama\n",
       run_show},
      {"init",
       "TASK",
       "print a starter recipe with all parameters explained (train, evaluate, pipeline)",
       {},
       "  mortise init train > train.toml\n"
       "  mortise init evaluate > score.toml\n",
       run_init},
      {"schema",
       "[SLOT]",
       "print the JSON Schema of recipes, or of one slot, for editors",
       {},
       "  mortise schema > recipe.schema.json\n"
       "  mortise schema optimizer\n"
       "  mortise schema model.layer\n",
       run_schema},
      {"generate",
       "",
       "continue a prompt with a trained model",
       {{"model", "DIR", "a run directory, a checkpoint or a Hugging Face folder"},
        {"adapter",
         "[NAME=]DIR",
         "a folder in PEFT's layout to put over the model; named ones may be several"},
        {"use", "NAME", "which of them; `none`: the model alone"},
        {"prompt", "TEXT", "the text to continue; may be repeated"},
        {"max-new-tokens", "N", "how far (default 64)"},
        {"temperature", "T", "0 is greedy"},
        {"top-k", "K", "sample among the K likeliest; 0: all"},
        {"top-p", "P", "sample among the likeliest that sum to P"},
        {"seed", "N", "of sampling"},
        {"threads", "N", "0: all cores"},
        {"stream", "", "print as it comes"}},
       "  mortise generate --model runs/quickstart-1 --prompt \"cat (noun):\" --max-new-tokens 20\n"
       "  mortise generate --model models/llama --prompt \"Once\" --temperature 0.8 --top-p 0.95 "
       "--stream\n"
       "  mortise generate --model models/llama --adapter prose=a --adapter verse=b --use verse "
       "--prompt \"Once\"\n",
       run_generate},
      {"score",
       "",
       "print the log-probability of every token; write raw logits",
       {{"model", "DIR", "a run directory, a checkpoint or a Hugging Face folder"},
        {"adapter",
         "[NAME=]DIR",
         "a folder in PEFT's layout to put over the model; named ones may be several"},
        {"use", "NAME", "which of them; `none`: the model alone"},
        {"text", "TEXT", "score a text"},
        {"ids", "1,2,3", "score token ids"},
        {"file", "F.jsonl", "score a file, one {\"text\"} or {\"ids\"} a line"},
        {"logits", "F.safetensors", "also write `ids` [T] and `logits` [T, V]"},
        {"threads", "N", "0: all cores"}},
       "  mortise score --model models/llama --ids 1,2,3 --json --logits logits.safetensors\n"
       "Same weights, same numbers: compare the logits with any other implementation.\n",
       run_score},
      {"export",
       "RUN_or_DIR",
       "write a model as a Hugging Face folder that transformers loads",
       {{"to", "DIR", "the new folder"},
        {"dtype", "fp32|bf16|fp16", "of the weights"},
        {"architecture",
         "NAME",
         "of config.json (default: the one that read the model, else the first that fits)"},
        {"format", "NAME", "of the weights (default hf_safetensors)"},
        {"verify", "N", "rows whose logits are compared after reading back"},
        {"merge-adapter",
         "",
         "fold a run's adapter into the weights; else it is written by itself"},
        {"threads", "N", "0: all cores"}},
       "  mortise export runs/quickstart-1 --to exported\n",
       run_export},
      {"data",
       "stats|preview|batches RECIPE",
       "count a recipe's data by source, step and length; show or write the rows that training "
       "sees",
       {{"rows", "N", "how many rows (3)"},
        {"to", "F.safetensors", "where `batches` writes ids, positions, targets and segments"}},
       "  mortise data stats train.toml\n"
       "  mortise data preview train.toml --rows 1\n",
       run_data},
      {"runs",
       "[list [DIR] | show RUN | diff RUN RUN]",
       "list runs, show one, or tell how two differ",
       {},
       "  mortise runs\n"
       "  mortise runs show runs/quickstart-1\n"
       "  mortise runs diff runs/quickstart-1 runs/quickstart-2\n",
       run_runs},
      {"inspect",
       "[NAME|KIND/NAME|FILE.so]",
       "list components, or show one with its parameters",
       {{"markdown", "DIR", "write the reference pages"}},
       "  mortise inspect\n"
       "  mortise inspect optimizer/lion\n"
       "  mortise inspect build/libmine.so           a foreign library, probed in a child "
       "process\n",
       run_inspect},
      {"doctor",
       "",
       "say what this installation is, and what is wrong with it",
       {},
       "  mortise doctor\n",
       run_doctor},
      {"new-plugin",
       "KIND NAME",
       "scaffold a plugin that builds and passes its tests untouched",
       {{"id", "ORG", "who publishes it, a reverse domain: org.acme"},
        {"dir", "DIR", "where to put it; NAME when absent"}},
       "  mortise new-plugin optimizer lion --id org.acme\n"
       "  mortise new-plugin metric f1 --id org.acme --dir plugins/f1\n",
       run_new_plugin},
      {"conform",
       "FILE.so",
       "run the universal checks and the contract suites on a plugin, each safe from crashes",
       {{"seed", "N", "of everything random; the report names it"},
        {"only", "TEXT", "only checks whose name holds this text"},
        {"list", "", "print the names of the checks"},
        {"junit", "FILE", "write a JUnit report"},
        {"config", "FILE", "conform.toml: parameters and examples that the kit cannot invent"},
        {"suite", "FILE.so", "a suite of your own; may be repeated"},
        {"timeout",
         "S",
         "seconds without a sign of life after which a check is killed; 180 when absent"},
        {"worker", "", ""},
        {"plan-only", "", ""},
        {"probe-folder", "DIR", ""},
        {"from", "N", ""},
        {"numbers", "N,N", ""}},
       "  mortise conform build/lib/mortise/plugins/org.acme.lion/lion.so\n"
       "  mortise conform lion.so --only \"resumed run\" --seed 7\n"
       "Exit code: 0 all passed, 6 a check failed.\n",
       run_conform},
  };
  return all;
}

}  // namespace mortise::core
