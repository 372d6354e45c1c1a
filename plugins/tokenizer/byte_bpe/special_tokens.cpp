// A role's value is the token's text, an object with "content", or null (transformers,
// tokenization_utils_base.py).
#include "special_tokens.hpp"

#include <filesystem>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr int64_t kMaxBytes = int64_t{64} << 20;
constexpr SpecialToken kRoles[] = {
    SpecialToken::Bos, SpecialToken::Eos, SpecialToken::Pad, SpecialToken::Unknown};

Value read_object(const std::string& path) {
  if (!std::filesystem::exists(path)) return Value::table();
  Value value = parse_json(read_file(path, kMaxBytes), path);
  if (!value.is_table()) throw DataError(path + ": expected an object");
  return value;
}

void add_roles(const Value& object,
               const std::string& path,
               std::map<SpecialToken, std::string>& roles) {
  for (SpecialToken role : kRoles) {
    const Value* value = object.find(role_key(role));
    if (value == nullptr || value->is_null() || roles.contains(role)) continue;
    const Value* content = value->is_table() ? value->find("content") : value;
    if (content == nullptr || !content->is_string())
      throw DataError(
          fmt::format("{}: {}: expected a text, an object with a text \"content\", or null",
                      path,
                      role_key(role)));
    roles.emplace(role, content->as_string());
  }
}

}  // namespace

const char* role_key(SpecialToken role) {
  switch (role) {
    case SpecialToken::Bos:
      return "bos_token";
    case SpecialToken::Eos:
      return "eos_token";
    case SpecialToken::Pad:
      return "pad_token";
    case SpecialToken::Unknown:
      return "unk_token";
  }
  return "";
}

std::map<SpecialToken, std::string> read_roles(const std::string& directory, Value& config) {
  std::map<SpecialToken, std::string> roles;
  const std::string path = directory + "/tokenizer_config.json";
  config = read_object(path);
  add_roles(config, path, roles);
  const std::string map_path = directory + "/special_tokens_map.json";
  add_roles(read_object(map_path), map_path, roles);
  return roles;
}

void write_roles(const std::string& directory,
                 const std::map<SpecialToken, std::string>& roles,
                 const Value& config) {
  Value full = config, map = Value::table();
  for (const auto& [role, text] : roles) {
    full[role_key(role)] = text;
    map[role_key(role)] = text;
  }
  write_file(directory + "/special_tokens_map.json", to_json(map, 2) + "\n");
  write_file(directory + "/tokenizer_config.json", to_json(full, 2) + "\n");
}

}  // namespace mortise::tokenizer::byte_bpe
