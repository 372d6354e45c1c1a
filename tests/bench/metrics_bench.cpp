// Times BLEU and ROUGE on a file of segments, one thread:  bench_metrics SEGMENTS.jsonl ROUNDS
// Each line of the file is {"hyp": "…", "refs": ["…", …]}.  Prints JSON: per setting the best
// round's segments per second, and the scores, by which metrics_bench.py checks that both sides did
// the same work.  Reading the file is not timed; tokenising is.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "bleu/bleu.hpp"
#include "rouge/rouge.hpp"

using namespace mortise;

namespace {

struct Segment {
  std::string hypothesis;
  std::vector<std::string> references;
};

std::vector<Segment> read_segments(const std::string& path) {
  std::vector<Segment> segments;
  const std::string text = read_file(path);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const Value line = parse_json(std::string_view(text).substr(at, end - at), path);
    Segment& segment = segments.emplace_back();
    segment.hypothesis = line.at("hyp").as_string();
    for (const Value& reference : line.at("refs").as_array())
      segment.references.push_back(reference.as_string());
    at = end + 1;
  }
  return segments;
}

Stats sum_of(const Metric& metric,
             const std::vector<Segment>& segments,
             bool first_reference_only) {
  Stats sum;
  for (const Segment& segment : segments) {
    Sample sample;
    sample.prediction = segment.hypothesis;
    sample.references = segment.references;
    if (first_reference_only) sample.references = sample.references.first(1);
    const Stats stats = metric.sample(sample);
    sum.resize(stats.size(), 0.0);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += stats[i];
  }
  return sum;
}

Value timed(const Metric& metric,
            const std::vector<Segment>& segments,
            int rounds,
            bool first_reference_only) {
  double best = 1e300;
  Stats sum;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    sum = sum_of(metric, segments, first_reference_only);
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  Value out = Value::table();
  out["segments_per_s"] = static_cast<double>(segments.size()) / best;
  out["signature"] = metric.signature_of(sum);
  out["scores"] = Value::table();
  for (const Score& score : metric.compute(sum)) out["scores"][score.name] = score.value;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: bench_metrics SEGMENTS.jsonl ROUNDS\n");
    return 2;
  }
  const auto segments = read_segments(argv[1]);
  const int rounds = std::max(1, std::atoi(argv[2]));
  Value out = Value::table();
  metric::bleu::Bleu::Config zh;
  zh.tokenizer = "zh";
  out["bleu_13a"] = timed(metric::bleu::Bleu({}), segments, rounds, false);
  out["bleu_zh"] = timed(metric::bleu::Bleu(zh), segments, rounds, false);
  out["rouge"] = timed(metric::rouge::Rouge({}), segments, rounds, true);
  out["rouge_stemmer"] = timed(metric::rouge::Rouge({.use_stemmer = true}), segments, rounds, true);
  fmt::print("{}\n", to_json(out));
  return 0;
}
