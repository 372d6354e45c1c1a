// The loader: every file is read once per use, with the chain of files above it, so that cycles end
// in a message.
#include "core/recipe/compose.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/recipe/suggest.hpp"
#include "core/recipe/toml_read.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kMaxFiles = 1000;  // opened for one recipe, counting repetitions

bool is_import(const Node& node) {
  return node.is_string() && node.text().size() > 6 && node.text()[0] == '@' &&
         node.text()[1] != '@' && node.text().ends_with(".toml");
}

Diagnostic problem(std::string code,
                   std::string message,
                   const Origin& origin,
                   std::string fix = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.origin = origin;
  d.fix = std::move(fix);
  return d;
}

// Reads a regular file of at most kMaxRecipeBytes; a directory, a device or a pipe is refused
// before it is read.
std::string read_text(const std::string& path, std::string& fault) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    fault = std::strerror(errno);
    return {};
  }

  struct stat info {};

  std::string text;
  if (::fstat(fd, &info) != 0)
    fault = std::strerror(errno);
  else if (S_ISDIR(info.st_mode))
    fault = "it is a directory";
  else if (!S_ISREG(info.st_mode))
    fault = "it is not a regular file";
  else if (info.st_size > kMaxRecipeBytes)
    fault = fmt::format("it holds {:.1f} MiB, a recipe at most 8",
                        static_cast<double>(info.st_size) / (1 << 20));
  else
    text.resize(static_cast<size_t>(info.st_size));
  size_t have = 0;
  while (fault.empty() && have < text.size()) {
    const ssize_t got = ::read(fd, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fault = std::strerror(errno);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  ::close(fd);
  text.resize(have);
  return text;
}

class Loader {
 public:
  Loader(Composed& out, Diagnostics& diagnostics) : out_(out), diagnostics_(diagnostics) {}

  // `from` is where the file is named; null kind for the recipe itself.
  Node load(const std::string& shown, const Origin& from) {
    std::string fault;
    const std::string canonical = canonical_path(shown);
    const auto includer = from.file;
    for (const SourceFile* at = includer.get(); at != nullptr; at = at->includer.get())
      if (at->path == canonical)
        return refuse(
            problem("E005", fmt::format("{} includes itself", shown), from, "break the circle"));
    if (static_cast<int64_t>(out_.files.size()) >= kMaxFiles)
      return refuse(problem("E005", fmt::format("more than {} included files", kMaxFiles), from));
    std::string text = read_text(shown, fault);
    if (!fault.empty())
      return refuse(problem("E001", fmt::format("cannot read {}: {}", shown, fault), from));
    return parse(std::move(text), shown, canonical, from);
  }

  Node parse(std::string text,
             const std::string& shown,
             const std::string& canonical,
             const Origin& from) {
    auto file = std::make_shared<SourceFile>();
    file->name = shown;
    file->path = canonical;
    file->text = std::move(text);
    file->includer = from.file;
    file->includer_line = from.line;
    file->order = static_cast<int32_t>(out_.files.size());
    out_.files.push_back(file);
    Node root = parse_toml(file, diagnostics_);
    imports(root);
    return extended(std::move(root), /*is_recipe=*/file->order == 0);
  }

  void imports(Node& node) {
    for (Node& child : node.children) {
      if (is_import(child)) {
        Node table = load(beside(child), child.origin);
        table.key = child.key;
        table.key_origin = child.key_origin;
        child = std::move(table);
      } else {
        imports(child);
      }
    }
  }

  static std::string canonical_path(const std::string& path) {
    std::error_code ignored;
    const fs::path found = fs::weakly_canonical(path, ignored);
    return ignored ? path : found.string();
  }

 private:
  Node refuse(Diagnostic d) {
    diagnostics_.add(std::move(d));
    return Node::table();
  }

  // Relative to the file that names it; relative to the working directory for an override.
  static std::string beside(const Node& node, size_t skip = 1) {
    const fs::path named = node.text().substr(skip);
    if (named.is_absolute() || node.origin.file == nullptr)
      return named.lexically_normal().string();
    return (fs::path(node.origin.file->name).parent_path() / named).lexically_normal().string();
  }

  Node extended(Node root, bool is_recipe) {
    const Node* extends = root.find("extends");
    if (extends == nullptr) return root;
    std::vector<Node> names;
    if (extends->is_string()) names.push_back(*extends);
    if (extends->is_array()) names = extends->children;
    const bool all_text =
        !names.empty() &&
        std::all_of(names.begin(), names.end(), [](const Node& n) { return n.is_string(); });
    if (!all_text)
      diagnostics_.add(
          problem("E006",
                  fmt::format("extends: expected a list of files, got {}", brief(*extends)),
                  extends->origin,
                  "extends = [\"base.toml\"]"));
    root.erase("extends");
    if (!all_text) return root;
    Node base = Node::table(root.origin);
    for (const Node& name : names)
      merge(base, load(beside(name, /*skip=*/0), name.origin), "", out_.dropped);
    if (is_recipe) out_.base = base;
    merge(base, std::move(root), "", out_.dropped);
    return base;
  }

  Composed& out_;
  Diagnostics& diagnostics_;
};

// ---- overrides

bool remove_path(Node& root, const std::vector<std::string>& parts) {
  Node* at = &root;
  for (size_t i = 0; i + 1 < parts.size() && at != nullptr; ++i) at = at->find(parts[i]);
  return at != nullptr && at->erase(parts.back());
}

class Overrides {
 public:
  Overrides(Composed& out, Loader& loader, Diagnostics& diagnostics)
      : out_(out), loader_(loader), diagnostics_(diagnostics) {}

  void apply(const std::vector<Override>& overrides) {
    for (const Override& one : overrides) {
      const Origin origin = Origin::of_override(one.text, one.argument);
      if (one.text.starts_with("~"))
        remove(one.text.substr(1), origin);
      else
        set(one.text, origin);
    }
    loader_.imports(layer_);
    const Origin kept = out_.root.origin;
    merge(out_.root, std::move(layer_), "", out_.dropped);
    out_.root.origin = kept;
  }

 private:
  void remove(const std::string& text, const Origin& origin) {
    const auto parts = split_key(text);
    if (!parts) {
      diagnostics_.add(
          problem("E131", fmt::format("`{}` is not a key", text), origin, "--set ~eval.bleu"));
      return;
    }
    const bool set_before = remove_path(layer_, *parts);
    if (remove_path(out_.root, *parts) || set_before) return;
    Diagnostic d = problem("E130", fmt::format("nothing to remove at `{}`", text), origin);
    d.suggestion = nearest(text, all_paths(out_.root));
    diagnostics_.add(std::move(d));
  }

  void set(const std::string& text, const Origin& origin) {
    const size_t equals = text.find('=');
    const auto parts =
        equals == std::string::npos ? std::nullopt : split_key(text.substr(0, equals));
    if (!parts) {
      diagnostics_.add(problem("E131",
                               fmt::format("`{}` is not KEY=VALUE", text),
                               origin,
                               "--set optimizer.lr=1e-3, or --set ~eval.bleu to remove"));
      return;
    }
    const std::string value = text.substr(equals + 1);
    Node node = parse_toml_value(value, origin).value_or(Node::of(value, origin));
    if (node.is_string()) node.is_final = false;
    Node* at = &layer_;
    for (size_t i = 0; i + 1 < parts->size(); ++i) {
      Node* next = at->find((*parts)[i]);
      if (next == nullptr || !next->is_table()) next = &at->put((*parts)[i], Node::table(origin));
      next->key_origin = origin;
      at = next;
    }
    node.key_origin = origin;
    at->put(parts->back(), std::move(node));
  }

  Composed& out_;
  Loader& loader_;
  Diagnostics& diagnostics_;
  Node layer_ = Node::table();
};

Composed composed(std::optional<std::string> text,
                  const std::string& path,
                  const std::vector<Override>& overrides,
                  Diagnostics& diagnostics) {
  Composed out;
  Loader loader(out, diagnostics);
  const std::string canonical = Loader::canonical_path(path);
  out.recipe_dir = fs::path(canonical).parent_path().string();
  out.root = text ? loader.parse(std::move(*text), path, canonical, {}) : loader.load(path, {});
  if (out.base.is_null()) out.base = out.root;
  Overrides(out, loader, diagnostics).apply(overrides);
  return out;
}

}  // namespace

Composed compose(const std::string& path,
                 const std::vector<Override>& overrides,
                 Diagnostics& diagnostics) {
  return composed(std::nullopt, path, overrides, diagnostics);
}

Composed compose_text(std::string text,
                      const std::string& path,
                      const std::vector<Override>& overrides,
                      Diagnostics& diagnostics) {
  return composed(std::move(text), path, overrides, diagnostics);
}

std::optional<std::vector<std::string>> split_key(std::string_view text) {
  std::vector<std::string> parts;
  constexpr size_t kMaxParts = 32;
  while (parts.size() < kMaxParts) {
    std::string part;
    if (!text.empty() && (text[0] == '"' || text[0] == '\'')) {
      const size_t end = text.find(text[0], 1);
      if (end == std::string_view::npos) return std::nullopt;
      part = text.substr(1, end - 1);
      text.remove_prefix(end + 1);
    } else {
      const size_t end = text.find('.');
      part = text.substr(0, end);
      const auto is_bare = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
      };
      if (part.empty() || !std::all_of(part.begin(), part.end(), is_bare)) return std::nullopt;
      text.remove_prefix(part.size());
    }
    parts.push_back(std::move(part));
    if (text.empty()) return parts;
    if (text[0] != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

}  // namespace mortise::core
