// ROUGE (Lin 2004, W04-1013) as rouge-score 0.1.2 computes it (rouge_scorer.py):
//   ROUGE-N     clipped n-gram matches; P = matches / max(n-grams of the prediction, 1),
//               R likewise, F = 2PR / (P + R)
//   ROUGE-L     longest common subsequence of the whole texts
//   ROUGE-Lsum  texts cut at \n; per reference line the union of its subsequences with all
//               predicted lines, each token counted at most as often as it stands in either text
// Of several references each type takes the one with the highest F, the first on a tie
// (score_multi).  Reported are plain means over samples: upstream's aggregator returns percentiles
// of an unseeded bootstrap, which change from run to run.
#include "rouge.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "mortise/flat_index.hpp"
#include "mortise/plugin.hpp"

namespace mortise::metric::rouge {

namespace {

constexpr const char* kCompatible = "0.1.2";
constexpr std::array<const char*, 4> kTypes = {"rouge1", "rouge2", "rougeL", "rougeLsum"};

using Ids = std::vector<int32_t>;

struct Scores {
  double precision = 0, recall = 0, f = 0;
};

// A text as numbers: all tokens, and the same cut into lines.
struct Document {
  Ids all;
  std::vector<Ids> lines;
};

Scores scores_of(double matches, double predicted, double wanted) {
  Scores s{matches / predicted, matches / wanted, 0.0};
  if (s.precision + s.recall > 0) s.f = 2 * s.precision * s.recall / (s.precision + s.recall);
  return s;
}

// Equal tokens get equal numbers.  A token never spans a newline, so the whole text's tokens are
// those of its lines.
std::vector<Document> documents_of(Tokenizer tokenizer, bool stem, const Sample& sample) {
  std::vector<std::vector<Tokens>> texts;
  size_t count = 0;
  const auto read = [&](std::string_view text) {
    auto& lines = texts.emplace_back();
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin)
        count +=
            lines.emplace_back(tokenize(tokenizer, stem, text.substr(begin, end - begin))).size();
      begin = end + 1;
    }
  };
  read(sample.prediction);
  for (const std::string& reference : sample.references) read(reference);

  FlatIndex<std::string_view> index(count);
  std::vector<Document> documents(texts.size());
  for (size_t d = 0; d < texts.size(); ++d) {
    for (const Tokens& tokens : texts[d]) {
      Ids& line = documents[d].lines.emplace_back();
      for (size_t i = 0; i < tokens.size(); ++i) line.push_back(index.number(tokens[i]));
      documents[d].all.insert(documents[d].all.end(), line.begin(), line.end());
    }
  }
  return documents;
}

std::vector<uint64_t> sorted_ngrams(const Ids& ids, size_t order) {
  std::vector<uint64_t> grams;
  for (size_t i = 0; i + order <= ids.size(); ++i) {
    const auto first = static_cast<uint64_t>(ids[i]);
    grams.push_back(order == 1 ? first : first << 32 | static_cast<uint64_t>(ids[i + 1]));
  }
  std::sort(grams.begin(), grams.end());
  return grams;
}

// Clipped matches are the size of the multiset intersection: one merge of two sorted lists.
Scores rouge_n(const Ids& reference, const Ids& prediction, size_t order) {
  const auto wanted = sorted_ngrams(reference, order), predicted = sorted_ngrams(prediction, order);
  size_t matches = 0;
  for (size_t i = 0, j = 0; i < wanted.size() && j < predicted.size();) {
    if (wanted[i] == predicted[j])
      ++matches, ++i, ++j;
    else if (wanted[i] < predicted[j])
      ++i;
    else
      ++j;
  }
  return scores_of(static_cast<double>(matches),
                   static_cast<double>(std::max<size_t>(predicted.size(), 1)),
                   static_cast<double>(std::max<size_t>(wanted.size(), 1)));
}

// lengths[i][j] = length of the longest common subsequence of the first i and the first j tokens,
// row by row.
class LcsTable {
 public:
  LcsTable(const Ids& reference, const Ids& prediction)
      : width_(prediction.size() + 1), lengths_((reference.size() + 1) * width_, 0) {
    for (size_t i = 1; i <= reference.size(); ++i) {
      const int32_t* above = &lengths_[(i - 1) * width_];
      int32_t* row = &lengths_[i * width_];
      for (size_t j = 1; j <= prediction.size(); ++j)
        row[j] = reference[i - 1] == prediction[j - 1] ? above[j - 1] + 1
                                                       : std::max(above[j], row[j - 1]);
    }
  }

  int32_t at(size_t i, size_t j) const { return lengths_[i * width_ + j]; }

 private:
  size_t width_;
  std::vector<int32_t> lengths_;
};

Scores rouge_l(const Ids& reference, const Ids& prediction) {
  if (reference.empty() || prediction.empty()) return {};
  // Two rows are enough when only the length is wanted.
  std::vector<int32_t> above(prediction.size() + 1, 0), row = above;
  for (const int32_t token : reference) {
    for (size_t j = 1; j <= prediction.size(); ++j)
      row[j] = token == prediction[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
    std::swap(above, row);
  }
  return scores_of(
      above.back(), static_cast<double>(prediction.size()), static_cast<double>(reference.size()));
}

// Marks the tokens of `reference` on one longest common subsequence.  Which one of several equal
// ones decides the union, so the order of the comparisons is upstream's.
void mark_lcs(const Ids& reference, const Ids& prediction, std::vector<bool>& marked) {
  const LcsTable table(reference, prediction);
  size_t i = reference.size(), j = prediction.size();
  while (i > 0 && j > 0) {
    if (reference[i - 1] == prediction[j - 1]) {
      marked[i - 1] = true;
      --i, --j;
    } else if (table.at(i, j - 1) > table.at(i - 1, j)) {
      --j;
    } else {
      --i;
    }
  }
}

Scores rouge_lsum(const Document& reference, const Document& prediction, const Scores& whole) {
  if (reference.all.empty() || prediction.all.empty()) return {};
  // One line against one line is ROUGE-L: every token of a common subsequence is matched at most
  // once as it is.
  if (reference.lines.size() == 1 && prediction.lines.size() == 1) return whole;
  const int32_t distinct =
      1 + std::max(*std::max_element(reference.all.begin(), reference.all.end()),
                   *std::max_element(prediction.all.begin(), prediction.all.end()));
  std::vector<int32_t> left_wanted(static_cast<size_t>(distinct)),
      left_predicted(static_cast<size_t>(distinct));
  for (const int32_t token : reference.all) ++left_wanted[static_cast<size_t>(token)];
  for (const int32_t token : prediction.all) ++left_predicted[static_cast<size_t>(token)];
  int64_t hits = 0;
  for (const Ids& line : reference.lines) {
    std::vector<bool> marked(line.size(), false);
    for (const Ids& predicted : prediction.lines) mark_lcs(line, predicted, marked);
    for (size_t i = 0; i < line.size(); ++i) {
      const auto token = static_cast<size_t>(line[i]);
      if (!marked[i] || left_predicted[token] <= 0 || left_wanted[token] <= 0) continue;
      ++hits, --left_predicted[token], --left_wanted[token];
    }
  }
  return scores_of(static_cast<double>(hits),
                   static_cast<double>(prediction.all.size()),
                   static_cast<double>(reference.all.size()));
}

std::array<Scores, 4> score_pair(const Document& reference, const Document& prediction) {
  const Scores l = rouge_l(reference.all, prediction.all);
  return {rouge_n(reference.all, prediction.all, 1),
          rouge_n(reference.all, prediction.all, 2),
          l,
          rouge_lsum(reference, prediction, l)};
}

}  // namespace

Rouge::Rouge(Config config)
    : config_(std::move(config)), tokenizer_(tokenizer_named(config_.tokenizer)) {}

Stats Rouge::sample(const Sample& sample) const {
  MORTISE_CHECK(!sample.references.empty(),
                "ROUGE needs at least one reference for each sample, got none");
  const std::vector<Document> documents = documents_of(tokenizer_, config_.use_stemmer, sample);
  std::array<Scores, 4> best = score_pair(documents[1], documents[0]);
  for (size_t r = 2; r < documents.size(); ++r) {
    const std::array<Scores, 4> scores = score_pair(documents[r], documents[0]);
    for (size_t t = 0; t < best.size(); ++t)
      if (scores[t].f > best[t].f) best[t] = scores[t];
  }
  Stats stats;
  stats.reserve(kSize);
  for (const Scores& s : best) stats.insert(stats.end(), {s.precision, s.recall, s.f});
  const auto num_refs = static_cast<double>(sample.references.size());
  stats.insert(stats.end(), {1.0, num_refs, num_refs * num_refs});
  return stats;
}

std::vector<Score> Rouge::compute(const Stats& sum) const {
  MORTISE_CHECK_EQ(sum.size(), static_cast<size_t>(kSize), "statistics of another metric");
  std::vector<Score> scores;
  for (const size_t part : {2, 0, 1})  // F first, then precision and recall
    for (size_t t = 0; t < kTypes.size(); ++t)
      scores.push_back({fmt::format("{}_{}", kTypes[t], "prf"[part]),
                        sum[kSamples] > 0 ? sum[3 * t + part] / sum[kSamples] : 0.0});
  return scores;
}

std::string Rouge::signature() const {
  return fmt::format("tok:{}|stemmer:{}|multi:best_f|mean:plain|version:rouge_score-{}",
                     config_.tokenizer,
                     config_.use_stemmer ? "porter_nltk" : "no",
                     kCompatible);
}

std::string Rouge::signature_of(const Stats& sum) const {
  if (sum.size() != kSize || sum[kSamples] == 0) return signature();
  const bool same = sum[kSamples] * sum[kRefsSquared] == sum[kRefs] * sum[kRefs];
  return fmt::format(
      "nrefs:{}|{}", same ? fmt::format("{:.0f}", sum[kRefs] / sum[kSamples]) : "var", signature());
}

void Rouge::Config::describe(Schema<Config>& schema) {
  schema
      .field("tokenizer",
             &Config::tokenizer,
             "how texts become words; rouge_score sees ASCII only, zh_char is for Chinese")
      .one_of({"rouge_score", "unicode_word", "zh_char"});
  schema.field("use_stemmer", &Config::use_stemmer, "compare Porter stems of English words");
}

}  // namespace mortise::metric::rouge

MORTISE_PLUGIN("org.mortise.metric.rouge",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::rouge::Rouge>(
                   "rouge",
                   "ROUGE-1, -2, -L and -Lsum, equal to rouge-score 0.1.2 to the last digit"));
