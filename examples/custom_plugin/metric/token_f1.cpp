// token_f1: F1 of shared words between a prediction and its best reference, as in SQuAD (Rajpurkar
// et al., arXiv:1606.05250, §4.2), without its removal of articles and punctuation.  Statistics of
// a sample: {F1, 1}.
#include <algorithm>
#include <map>

#include <mortise/metric.hpp>
#include <mortise/plugin.hpp>
#include <mortise/pytext.hpp>

struct TokenF1 final : mortise::Metric {
  struct Config {
    bool ignore_case = true;

    static void describe(mortise::Schema<Config>& s) {
      s.field("ignore_case", &Config::ignore_case, "compare lower-cased words");
    }
  };

  explicit TokenF1(Config config) : config_(config) {}

  mortise::Stats sample(const mortise::Sample& s) const override {
    double best = 0;
    for (const std::string& reference : s.references)
      best = std::max(best, f1(words(s.prediction), words(reference)));
    return {best, 1.0};
  }

  std::vector<mortise::Score> compute(const mortise::Stats& sum) const override {
    return {{"token_f1", sum[1] > 0 ? sum[0] / sum[1] : 0.0}};
  }

  std::string signature() const override {
    return config_.ignore_case ? "case:lower|version:1" : "case:mixed|version:1";
  }

  std::map<std::string, int64_t> words(std::string_view text) const {
    const std::string folded =
        config_.ignore_case ? mortise::pytext::lower(text) : std::string(text);
    std::map<std::string, int64_t> counts;
    for (const std::string_view word : mortise::pytext::split(folded)) ++counts[std::string(word)];
    return counts;
  }

  static double f1(const std::map<std::string, int64_t>& a,
                   const std::map<std::string, int64_t>& b) {
    int64_t shared = 0, total = 0;
    for (const auto& [word, count] : a) {
      total += count;
      if (const auto it = b.find(word); it != b.end()) shared += std::min(count, it->second);
    }
    for (const auto& entry : b) total += entry.second;
    return total == 0 ? 1.0 : 2.0 * static_cast<double>(shared) / static_cast<double>(total);
  }

  Config config_;
};

MORTISE_PLUGIN("org.example.token_f1",
               "1.0.0",
               "Apache-2.0",
               mortise::component<TokenF1>("token_f1",
                                           "F1 of the words shared with the best reference"));
