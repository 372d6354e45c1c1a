// The command-line words of the author verbs: positional arguments, flags and options with a value.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::core {

/// "--seed 3", "--seed=3", "--json", "NAME".  What a verb does not know is an error that lists what
/// it does.
class Options {
 public:
  /// `flags` take no value, `valued` take one and may be repeated.  Throws: Error{Usage}.
  Options(std::string_view verb,
          const std::vector<std::string>& args,
          std::initializer_list<std::string_view> flags,
          std::initializer_list<std::string_view> valued);

  bool has(std::string_view name) const { return values_.count(std::string(name)) != 0; }

  /// The last value given, or `otherwise`.
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  std::vector<std::string> all(std::string_view name) const;
  /// Throws: Error{Usage} when the value is no integer.
  int64_t integer(std::string_view name, int64_t otherwise) const;

  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::string verb_;
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> positional_;
};

}  // namespace mortise::core
