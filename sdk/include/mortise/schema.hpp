// How an author declares parameters: a plain Config struct and one line a parameter.
//
//   struct Config {
//     double momentum = 0.9;
//     static void describe(mortise::Schema<Config>& s) {
//       s.field("momentum", &Config::momentum, "of the gradient").range(0, 1);
//     }
//   };
//
// The default is the member's initialiser, the type is the member's type: bool, int64_t, double,
// std::string, std::vector<T>, std::map<std::string, T>, std::optional<T>, a struct with its own
// describe(), Use<Interface>, or Value (free form). The host has validated and completed the table
// before a component reads it.
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mortise/error.hpp"
#include "mortise/host.hpp"
#include "mortise/schema_info.hpp"

namespace mortise {

/// A parameter whose value is another component: `position = { type = "rope", theta = 1e4 }`.
/// The host wires it; make() may be called any number of times, each call makes a new object.
template <class Interface>
class Use {
 public:
  Use() = default;

  /// The default component, with its own defaults.
  explicit Use(const char* type) { value_["type"] = type; }

  Use(Value value, Host* host) : value_(std::move(value)), host_(host) {}

  /// True when neither a default nor the recipe names a component.
  bool empty() const { return value_.is_null(); }

  const Value& value() const { return value_; }

  /// Who would make it; null until the host has read the table.
  Host* host() const { return host_; }

  /// Makes the component.  Throws: Error when empty, or what its constructor throws.   Thread:
  /// [main-thread].
  std::unique_ptr<Interface> make(const typename Interface::Args& args) const {
    MORTISE_CHECK(!empty() && host_ != nullptr, "no {} was chosen here", Interface::kInterface);
    return mortise::make<Interface>(*host_, value_, args);
  }

 private:
  Value value_;
  Host* host_ = nullptr;
};

template <class Config>
class Schema;

template <class Config>
concept Described = requires(Schema<Config>& schema) {
  Config::describe(schema);
};

namespace detail {

template <class T>
struct Codec;  // type, shape, read and write of one member type; specialised below

template <class Config>
Config read_config(const Value& value, Host* host);
template <class Config>
Value write_config(const Config& config);
template <class Config>
std::vector<FieldInfo> fields_of();

}  // namespace detail

/// Refines the field that was declared last; every call returns itself for chaining.
class FieldRef {
 public:
  explicit FieldRef(FieldInfo& info) : info_(&info) {}

  /// Bounds of a number, or of each number of an array; both ends included.
  FieldRef& range(double min, double max) {
    info_->min = min;
    info_->max = max;
    return *this;
  }

  FieldRef& min(double value) {
    info_->min = value;
    return *this;
  }

  FieldRef& max(double value) {
    info_->max = value;
    return *this;
  }

  /// A lower bound that is itself not allowed: lr > 0.
  FieldRef& above(double value) {
    info_->min = value;
    info_->min_excluded = true;
    return *this;
  }

  FieldRef& one_of(std::vector<Value> choices) {
    info_->choices = std::move(choices);
    return *this;
  }

  FieldRef& required() {
    info_->required = true;
    info_->default_value = Value();
    return *this;
  }

  FieldRef& unit(std::string name) {
    info_->unit = std::move(name);
    return *this;
  }

  FieldRef& since(std::string version) {
    info_->since = std::move(version);
    return *this;
  }

  FieldRef& renamed_from(std::string key) {
    info_->renamed_from = std::move(key);
    return *this;
  }

  /// The text names an evaluated score, "ppl.perplexity": the host checks that the recipe has that
  /// [eval.ppl] and takes it during training.
  FieldRef& names_score() {
    info_->names_score = true;
    return *this;
  }

  FieldRef& secret() {
    info_->secret = true;
    return *this;
  }

 private:
  FieldInfo* info_;
};

/// Collects the description of one Config.  Thread: [main-thread].
template <class Config>
class Schema {
 public:
  template <class T>
  FieldRef field(std::string name, T Config::*member, std::string doc) {
    const Config defaults{};
    FieldInfo& info = info_.fields.emplace_back(detail::Codec<T>::shape());
    info.name = name;
    info.doc = std::move(doc);
    info.default_value = detail::Codec<T>::write(defaults.*member);
    members_.push_back(
        {name,
         [member](Config& c, const Value& v, Host* h) { c.*member = detail::Codec<T>::read(v, h); },
         [member](const Config& c) { return detail::Codec<T>::write(c.*member); }});
    return FieldRef(info);
  }

  /// A condition between parameters, kept as data: rule("heads % kv_heads == 0", "kv_heads must
  /// divide heads").
  void rule(std::string expression, std::string message) {
    info_.rules.push_back({std::move(expression), std::move(message)});
  }

  /// What this component can do, optionally only when an expression holds.
  void provides(std::string capability, std::string when = {}) {
    info_.provides.push_back({std::move(capability), std::move(when)});
  }

  /// What this component needs of the ones it works with.
  void needs(std::string capability, std::string when = {}) {
    info_.needs.push_back({std::move(capability), std::move(when)});
  }

  const SchemaInfo& info() const { return info_; }

  Config read(const Value& value, Host* host) const {
    Config config{};
    for (const Member& member : members_) {
      const Value* given = value.find(member.name);
      if (given != nullptr && !given->is_null()) {
        member.read(config, *given, host);
      } else if (const Value own = member.write(config); own.is_table()) {
        member.read(config, own, host);  // a default component learns who makes it
      }
    }
    return config;
  }

  Value write(const Config& config) const {
    Value table = Value::table();
    for (const Member& member : members_) table[member.name] = member.write(config);
    return table;
  }

 private:
  struct Member {
    std::string name;
    std::function<void(Config&, const Value&, Host*)> read;
    std::function<Value(const Config&)> write;
  };

  SchemaInfo info_;
  std::vector<Member> members_;
};

/// Describes a Config once.
template <class Config>
Schema<Config> describe() {
  Schema<Config> schema;
  Config::describe(schema);
  return schema;
}

namespace detail {

template <class Config>
Config read_config(const Value& value, Host* host) {
  return mortise::describe<Config>().read(value, host);
}

template <class Config>
Value write_config(const Config& config) {
  return mortise::describe<Config>().write(config);
}

template <class Config>
std::vector<FieldInfo> fields_of() {
  return mortise::describe<Config>().info().fields;
}

inline FieldInfo field_shape(FieldType type) {
  FieldInfo info;
  info.type = type;
  return info;
}

template <>
struct Codec<bool> {
  static FieldInfo shape() { return field_shape(FieldType::Bool); }

  static bool read(const Value& v, Host*) { return v.as_bool(); }

  static Value write(bool v) { return v; }
};

template <>
struct Codec<int64_t> {
  static FieldInfo shape() { return field_shape(FieldType::Int); }

  static int64_t read(const Value& v, Host*) { return v.as_int(); }

  static Value write(int64_t v) { return v; }
};

template <>
struct Codec<double> {
  static FieldInfo shape() { return field_shape(FieldType::Float); }

  static double read(const Value& v, Host*) { return v.as_float(); }

  static Value write(double v) { return v; }
};

template <>
struct Codec<std::string> {
  static FieldInfo shape() { return field_shape(FieldType::String); }

  static std::string read(const Value& v, Host*) { return v.as_string(); }

  static Value write(const std::string& v) { return v; }
};

template <>
struct Codec<Value> {
  static FieldInfo shape() { return field_shape(FieldType::Any); }

  static Value read(const Value& v, Host*) { return v; }

  static Value write(const Value& v) { return v; }
};

template <class T>
struct Codec<std::vector<T>> {
  static FieldInfo shape() {
    FieldInfo info = field_shape(FieldType::Array);
    info.element.push_back(Codec<T>::shape());
    return info;
  }

  static std::vector<T> read(const Value& v, Host* host) {
    std::vector<T> out;
    for (const Value& item : v.as_array()) out.push_back(Codec<T>::read(item, host));
    return out;
  }

  static Value write(const std::vector<T>& v) {
    Value out = Value::array();
    for (const T& item : v) out.as_array().push_back(Codec<T>::write(item));
    return out;
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static FieldInfo shape() {
    FieldInfo info = field_shape(FieldType::Map);
    info.element.push_back(Codec<T>::shape());
    return info;
  }

  static std::map<std::string, T> read(const Value& v, Host* host) {
    std::map<std::string, T> out;
    for (const auto& [key, item] : v.as_table()) out.emplace(key, Codec<T>::read(item, host));
    return out;
  }

  static Value write(const std::map<std::string, T>& v) {
    Value out = Value::table();
    for (const auto& [key, item] : v) out[key] = Codec<T>::write(item);
    return out;
  }
};

template <class T>
struct Codec<std::optional<T>> {
  static FieldInfo shape() {
    FieldInfo info = Codec<T>::shape();
    info.optional = true;
    return info;
  }

  static std::optional<T> read(const Value& v, Host* host) { return Codec<T>::read(v, host); }

  static Value write(const std::optional<T>& v) { return v ? Codec<T>::write(*v) : Value(); }
};

template <class Interface>
struct Codec<Use<Interface>> {
  static FieldInfo shape() {
    FieldInfo info = field_shape(FieldType::Component);
    info.interface_id = Interface::kInterface;
    return info;
  }

  static Use<Interface> read(const Value& v, Host* host) { return {v, host}; }

  static Value write(const Use<Interface>& v) { return v.value(); }
};

template <Described T>
struct Codec<T> {
  static FieldInfo shape() {
    FieldInfo info = field_shape(FieldType::Table);
    info.nested = fields_of<T>();
    return info;
  }

  static T read(const Value& v, Host* host) {
    v.as_table();  // throws when it is something else
    return read_config<T>(v, host);
  }

  static Value write(const T& v) { return write_config(v); }
};

}  // namespace detail

}  // namespace mortise
