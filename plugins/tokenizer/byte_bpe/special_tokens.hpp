// The roles of special tokens: tokenizer_config.json and special_tokens_map.json of `transformers`.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "mortise/tokenizer.hpp"
#include "mortise/value.hpp"

namespace mortise::tokenizer::byte_bpe {

/// The key of a role in these files: "bos_token".
const char* role_key(SpecialToken role);

/// Role → token text, from tokenizer_config.json, and for roles it leaves open from
/// special_tokens_map.json.  Either file may be absent.  Fills `config` with the content of
/// tokenizer_config.json.   Throws: DataError naming file and key.
std::map<SpecialToken, std::string> read_roles(const std::string& directory, Value& config);
/// Writes both files.  `config` holds the keys to keep beside the roles.   Throws: Error{Io}.
void write_roles(const std::string& directory,
                 const std::map<SpecialToken, std::string>& roles,
                 const Value& config);

}  // namespace mortise::tokenizer::byte_bpe
