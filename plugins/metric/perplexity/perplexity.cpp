// With LL = Σ log p(token | its past), natural logarithms, over a corpus:
//   nll = −LL / tokens      perplexity = exp(nll)           bits_per_byte = −LL / (bytes · ln 2)
//   word_perplexity = exp(−LL / words)                      byte_perplexity = exp(−LL / bytes)
// bytes are those of the UTF-8 text; words are the pieces of Python's re.split(r"\s+", text), empty
// ones included, as lm-evaluation-harness counts them.  Only LL per token depends on the tokenizer;
// the other three compare across tokenizers.
// A value beyond the largest double (a mean of more than 709 nats, or a token of probability 0) is
// reported as that largest double, 1.797…e308: files such as JSON hold no infinity.
#include "perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "mortise/pytext.hpp"

namespace mortise::metric::perplexity {

namespace {

// Pieces of re.split(r"\s+", text): one more than there are runs of white space.
int64_t count_words(std::string_view text) {
  int64_t words = 1;
  bool in_space = false;
  for (size_t at = 0; at < text.size();) {
    const bool space = pytext::is_space(pytext::next_code_point(text, at));
    words += space && !in_space;
    in_space = space;
  }
  return words;
}

double finite(double value) { return std::min(value, std::numeric_limits<double>::max()); }

double per(double total, double count) { return count > 0 ? finite(total / count) : 0.0; }

double exp_per(double total, double count) {
  return count > 0 ? finite(std::exp(total / count)) : 0.0;
}

}  // namespace

Stats Perplexity::sample(const Sample& sample) const {
  MORTISE_CHECK(!std::isnan(sample.log_likelihood),
                "the log-likelihood of a text of {} tokens is nan: the model's output holds nan",
                sample.num_tokens);
  return {sample.log_likelihood,
          static_cast<double>(sample.num_tokens),
          static_cast<double>(count_words(sample.text)),
          static_cast<double>(sample.text.size())};
}

std::vector<Score> Perplexity::compute(const Stats& sum) const {
  MORTISE_CHECK_EQ(sum.size(), static_cast<size_t>(kSize), "statistics of another metric");
  const double loss = -sum[kLogLikelihood];
  return {{"perplexity", exp_per(loss, sum[kTokens])},
          {"bits_per_byte", per(loss / std::numbers::ln2, sum[kBytes])},
          {"word_perplexity", exp_per(loss, sum[kWords])},
          {"byte_perplexity", exp_per(loss, sum[kBytes])},
          {"nll", per(loss, sum[kTokens])}};
}

std::string Perplexity::signature() const {
  return "mean:token|log:natural|words:re_split_space|bytes:utf8|version:1";
}

}  // namespace mortise::metric::perplexity

MORTISE_PLUGIN("org.mortise.metric.perplexity",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::perplexity::Perplexity>(
                   "perplexity", "perplexity by token, word and byte, and bits per byte"));
