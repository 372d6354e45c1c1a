// The words of a synset line and the parts of its gloss.
#include "synset.hpp"

#include <algorithm>
#include <charconv>

#include "mortise/pytext.hpp"

namespace mortise::data_source::wordnet {

namespace {

std::string_view take_word(std::string_view& rest) {
  const size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

bool read_number(std::string_view text, int base, int64_t& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::string lemma_of(std::string_view word) {
  if (word.ends_with(')'))
    word = word.substr(0, word.rfind('('));  // (a), (p), (ip): where an adjective may stand
  std::string lemma(word);
  std::replace(lemma.begin(), lemma.end(), '_', ' ');
  return lemma;
}

// Finds where the examples begin: a quotation mark at the start or after a semicolon.  Others
// belong to the definition.
size_t find_examples(std::string_view gloss) {
  for (size_t at = gloss.find('"'); at != std::string_view::npos; at = gloss.find('"', at + 1)) {
    const std::string_view before = pytext::rstrip(gloss.substr(0, at));
    if (before.empty() || before.back() == ';') return at;
  }
  return gloss.size();
}

void split_gloss(Synset& synset) {
  const std::string_view gloss = synset.gloss;
  const size_t begin = find_examples(gloss);
  std::string_view definition = pytext::rstrip(gloss.substr(0, begin));
  while (definition.ends_with(';'))
    definition = pytext::rstrip(definition.substr(0, definition.size() - 1));
  synset.definition = definition;
  for (size_t open = begin; open < gloss.size(); open = gloss.find('"', open)) {
    const size_t close =
        std::min(gloss.find('"', open + 1), gloss.size());  // some last ones are not closed
    const std::string_view example = pytext::strip(gloss.substr(open + 1, close - open - 1));
    if (!example.empty()) synset.examples.emplace_back(example);
    open = std::min(close + 1, gloss.size());
  }
}

}  // namespace

std::string parse_synset(std::string_view line, Synset& synset) {
  synset = {};
  const size_t bar = line.find(" | ");
  if (bar == std::string_view::npos) return "there is no gloss";
  std::string_view rest = line.substr(0, bar);
  if (!read_number(take_word(rest), 10, synset.offset)) return "the offset is not a number";
  take_word(rest);  // lexicographer file
  take_word(rest);  // synset type
  int64_t count = 0;
  if (!read_number(take_word(rest), 16, count) || count < 1)
    return "the number of words is not a hexadecimal number above 0";
  for (int64_t i = 0; i < count; ++i) {
    const std::string_view word = take_word(rest);
    if (word.empty()) return "there are fewer words than announced";
    synset.lemmas.push_back(lemma_of(word));
    take_word(rest);  // lexical id
  }
  synset.gloss = pytext::strip(line.substr(bar + 3));
  if (synset.gloss.empty()) return "the gloss is empty";
  split_gloss(synset);
  return "";
}

}  // namespace mortise::data_source::wordnet
