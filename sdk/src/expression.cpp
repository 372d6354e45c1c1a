// A Pratt parser (Pratt, Top Down Operator Precedence, POPL 1973) and a tree walk.  Integers stay
// integers under + - * %; / is always a float division.
#include "mortise/expression.hpp"

#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "mortise/error.hpp"

namespace mortise {

struct Expression::Term {
  std::string op;  // an operator, "value", "path" or "has"
  Value value;
  std::string path;
  std::unique_ptr<Term> left, right;
};

namespace {

using Term = Expression::Term;
using TermPtr = std::unique_ptr<Term>;

struct Token {
  enum class Kind { End, Number, Text, Name, Symbol } kind = Kind::End;
  std::string text;
  Value value;
  size_t column = 1;
};

[[noreturn]] void fail(size_t column, std::string_view what) {
  throw Error(Code::Usage, fmt::format("rule, column {}: {}", column, what));
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    Token token;
    token.column = at_ + 1;
    if (at_ >= text_.size()) return token;
    const char c = text_[at_];
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])))
      return number(token);
    if (c == '\'' || c == '"') return text(token);
    if (is_name_start(c)) return name(token);
    token.kind = Token::Kind::Symbol;
    const std::string_view two = text_.substr(at_, 2);
    token.text = two == "==" || two == "!=" || two == "<=" || two == ">=" ? std::string(two)
                                                                          : std::string(1, c);
    if (token.text.size() == 1 && std::string_view("<>+-*/%()").find(c) == std::string_view::npos)
      fail(token.column, "unexpected character");
    at_ += token.text.size();
    return token;
  }

 private:
  Token number(Token token) {
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    int64_t integer = 0;
    double real = 0;
    const auto as_int = std::from_chars(begin, end, integer);
    const auto as_real = std::from_chars(begin, end, real);
    if (as_real.ec != std::errc()) fail(token.column, "not a number");
    token.kind = Token::Kind::Number;
    token.value =
        as_int.ec == std::errc() && as_int.ptr == as_real.ptr ? Value(integer) : Value(real);
    at_ += static_cast<size_t>(as_real.ptr - begin);
    return token;
  }

  Token text(Token token) {
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) fail(token.column, "a text without its closing quote");
    token.kind = Token::Kind::Text;
    token.value = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return token;
  }

  Token name(Token token) {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (is_name_start(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '.'))
      ++at_;
    token.kind = Token::Kind::Name;
    token.text = text_.substr(begin, at_ - begin);
    return token;
  }

  std::string_view text_;
  size_t at_ = 0;
};

int binding(const Token& token) {
  const std::string& op = token.text;
  if (token.kind == Token::Kind::Name)
    return op == "implies" ? 1 : op == "or" ? 2 : op == "and" ? 3 : 0;
  if (token.kind != Token::Kind::Symbol) return 0;
  if (op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=") return 5;
  if (op == "+" || op == "-") return 6;
  return op == "*" || op == "/" || op == "%" ? 7 : 0;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) { token_ = lexer_.next(); }

  TermPtr whole() {
    TermPtr term = parse(0);
    if (token_.kind != Token::Kind::End)
      fail(token_.column, fmt::format("unexpected `{}`", token_.text));
    return term;
  }

 private:
  static constexpr int kMaxNesting = 100;

  void step() { token_ = lexer_.next(); }

  static TermPtr make(std::string op, TermPtr left, TermPtr right) {
    auto term = std::make_unique<Term>();
    term->op = std::move(op);
    term->left = std::move(left);
    term->right = std::move(right);
    return term;
  }

  TermPtr parse(int floor) {
    if (++nesting_ > kMaxNesting) fail(token_.column, "nested too deeply");
    TermPtr left = prefix();
    for (int chain = 0; binding(token_) > floor; ++chain) {
      if (chain > kMaxNesting) fail(token_.column, "too long");
      const Token op = token_;
      step();
      left = make(op.text, std::move(left), parse(op.text == "implies" ? 0 : binding(op)));
    }
    --nesting_;
    return left;
  }

  TermPtr prefix() {
    const Token token = token_;
    step();
    if (token.kind == Token::Kind::Number || token.kind == Token::Kind::Text)
      return constant(token.value);
    if (token.kind == Token::Kind::Name) return name(token);
    if (token.text == "-") return make("negate", parse(8), nullptr);
    if (token.text == "(") {
      TermPtr inner = parse(0);
      expect(")");
      return inner;
    }
    fail(token.column,
         token.kind == Token::Kind::End ? "the rule ends too early"
                                        : fmt::format("unexpected `{}`", token.text));
  }

  TermPtr name(const Token& token) {
    if (token.text == "true" || token.text == "false") return constant(token.text == "true");
    if (token.text == "not") return make("not", parse(4), nullptr);
    auto term = std::make_unique<Term>();
    term->op = "path";
    term->path = token.text;
    if (token.text == "has" && token_.text == "(") {
      step();
      term->op = "has";
      term->path = token_.text;
      if (token_.kind != Token::Kind::Name)
        fail(token_.column, "has() wants the path of a parameter");
      step();
      expect(")");
    }
    return term;
  }

  static TermPtr constant(Value value) {
    auto term = std::make_unique<Term>();
    term->op = "value";
    term->value = std::move(value);
    return term;
  }

  void expect(std::string_view symbol) {
    if (token_.text != symbol || token_.kind != Token::Kind::Symbol)
      fail(token_.column, fmt::format("expected `{}`", symbol));
    step();
  }

  Lexer lexer_;
  Token token_;
  int nesting_ = 0;
};

Value arithmetic(const std::string& op, const Value& a, const Value& b) {
  if (!a.is_number() || !b.is_number())
    throw Error(
        Code::Usage,
        fmt::format(
            "`{}` wants numbers, got {} and {}", op, kind_name(a.kind()), kind_name(b.kind())));
  if ((op == "/" || op == "%") && b.as_float() == 0) throw Error(Code::Usage, "division by zero");
  int64_t exact = 0;
  if (a.is_int() && b.is_int() && op != "/") {
    const int64_t x = a.as_int(), y = b.as_int();
    if (op == "%") return y == -1 ? int64_t{0} : x % y;
    const bool overflow = op == "+"   ? __builtin_add_overflow(x, y, &exact)
                          : op == "-" ? __builtin_sub_overflow(x, y, &exact)
                                      : __builtin_mul_overflow(x, y, &exact);
    if (!overflow) return exact;
  }
  const double x = a.as_float(), y = b.as_float();
  if (op == "+") return x + y;
  if (op == "-") return x - y;
  if (op == "*") return x * y;
  return op == "/" ? x / y : std::fmod(x, y);
}

bool equal(const Value& a, const Value& b) {
  return a.is_number() && b.is_number() ? a.as_float() == b.as_float() : a == b;
}

Value compare(const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (!a.is_number() || !b.is_number())
    throw Error(
        Code::Usage,
        fmt::format(
            "`{}` wants numbers, got {} and {}", op, kind_name(a.kind()), kind_name(b.kind())));
  const double x = a.as_float(), y = b.as_float();
  if (op == "<") return x < y;
  if (op == "<=") return x <= y;
  return op == ">" ? x > y : x >= y;
}

// Kleene's three-valued logic: null is "unknown".
std::optional<bool> truth(const Value& value) {
  return value.is_null() ? std::nullopt : std::optional(value.as_bool());
}

Value logic(const std::string& op,
            std::optional<bool> a,
            const std::function<std::optional<bool>()>& right) {
  if (op == "implies" && a) a = !*a;
  const bool absorbing = op != "and";
  if (a == absorbing) return absorbing;
  const auto b = right();
  if (b == absorbing) return absorbing;
  return a && b ? Value(!absorbing) : Value();
}

Value walk(const Term& term, const Lookup& lookup) {
  if (term.op == "value") return term.value;
  const Value* found = term.path.empty() ? nullptr : lookup(term.path);
  if (term.op == "path") return found == nullptr ? Value() : *found;
  if (term.op == "has") return found != nullptr && !found->is_null();
  const Value a = walk(*term.left, lookup);
  if (term.op == "not") {
    const auto t = truth(a);
    return t ? Value(!*t) : Value();
  }
  if (term.op == "and" || term.op == "or" || term.op == "implies")
    return logic(term.op, truth(a), [&] { return truth(walk(*term.right, lookup)); });
  if (term.op == "negate") return a.is_null() ? a : arithmetic("-", Value(0), a);
  const Value b = walk(*term.right, lookup);
  if (a.is_null() || b.is_null()) return {};
  return std::string_view("+-*/%").find(term.op) != std::string_view::npos
             ? arithmetic(term.op, a, b)
             : compare(term.op, a, b);
}

}  // namespace

Expression::Expression(std::string_view text) : root_(Parser(text).whole()) {}

Expression::~Expression() = default;
Expression::Expression(Expression&&) noexcept = default;

Value Expression::evaluate(const Lookup& lookup) const { return walk(*root_, lookup); }

bool Expression::holds(const Lookup& lookup) const {
  return truth(evaluate(lookup)).value_or(true);
}

}  // namespace mortise
