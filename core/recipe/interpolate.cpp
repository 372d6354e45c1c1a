// Depth-first replacement.  A string that is being replaced is `active`; meeting it again is a
// cycle.  Copies are bounded in number and size, so that a few lines cannot expand into gigabytes.
#include "core/recipe/interpolate.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <unordered_set>

#include <fmt/format.h>

#include "core/recipe/suggest.hpp"
#include "core/recipe/tables.hpp"
#include "core/recipe/toml_read.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

constexpr int64_t kMaxCopies = 200'000;
constexpr size_t kMaxText = size_t{1} << 20;
constexpr int kMaxChain = 32;

bool has_reference(const Node& node) {
  return node.is_string() && !node.is_final && node.text().find("${") != std::string::npos;
}

// Long texts count as several values.
int64_t count(const Node& node) {
  int64_t total = 1 + (node.is_string() ? static_cast<int64_t>(node.text().size()) / 64 : 0);
  for (const Node& child : node.children) total += count(child);
  return total;
}

int64_t depth(const Node& node) {
  int64_t deepest = 0;
  for (const Node& child : node.children) deepest = std::max(deepest, depth(child));
  return deepest + 1;
}

class Interpolator {
 public:
  Interpolator(Node& root, const ReferenceContext& context, Diagnostics& diagnostics)
      : root_(root), context_(context), diagnostics_(diagnostics) {
    if (context.stages != nullptr) stages_ = *context.stages;
  }

  void visit(Node& node) {
    if (stopped_) return;
    if (node.is_string()) {
      expand(node);
      return;
    }
    for (Node& child : node.children) visit(child);
  }

 private:
  void report(Node& at, std::string code, std::string message, std::string suggestion = {}) {
    at.is_broken = true;
    Diagnostic d;
    d.code = std::move(code);
    d.message = std::move(message);
    d.origin = at.origin;
    d.suggestion = std::move(suggestion);
    diagnostics_.add(std::move(d));
  }

  void expand(Node& node) {
    if (node.is_final) return;
    const std::string text = node.text();
    if (text.find("${") == std::string::npos) {
      if (text.starts_with("@@") && text.ends_with(".toml"))
        node.scalar = text.substr(1);  // an escaped "@file.toml"
      node.is_final = true;
      return;
    }
    if (!active_.insert(&node).second) return;  // reported by whoever met it
    if (active_.size() > kMaxChain) {
      report(node, "E121", fmt::format("a chain of more than {} references", kMaxChain));
      stopped_ = true;
    } else if (text.starts_with("${") && text.find('}') == text.size() - 1) {
      whole(node, text.substr(2, text.size() - 3));
    } else {
      pieces(node, text);
    }
    node.is_final = true;
    active_.erase(&node);
  }

  void whole(Node& node, const std::string& name) {
    Node found;
    if (!resolve(node, name, found)) return;
    copies_ += count(found);
    if (copies_ > kMaxCopies || depth(found) > 2 * kMaxDepth) {
      report(node, "E122", fmt::format("references expand to more than {} values", kMaxCopies));
      stopped_ = true;
      return;
    }
    found.key = node.key;
    found.key_origin = node.key_origin;
    found.origin = node.origin;
    node = std::move(found);
  }

  void pieces(Node& node, const std::string& text) {
    std::string out;
    size_t at = 0;
    while (at < text.size() && out.size() <= kMaxText && !stopped_) {
      const size_t open = text.find("${", at);
      if (open == std::string::npos) break;
      const bool escaped = open > at && text[open - 1] == '$';
      out += text.substr(at, open - at - (escaped ? 1 : 0));
      if (escaped) {
        out += "${";
        at = open + 2;
        continue;
      }
      const size_t close = text.find('}', open);
      if (close == std::string::npos) {
        report(node, "E120", fmt::format("`{}` has no closing brace", text.substr(open)));
        return;
      }
      Node found;
      const std::string name = text.substr(open + 2, close - open - 2);
      if (!resolve(node, name, found)) return;
      if (found.is_table() || found.is_array()) {
        report(node,
               "E122",
               fmt::format("${{{}}} is {}: only a single value fits inside a text",
                           name,
                           found.is_table() ? "a table" : "an array"));
        return;
      }
      out += found.is_string() ? found.text() : toml_inline(found.scalar);
      at = close + 1;
    }
    out += text.substr(std::min(at, text.size()));
    if (out.size() > kMaxText) {
      report(
          node,
          "E122",
          fmt::format("a text of more than {} bytes after its references are replaced", kMaxText));
      stopped_ = true;
      return;
    }
    node.scalar = std::move(out);
  }

  bool resolve(Node& at, const std::string& name, Node& out) {
    if (name.starts_with("env:")) return environment(at, name.substr(4), out);
    if (name == "recipe.dir") return literal(folder_of(at.origin), at, out);
    if (name == "run.dir" && !run_dir().empty()) return literal(run_dir(), at, out);
    if (name == "run.dir") return literal("${run.dir}", at, out);
    if (name.starts_with("stage.")) return stage(at, name, out);
    return lookup(at, root_, name, name, out);
  }

  static bool literal(std::string text, Node& at, Node& out) {
    out = Node::of(std::move(text), at.origin);
    return true;
  }

  // As in `extends`, of the file that says it: a base recipe finds its data wherever it is
  // extended.
  std::string folder_of(const Origin& origin) const {
    const bool is_in_file = origin.kind == Origin::Kind::File && origin.file != nullptr;
    return is_in_file ? std::filesystem::path(origin.file->path).parent_path().string()
                      : context_.recipe_dir;
  }

  std::string run_dir() const {
    const Node* dir = root_.find_path("run.dir");
    const bool is_plain = dir != nullptr && dir->is_string() && !has_reference(*dir);
    return !context_.run_dir.empty() ? context_.run_dir : is_plain ? dir->text() : "";
  }

  bool environment(Node& at, const std::string& rest, Node& out) {
    const size_t colon = rest.find(':');
    const std::string name = rest.substr(0, colon);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr && colon == std::string::npos) {
      report(
          at,
          "E120",
          fmt::format("the environment has no {}, and ${{env:{}}} gives no default", name, name));
      return false;
    }
    const std::string text = value != nullptr ? value : rest.substr(colon + 1);
    out = parse_toml_value(text, at.origin).value_or(Node::of(text, at.origin));
    if (out.is_table() || out.is_array() || out.is_string())
      out = Node::of(text, at.origin);  // numbers and flags only
    out.is_final = true;
    return true;
  }

  bool stage(Node& at, const std::string& name, Node& out) {
    const size_t dot = name.find('.', 6);
    const std::string stage_name = name.substr(6, dot == std::string::npos ? dot : dot - 6);
    Node* table = stages_.find(stage_name);
    if (table == nullptr || dot == std::string::npos) {
      std::vector<std::string> names;
      for (const Node& child : stages_.children) names.push_back("stage." + child.key);
      report(at,
             "E120",
             fmt::format("${{{}}} names no stage", name),
             nearest("stage." + stage_name, names));
      return false;
    }
    const std::string rest = name.substr(dot + 1);
    if (rest == "out" && table->find("out") == nullptr)
      return literal(
          fmt::format("{}/{}/out", run_dir().empty() ? "${run.dir}" : run_dir(), stage_name),
          at,
          out);
    return lookup(at, *table, rest, name, out);
  }

  bool lookup(Node& at, Node& base, std::string_view path, const std::string& name, Node& out) {
    Node* found = &base;
    while (!path.empty() && found != nullptr) {
      if (!ready(at, *found)) return false;
      const size_t dot = path.find('.');
      found = found->find(path.substr(0, dot));
      path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    if (found == nullptr || name.empty() || !path.empty()) return default_of(at, name, out);
    visit_checked(at, *found);
    if (stopped_ || cycle_) {
      cycle_ = false;
      return false;
    }
    out = *found;
    return true;
  }

  // A step of a path may itself be a reference.
  bool ready(Node& at, Node& node) {
    if (!has_reference(node)) return true;
    visit_checked(at, node);
    const bool ok = !cycle_ && !stopped_;
    cycle_ = false;
    return ok;
  }

  void visit_checked(Node& at, Node& node) {
    if (stopped_) return;
    if (has_reference(node) && active_.count(&node) > 0) {
      report(at, "E121", fmt::format("`{}` refers to itself", at.text()));
      cycle_ = true;
      return;
    }
    if (node.is_string()) expand(node);
    for (Node& child : node.children) {
      visit_checked(at, child);
      if (cycle_ || stopped_) return;
    }
  }

  bool default_of(Node& at, const std::string& name, Node& out) {
    const size_t dot = name.find('.');
    for (const CoreTable& table : core_tables())
      for (const FieldInfo& field : table.fields)
        if (dot != std::string::npos && name == table.path + "." + field.name &&
            !field.default_value.is_null()) {
          out = Node::of(field.default_value, at.origin);
          return true;
        }
    report(at,
           "E120",
           fmt::format("${{{}}} names nothing in this recipe", name),
           nearest(name, all_paths(root_)));
    return false;
  }

  Node& root_;
  Node stages_;
  const ReferenceContext& context_;
  Diagnostics& diagnostics_;
  std::unordered_set<const Node*> active_;
  int64_t copies_ = 0;
  bool stopped_ = false, cycle_ = false;
};

}  // namespace

void interpolate(Node& root, const ReferenceContext& context, Diagnostics& diagnostics) {
  Interpolator(root, context, diagnostics).visit(root);
}

}  // namespace mortise::core
