// A small fixed catalog made of manifests in a temporary folder: what recipe tests and the recipe
// fuzzer check against. The schemas come from describe(), as in real plugins; the components do not
// exist.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/schema.hpp"
#include "mortise/tag.hpp"

#include "core/plugin/catalog.hpp"
#include "core/plugin/handshake.hpp"

namespace mortise::core::fake {

namespace fs = std::filesystem;

struct Adamw {
  std::vector<double> betas = {0.9, 0.95};
  double eps = 1e-8;
  bool amsgrad = false;

  static void describe(Schema<Adamw>& s) {
    s.field("betas", &Adamw::betas, "decay rates").range(0, 1);
    s.field("eps", &Adamw::eps, "against division by zero").above(0);
    s.field("amsgrad", &Adamw::amsgrad, "keep the maximum");
  }
};

struct Lion {
  double beta1 = 0.9, beta2 = 0.99;

  static void describe(Schema<Lion>& s) {
    s.field("beta1", &Lion::beta1, "of the update").range(0, 1);
    s.field("beta2", &Lion::beta2, "of the momentum").range(0, 1).renamed_from("momentum");
  }
};

struct Position {
  using Interface = Position;
  using Args = NoArgs;
  static constexpr const char* kInterface = "position/1.0";
};

struct Attention {
  using Interface = Attention;
  using Args = NoArgs;
  static constexpr const char* kInterface = "attention/1.0";
};

struct Rope {
  double theta = 1e4;

  static void describe(Schema<Rope>& s) { s.field("theta", &Rope::theta, "base").above(0); }
};

struct Gqa {
  int64_t heads = 4, kv_heads = 2;
  std::string kernel = "auto";
  Use<Position> position{"rope"};

  static void describe(Schema<Gqa>& s) {
    s.field("heads", &Gqa::heads, "query heads").min(1);
    s.field("kv_heads", &Gqa::kv_heads, "key and value heads").min(1);
    s.field("kernel", &Gqa::kernel, "how it is computed").one_of({"auto", "eager", "sdpa"});
    s.field("position", &Gqa::position, "where a token stands");
    s.rule("heads % kv_heads == 0", "kv_heads must divide heads");
    s.provides("varlen", "kernel != 'eager'");
  }
};

struct Prenorm {
  Use<Attention> attention;
  double dropout = 0;

  static void describe(Schema<Prenorm>& s) {
    s.field("attention", &Prenorm::attention, "mixes tokens").required();
    s.field("dropout", &Prenorm::dropout, "of the residual").range(0, 1);
    s.needs("varlen");
  }
};

// A layer that does not care how its attention sees documents.
struct Bare {
  Use<Attention> attention;

  static void describe(Schema<Bare>& s) {
    s.field("attention", &Bare::attention, "mixes tokens").required();
  }
};

struct Span {
  int64_t from = 0, to = 10;

  static void describe(Schema<Span>& s) {
    s.field("from", &Span::from, "first");
    s.field("to", &Span::to, "last");
  }
};

struct Text {
  std::string path;
  int64_t buffer = 1 << 20;
  double timeout = 30;
  Span span{.from = 0, .to = 7};
  std::map<std::string, double> shares;
  std::optional<int64_t> limit;
  Value extra;

  static void describe(Schema<Text>& s) {
    s.field("path", &Text::path, "a file").required();
    s.field("buffer", &Text::buffer, "read ahead").unit("bytes");
    s.field("timeout", &Text::timeout, "before giving up").unit("seconds");
    s.field("span", &Text::span, "part of the file");
    s.field("shares", &Text::shares, "by name").range(0, 1);
    s.field("limit", &Text::limit, "records").unit("records");
    s.field("extra", &Text::extra, "free");
  }
};

struct Empty {
  static void describe(Schema<Empty>&) {}
};

// An adapter that puts keys and values before every document.
struct Prefix {
  static void describe(Schema<Prefix>& s) { s.needs("prefix"); }
};

// A device that computes in fp16, not in bf16.
struct Half {
  static void describe(Schema<Half>& s) { s.provides("fp16"); }
};

// An attention that takes them.
struct Prefixed {
  static void describe(Schema<Prefixed>& s) {
    s.provides("prefix");
    s.provides("varlen");
  }
};

inline std::string component_text(const std::string& name,
                                  const std::string& interface_id,
                                  const Value& schema) {
  return "\n[[component]]\nname = \"" + name + "\"\ninterface = \"" + interface_id +
         "\"\ndoc = \"a fake\"\nlayout = \"l\"\nschema = '''" + to_json(schema) + "'''\n";
}

template <class Config>
std::string component_text(const std::string& name, const std::string& interface_id) {
  return component_text(name, interface_id, mortise::describe<Config>().info().to_value());
}

inline void write_plugin(const std::string& folder,
                         const std::string& id,
                         const std::string& version,
                         const std::string& components) {
  fs::create_directories(folder + "/" + id);
  write_file(
      folder + "/" + id + "/plugin.toml",
      "[plugin]\nid = \"" + id + "\"\nversion = \"" + version +
          "\"\nlicense = \"Apache-2.0\"\nabi = 1\nfile = \"x.so\"\ntag = \"" MORTISE_BUILD_TAG
          "\"\nglibc = \"\"\nglibcxx = \"\"\nbuild_id = \"\"\nsha256 = \"\"\n" +
          components);
}

/// Facts of a host that knows every kind.
inline HostFacts facts() {
  HostFacts out = plain_host_facts();
  for (const char* kind : {"tokenizer",
                           "data_source",
                           "transform",
                           "embedding",
                           "layer",
                           "norm",
                           "head",
                           "objective",
                           "optimizer",
                           "schedule",
                           "metric",
                           "weight_format",
                           "tracker",
                           "position",
                           "attention",
                           "device",
                           "adapter",
                           "architecture"})
    out.interfaces.insert_or_assign(kind, InterfaceFact{std::string(kind) + "/1.0", "l"});
  return out;
}

/// A folder with manifests, removed with its object; `catalog` is what is found there.
class Plugins {
 public:
  Plugins() {
    write_plugin(folder_.path,
                 "org.mortise.optim",
                 "1.2.0",
                 component_text<Adamw>("adamw", "optimizer/1.0") +
                     component_text<Lion>("lion", "optimizer/1.0"));
    write_plugin(folder_.path,
                 "org.mortise.model",
                 "1.0.0",
                 component_text<Empty>("token", "embedding/1.0") +
                     component_text<Prenorm>("prenorm", "layer/1.0") +
                     component_text<Bare>("bare", "layer/1.0") +
                     component_text<Empty>("rms_norm", "norm/1.0") +
                     component_text<Empty>("lm", "head/1.0") +
                     component_text<Gqa>("gqa", "attention/1.0") +
                     component_text<Rope>("rope", "position/1.0"));
    write_plugin(folder_.path,
                 "org.mortise.data",
                 "0.3.1",
                 component_text<Text>("text", "data_source/1.0") +
                     component_text<Empty>("clean", "transform/1.0") +
                     component_text<Empty>("byte_bpe", "tokenizer/1.0"));
    write_plugin(folder_.path,
                 "org.mortise.rest",
                 "1.0.0",
                 component_text<Empty>("causal_lm", "objective/1.0") +
                     component_text<Empty>("constant", "schedule/1.0") +
                     component_text<Empty>("perplexity", "metric/1.0") +
                     component_text<Empty>("rouge", "metric/1.0") +
                     component_text<Empty>("hf_safetensors", "weight_format/1.0") +
                     component_text<Empty>("html", "tracker/1.0") +
                     component_text<Empty>("cpu", "device/1.0") +
                     component_text<Empty>("llama", "architecture/1.0"));
    reload();
  }

  void add(const std::string& id, const std::string& version, const std::string& components) {
    write_plugin(folder_.path, id, version, components);
    reload();
  }

  const Catalog& catalog() const { return catalog_; }

  const std::string& folder() const { return folder_.path; }

 private:
  void reload() { catalog_ = Catalog::discover({{folder_.path}}, facts()); }

  testing::TempDir folder_;
  Catalog catalog_;
};

/// A recipe for which all of these exist.
inline const char* kRecipe = R"(recipe = { schema = 1, task = "train", name = "tiny" }
run.steps = "1K"
[tokenizer]
type = "byte_bpe"
[data.train.a]
type = "text"
path = "a.txt"
buffer = "4MiB"
timeout = "2min"
[model]
width = 64
embedding.type = "token"
norm.type = "rms_norm"
head.type = "lm"
[model.layer.dense]
type = "prenorm"
repeat = 2
attention = { type = "gqa", heads = 8 }
[objective]
type = "causal_lm"
[optimizer]
type = "adamw"
lr = 1e-3
betas = [0.9, 0.99]
[eval.ppl]
type = "perplexity"
)";

}  // namespace mortise::core::fake
