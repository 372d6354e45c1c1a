// Porter, "An algorithm for suffix stripping", Program 14.3 (1980), with the extensions of NLTK's
// PorterStemmer in its default mode (NLTK_EXTENSIONS): a table of irregular forms; ies and ied of
// four-letter words; y → i only after a consonant that is not the first letter; alli first and
// again; bli, fulli, logi; *o also holds for a word of vowel + consonant; words of one or two
// letters stay.  The stemmers of Snowball and of Porter's page differ from it in about 1.4 % of
// WordNet's lemmas.
//
// Notation of the paper: m = the number of vowel-consonant sequences in a stem; *v* = it has a
// vowel; *d = it ends with a double consonant; *o = it ends consonant-vowel-consonant, the last not
// w, x or y.
#include "porter.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace mortise::metric::rouge {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kIrregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// Walks a word and tells each letter's class: y is a consonant at the start and after a vowel.
template <class Visit>
void each_letter(std::string_view word, Visit visit) {
  bool consonant = false;
  for (size_t i = 0; i < word.size(); ++i) {
    consonant = word[i] == 'y' ? i == 0 || !consonant : !is_vowel_letter(word[i]);
    visit(i, consonant);
  }
}

bool is_consonant(std::string_view word, size_t at) {
  bool found = false;
  each_letter(word.substr(0, at + 1), [&](size_t, bool consonant) { found = consonant; });
  return found;
}

int measure(std::string_view stem) {
  int count = 0;
  bool after_vowel = false;
  each_letter(stem, [&](size_t, bool consonant) {
    count += consonant && after_vowel;
    after_vowel = !consonant;
  });
  return count;
}

bool has_vowel(std::string_view stem) {
  bool found = false;
  each_letter(stem, [&](size_t, bool consonant) { found |= !consonant; });
  return found;
}

bool ends_double_consonant(std::string_view word) {
  const size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

bool ends_cvc(std::string_view word) {
  const size_t n = word.size();
  if (n == 2) return !is_consonant(word, 0) && is_consonant(word, 1);
  return n >= 3 && is_consonant(word, n - 3) && !is_consonant(word, n - 2) &&
         is_consonant(word, n - 1) && word[n - 1] != 'w' && word[n - 1] != 'x' &&
         word[n - 1] != 'y';
}

std::string_view without(std::string_view word, size_t letters) {
  return word.substr(0, word.size() - letters);
}

struct Rule {
  std::string_view suffix, replacement;
};

// The first rule whose suffix matches decides, also when the measure of the stem forbids it.
void apply_rules(std::string& word, std::span<const Rule> rules, int min_measure) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    if (measure(without(word, rule.suffix.size())) >= min_measure)
      word.replace(word.size() - rule.suffix.size(), std::string::npos, rule.replacement);
    return;
  }
}

void step_1a(std::string& word) {
  if (word.ends_with("sses") || (word.ends_with("ies") && word.size() != 4))
    word.resize(word.size() - 2);
  else if (word.ends_with("s") && !word.ends_with("ss"))
    word.pop_back();  // "dies" → "die" too
}

void step_1b(std::string& word) {
  if (word.ends_with("ied")) return word.resize(word.size() - (word.size() == 4 ? 1 : 2));
  if (word.ends_with("eed")) {
    if (measure(without(word, 3)) > 0) word.pop_back();
    return;
  }
  const size_t cut = word.ends_with("ed") ? 2 : word.ends_with("ing") ? 3 : 0;
  if (cut == 0 || !has_vowel(without(word, cut))) return;
  word.resize(word.size() - cut);
  const char last = word.back();
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz"))
    word += 'e';
  else if (ends_double_consonant(word))
    word.resize(word.size() - (last != 'l' && last != 's' && last != 'z' ? 1 : 0));
  else if (measure(word) == 1 && ends_cvc(word))
    word += 'e';
}

void step_1c(std::string& word) {
  if (word.size() > 2 && word.back() == 'y' && is_consonant(word, word.size() - 2))
    word.back() = 'i';
}

void step_2(std::string& word) {
  static constexpr std::array<Rule, 21> kRules = {{
      {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
      {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
      {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
      {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
      {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
      {"fulli", "ful"},
  }};
  // First of all, so that "nationalli" reaches the rule of "ational".
  if (word.ends_with("alli") && measure(without(word, 4)) > 0) word.resize(word.size() - 2);
  if (word.ends_with("logi")) {  // no other suffix ends so; the l counts as part of the stem
    if (measure(without(word, 3)) > 0) word.pop_back();
    return;
  }
  apply_rules(word, kRules, 1);
}

void step_3(std::string& word) {
  static constexpr std::array<Rule, 7> kRules = {{{"icate", "ic"},
                                                  {"ative", ""},
                                                  {"alize", "al"},
                                                  {"iciti", "ic"},
                                                  {"ical", "ic"},
                                                  {"ful", ""},
                                                  {"ness", ""}}};
  apply_rules(word, kRules, 1);
}

void step_4(std::string& word) {
  static constexpr std::array<Rule, 18> kRules = {{{"al", ""},
                                                   {"ance", ""},
                                                   {"ence", ""},
                                                   {"er", ""},
                                                   {"ic", ""},
                                                   {"able", ""},
                                                   {"ible", ""},
                                                   {"ant", ""},
                                                   {"ement", ""},
                                                   {"ment", ""},
                                                   {"ent", ""},
                                                   {"ou", ""},
                                                   {"ism", ""},
                                                   {"ate", ""},
                                                   {"iti", ""},
                                                   {"ous", ""},
                                                   {"ive", ""},
                                                   {"ize", ""}}};
  if (!word.ends_with("ion")) return apply_rules(word, kRules, 2);
  const std::string_view stem = without(word, 3);
  if (measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't')) word.resize(stem.size());
}

void step_5(std::string& word) {
  if (word.ends_with("e")) {
    const std::string_view stem = without(word, 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_cvc(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(without(word, 1)) > 1) word.pop_back();
}

}  // namespace

std::string porter_stem(std::string_view word) {
  const auto irregular = std::find_if(
      kIrregular.begin(), kIrregular.end(), [&](const auto& entry) { return entry.first == word; });
  if (irregular != kIrregular.end()) return std::string(irregular->second);
  std::string stem(word);
  if (stem.size() <= 2) return stem;
  step_1a(stem);
  step_1b(stem);
  step_1c(stem);
  step_2(stem);
  step_3(stem);
  step_4(stem);
  step_5(stem);
  return stem;
}

}  // namespace mortise::metric::rouge
