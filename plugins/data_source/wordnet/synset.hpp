// One line of a WordNet data file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::data_source::wordnet {

struct Synset {
  int64_t offset = 0;
  std::vector<std::string> lemmas;
  std::string gloss, definition;
  std::vector<std::string> examples;
};

/// Parses `offset lex_file type count (word lex_id)* … | gloss` (wndb(5WN)).  Returns what is
/// wrong, or "".
std::string parse_synset(std::string_view line, Synset& synset);

}  // namespace mortise::data_source::wordnet
