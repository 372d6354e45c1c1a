// BLEU (Papineni et al. 2002) as sacrebleu 2.6.0 computes it (metrics/bleu.py):
//   BLEU = BP · exp( (1/4) Σ log p_n ),   p_n = 100 · matches_n / total_n,
//   BP = exp(1 − ref_len / sys_len) when the prediction is shorter
// A reference n-gram counts as often as in the reference that has most of it; the reference length
// is the closest one, the shorter on a tie.  Smoothing: Chen and Cherry 2014 (W14-3346), methods 1
// (floor), 2 (add-k) and 3 (exp).
// Sums of statistics are integers below 2^53, so any sharding gives the same bits.
#include "bleu.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "mortise/flat_index.hpp"
#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::metric::bleu {

namespace {

constexpr const char* kCompatible = "2.6.0";

// A text as numbers: words[i] is the i-th word, grams[i] the n-gram that starts there.
struct Line {
  std::vector<int32_t> words, grams;

  int64_t num_grams(int order) const {
    return std::max<int64_t>(0, static_cast<int64_t>(words.size()) - order + 1);
  }
};

struct Occurrence {
  int32_t in_hypothesis = 0;
  int32_t in_reference = 0;  // the most in any one reference
  int32_t in_this_reference = 0;
};

std::vector<Line> number_words(const std::vector<std::string>& texts) {
  std::vector<std::vector<std::string_view>> words;
  size_t count = 0;
  for (const std::string& text : texts) count += words.emplace_back(pytext::split(text)).size();
  FlatIndex<std::string_view> index(count);
  std::vector<Line> lines(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    lines[i].words.reserve(words[i].size());
    for (const std::string_view word : words[i]) lines[i].words.push_back(index.number(word));
    lines[i].grams = lines[i].words;
  }
  return lines;
}

// Turns the (order − 1)-grams of all lines into n-grams: each is the number of a pair
// (shorter n-gram, next word).
void lengthen_grams(std::vector<Line>& lines, int order) {
  size_t count = 0;
  for (const Line& line : lines) count += static_cast<size_t>(line.num_grams(order));
  FlatIndex<uint64_t> index(count);
  for (Line& line : lines) {
    for (size_t i = 0; i < static_cast<size_t>(line.num_grams(order)); ++i) {
      const auto head = static_cast<uint64_t>(static_cast<uint32_t>(line.grams[i]));
      const auto last = static_cast<uint64_t>(
          static_cast<uint32_t>(line.words[i + static_cast<size_t>(order) - 1]));
      line.grams[i] = index.number(head << 32 | last);
    }
  }
}

// Σ over n-grams of min(in the hypothesis, most in a reference).  lines[0] is the hypothesis.
int64_t count_matches(const std::vector<Line>& lines, int order) {
  int32_t distinct = 0;
  for (const Line& line : lines)
    for (int64_t i = 0; i < line.num_grams(order); ++i)
      distinct = std::max(distinct, line.grams[static_cast<size_t>(i)] + 1);
  std::vector<Occurrence> seen(static_cast<size_t>(distinct));
  const auto each = [&](const Line& line, auto&& visit) {
    for (int64_t i = 0; i < line.num_grams(order); ++i)
      visit(seen[static_cast<size_t>(line.grams[static_cast<size_t>(i)])]);
  };
  each(lines[0], [](Occurrence& o) { ++o.in_hypothesis; });
  for (size_t r = 1; r < lines.size(); ++r) {
    each(lines[r],
         [](Occurrence& o) { o.in_reference = std::max(o.in_reference, ++o.in_this_reference); });
    each(lines[r], [](Occurrence& o) { o.in_this_reference = 0; });
  }
  int64_t matches = 0;
  for (const Occurrence& o : seen) matches += std::min(o.in_hypothesis, o.in_reference);
  return matches;
}

int64_t closest_length(int64_t length, const std::vector<Line>& lines) {
  int64_t best = -1;
  for (size_t r = 1; r < lines.size(); ++r) {
    const auto candidate = static_cast<int64_t>(lines[r].words.size());
    const int64_t gain = std::llabs(length - best) - std::llabs(length - candidate);
    if (best < 0 || gain > 0 || (gain == 0 && candidate < best)) best = candidate;
  }
  return best;
}

double floored_log(double value) { return value == 0.0 ? -9999999999.0 : std::log(value); }

}  // namespace

Bleu::Bleu(Config config)
    : config_(std::move(config)), tokenizer_(tokenizer_named(config_.tokenizer)) {
  const std::string& name = config_.smooth;
  MORTISE_CHECK(name == "exp" || name == "floor" || name == "add_k" || name == "none",
                "unknown smoothing: expected exp, floor, add_k or none, got {}",
                name);
  smooth_ = name == "exp"     ? Smooth::Exp
            : name == "floor" ? Smooth::Floor
            : name == "add_k" ? Smooth::AddK
                              : Smooth::None;
  MORTISE_CHECK(
      !config_.smooth_value || smooth_ == Smooth::Floor || smooth_ == Smooth::AddK,
      "smooth_value = {} has no effect with smooth = \"{}\": remove it, or choose floor or add_k",
      *config_.smooth_value,
      name);
  smooth_value_ = config_.smooth_value.value_or(smooth_ == Smooth::Floor ? 0.1 : 1.0);
}

std::string Bleu::prepared(std::string_view text) const {
  if (!config_.lowercase) return separated(tokenizer_, pytext::rstrip(text));
  const std::string lower = pytext::lower(text);
  return separated(tokenizer_, pytext::rstrip(lower));
}

Stats Bleu::sample(const Sample& sample) const {
  MORTISE_CHECK(!sample.references.empty(),
                "BLEU needs at least one reference for each sample, got none");
  std::vector<std::string> texts{prepared(sample.prediction)};
  for (const std::string& reference : sample.references) texts.push_back(prepared(reference));
  std::vector<Line> lines = number_words(texts);

  Stats stats(kSize, 0.0);
  const auto length = static_cast<int64_t>(lines[0].words.size());
  stats[kSysLen] = static_cast<double>(length);
  stats[kRefLen] = static_cast<double>(closest_length(length, lines));
  for (int order = 1; order <= kMaxOrder; ++order) {
    if (order > 1) lengthen_grams(lines, order);
    const auto at = static_cast<size_t>(order - 1);
    stats[kCorrect + at] = static_cast<double>(count_matches(lines, order));
    stats[kTotal + at] = static_cast<double>(lines[0].num_grams(order));
  }
  const auto num_refs = static_cast<double>(sample.references.size());
  stats[kSamples] = 1;
  stats[kRefs] = num_refs;
  stats[kRefsSquared] = num_refs * num_refs;
  return stats;
}

std::vector<Score> Bleu::compute(const Stats& sum) const {
  MORTISE_CHECK_EQ(sum.size(), static_cast<size_t>(kSize), "statistics of another metric");
  const double sys_len = sum[kSysLen], ref_len = sum[kRefLen];
  const double bp = sys_len >= ref_len ? 1.0 : sys_len > 0 ? std::exp(1 - ref_len / sys_len) : 0.0;
  std::array<double, kMaxOrder> precision{};
  double score = 0.0, mteval = 1.0;
  int orders = kMaxOrder;
  const bool any = std::any_of(
      sum.begin() + kCorrect, sum.begin() + kCorrect + kMaxOrder, [](double c) { return c > 0; });
  for (int n = 0; any && n < kMaxOrder; ++n) {
    const auto at = static_cast<size_t>(n);
    const double added = smooth_ == Smooth::AddK && n > 0 ? smooth_value_ : 0.0;
    const double correct = sum[kCorrect + at] + added, total = sum[kTotal + at] + added;
    if (total == 0) break;
    if (config_.effective_order) orders = n + 1;
    if (correct != 0)
      precision[at] = 100.0 * correct / total;
    else if (smooth_ == Smooth::Exp)
      precision[at] = 100.0 / ((mteval *= 2) * total);
    else if (smooth_ == Smooth::Floor)
      precision[at] = 100.0 * smooth_value_ / total;
  }
  if (any) {
    double logs = 0.0;
    for (int n = 0; n < orders; ++n) logs += floored_log(precision[static_cast<size_t>(n)]);
    score = bp * std::exp(logs / orders);
  }
  return {{"bleu", score},
          {"precision_1", precision[0]},
          {"precision_2", precision[1]},
          {"precision_3", precision[2]},
          {"precision_4", precision[3]},
          {"bp", bp},
          {"ratio", ref_len > 0 ? sys_len / ref_len : 0.0},
          {"sys_len", sys_len},
          {"ref_len", ref_len}};
}

std::string Bleu::signature() const {
  std::string smooth = config_.smooth;
  if (smooth_ == Smooth::Floor) smooth = fmt::format("floor[{:.2f}]", smooth_value_);
  if (smooth_ == Smooth::AddK) smooth = fmt::format("add-k[{:.2f}]", smooth_value_);
  return fmt::format("case:{}|eff:{}|tok:{}|smooth:{}|version:{}",
                     config_.lowercase ? "lc" : "mixed",
                     config_.effective_order ? "yes" : "no",
                     config_.tokenizer,
                     smooth,
                     kCompatible);
}

std::string Bleu::signature_of(const Stats& sum) const {
  if (sum.size() != kSize || sum[kSamples] == 0) return signature();
  // All samples have the same number of references exactly when its variance is zero.
  const bool same = sum[kSamples] * sum[kRefsSquared] == sum[kRefs] * sum[kRefs];
  const std::string nrefs = same ? fmt::format("{:.0f}", sum[kRefs] / sum[kSamples]) : "var";
  return fmt::format("nrefs:{}|{}", nrefs, signature());
}

void Bleu::Config::describe(Schema<Config>& schema) {
  schema.field("tokenizer", &Config::tokenizer, "how texts become words; zh for Chinese")
      .one_of({"13a", "zh", "char", "intl", "none"})
      .renamed_from("tokenize");
  schema.field("smooth", &Config::smooth, "what stands for an order without a match")
      .one_of({"exp", "floor", "add_k", "none"})
      .renamed_from("smooth_method");
  schema.field("smooth_value", &Config::smooth_value, "of floor (0.1 when left out) and add_k (1)")
      .min(0);
  schema.field("lowercase", &Config::lowercase, "compare lower-cased texts");
  schema.field("effective_order",
               &Config::effective_order,
               "leave out orders longer than the text; wanted for scores of single sentences");
}

}  // namespace mortise::metric::bleu

MORTISE_PLUGIN("org.mortise.metric.bleu",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::bleu::Bleu>(
                   "bleu", "BLEU, equal to sacrebleu 2.6.0 to the last digit"));
