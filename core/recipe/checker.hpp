// The check of one composed and interpolated tree against tables and component schemas; internal to
// core/recipe.
//
// One walk does it all: keys, types, units, ranges, providers, defaults, rules.  It returns the
// same tree completed, every value with its origin, and leaves what is wrong in the diagnostics.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/plugin/catalog.hpp"
#include "core/recipe/diagnostics.hpp"
#include "core/recipe/node.hpp"
#include "core/recipe/resolve.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

/// What one table accepts.
struct Block {
  std::vector<const FieldInfo*> fields;
  std::vector<std::string> extra;  // keys that the caller reads itself
  std::string owner;               // "lora@1.2.0, plugin org.mortise.peft"; empty for core
  Origin default_origin;
  const Value* defaults =
      nullptr;             // of the field that holds this table; they win over the fields' own
  std::string kind, type;  // of a component, for hints about its neighbours
};

class Checker {
 public:
  Checker(const Catalog& catalog, Diagnostics& diagnostics)
      : catalog_(catalog), diagnostics_(diagnostics) {}

  /// Checks everything except `vars`, which is free, and returns the completed tree.
  Node recipe(const Node& root);

  const std::vector<UsedComponent>& used() const { return used_; }

  const std::set<std::string>& missing() const { return missing_; }

 private:
  struct Shape;
  static const Shape& shape();

  // check.cpp: places
  Node place(const Shape& shape, const Node* given, const std::string& path, const Origin& outer);
  void slot_place(const Shape& shape, const Node& given, const std::string& path, Node& out);
  void require_slots(const Node& out, const Node& root);
  void requirements(const Node& plugins);
  void recipe_rules(const Node& out);
  static bool rule_holds(const RecipeRule& rule, const Node& out);

  // check_together.cpp: what tables and components must agree on
  void capabilities();
  void packing(const Node& out);
  void in_backward(const Node& out);
  void precision(const Node& out);
  void profiled_steps(const Node& out);
  std::string providers_of(const std::string& capability) const;
  void named_scores(const Node& out);

  // check_field.cpp: values
  bool block(const Block& block, const Node& given, const std::string& path, Node& out);
  void defaults(const Block& block, const Node& given, const std::string& path, Node& out);
  bool field(const FieldInfo& info,
             const Node& given,
             const std::string& path,
             const Block& block,
             Node& out);
  bool scalar(const FieldInfo& info, const Node& given, const std::string& path, Node& out);
  bool number(const FieldInfo& info, const Node& given, Node& out);
  bool bounds(const FieldInfo& info, const Node& value, const Node& given, const std::string& path);
  bool nested_table(const FieldInfo& info,
                    const Node& given,
                    const std::string& path,
                    const Block& block,
                    Node& out);
  void wrong_type(const FieldInfo& info,
                  const Node& given,
                  const std::string& path,
                  std::string fix = {});

  // check_component.cpp: components
  bool switched_off(const Slot* slot,
                    const std::string& default_type,
                    const Node& given,
                    const std::string& path,
                    Node& out);
  bool component(const std::string& interface_id,
                 const Slot* slot,
                 const std::string& default_type,
                 const Node& given,
                 const std::string& path,
                 Node& out);
  bool without_type(const std::string& interface_id,
                    const Node& given,
                    const std::string& path,
                    Node& out);
  const ComponentEntry* provider(std::string_view kind,
                                 const std::string& type,
                                 const Node& at,
                                 const std::string& path);
  void no_provider(std::string_view kind,
                   const std::string& type,
                   const Node& at,
                   const std::string& path);
  void component_rules(const ComponentEntry& entry,
                       const Node& out,
                       const Node& given,
                       const std::string& path);
  const SchemaInfo* schema_of(const ComponentEntry& entry, const Node& at);

  // check_unknown.cpp: keys that nobody knows
  void unknown(const Block& block, const Node& child, const std::string& path);
  std::string elsewhere(const std::string& key) const;

  Diagnostic& report(std::string code, std::string message, const Origin& origin);
  void flush();  // moves what report() returned into the diagnostics

  const Catalog& catalog_;
  Diagnostics& diagnostics_;
  std::vector<UsedComponent> used_;
  std::set<std::string> missing_;
  std::vector<Diagnostic> pending_;

  struct NamedScore {
    std::string path, score, owner;
    Origin origin;
  };

  std::vector<NamedScore> scores_;  // texts of FieldInfo::names_score
  std::string task_;
  bool open_model_ = false;  // model.from is given: parts may come from its config.json
  bool has_model_ = false;
};

}  // namespace mortise::core
