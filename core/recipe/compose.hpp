// One tree out of many texts: extends, imports and overrides, with the rule for a changed `type`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/recipe/diagnostics.hpp"
#include "core/recipe/node.hpp"

namespace mortise::core {

/// One --set.  `argument` is its place on the command line, for messages.
struct Override {
  std::string text;  // "optimizer.lr=1e-3", "~eval.bleu", "optimizer=@lion.toml"
  int32_t argument = 0;
};

/// A parameter that fell away because the `type` of its table changed.
struct Dropped {
  std::string path;   // "optimizer.betas"
  std::string value;  // as text
  Origin origin;
  std::string old_type, new_type;
  Origin because;  // where the new type stands
};

struct Composed {
  Node root;
  Node base;  // what `extends` gave, before the recipe's own lines; of a recipe that extends
              // nothing, the recipe before --set
  std::vector<Dropped> dropped;
  std::vector<std::shared_ptr<const SourceFile>> files;  // the recipe first
  std::string recipe_dir;                                // absolute
};

/// Reads a recipe and all it includes.  What is wrong goes to `diagnostics`.   Thread:
/// [any-thread].
Composed compose(const std::string& path,
                 const std::vector<Override>& overrides,
                 Diagnostics& diagnostics);
/// The same for a text in memory; files that it includes are looked for beside `path`.
Composed compose_text(std::string text,
                      const std::string& path,
                      const std::vector<Override>& overrides,
                      Diagnostics& diagnostics);

/// Merges `over` into `base`: tables deeply, everything else replaced; a changed `type` drops the
/// parameters of `base` except slot keys.  `path` is the place of both in the recipe.
void merge(Node& base, Node over, const std::string& path, std::vector<Dropped>& dropped);

/// Splits "a.\"b c\".d" into its parts; nothing when it is not a key.
std::optional<std::vector<std::string>> split_key(std::string_view text);

}  // namespace mortise::core
