// Rules between parameters as data: "heads % kv_heads == 0", "bits == 4 implies group > 0".
//
// Grammar, loosest first:  implies · or · and · not · == != < <= > >= · + - · * / % · unary - ·
// value. A value is a number, 'text', true, false, a parameter by path (position.theta), has(path)
// or ( … ). An absent parameter is null; anything computed from null is null, and a null rule
// counts as held.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// Returns the value of a parameter, or null when it is absent.
using Lookup = std::function<const Value*(std::string_view path)>;

class MORTISE_API Expression {
 public:
  /// Throws: Error naming the column of what does not parse.
  explicit Expression(std::string_view text);
  ~Expression();
  Expression(Expression&&) noexcept;
  /// Throws: Error on a type that does not fit and on division by zero.
  Value evaluate(const Lookup& lookup) const;
  /// True unless the value is false.  Throws: like evaluate, and when the value is not a truth
  /// value.
  bool holds(const Lookup& lookup) const;

  struct Term;

 private:
  std::unique_ptr<Term> root_;
};

}  // namespace mortise
