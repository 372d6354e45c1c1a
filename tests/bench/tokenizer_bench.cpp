// Times the byte-level BPE tokenizer: training, loading, encoding with one thread.  One JSON object
// on stdout.
//
//   tokenizer_bench TEXT VOCAB DIR [TOKENIZER_DIR]
//
// TEXT is split at line ends into documents.  A tokenizer of VOCAB tokens is trained on it and
// saved in DIR, or the one in TOKENIZER_DIR is read.  tokenizer_bench.py runs this and the Python
// library on the same text.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "mortise/file.hpp"

#include "byte_bpe.hpp"

namespace {

using mortise::tokenizer::byte_bpe::ByteBpe;

// Processor time: all of this is one thread, and other work on the machine does not count.
double seconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// The best of five runs: other work still takes caches away.
double best_of(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds(work));
  return best;
}

int run(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: tokenizer_bench TEXT VOCAB DIR [TOKENIZER_DIR]\n", stderr);
    return 2;
  }
  const std::string text = mortise::read_file(argv[1]);
  const auto lines = lines_of(text);
  ByteBpe::Config config;
  config.pattern = "gpt2";
  config.min_frequency = 0;
  ByteBpe tokenizer(config);
  double train_s = 0;
  if (argc == 4) {
    train_s = seconds([&] {
      size_t next = 0;
      tokenizer.train(
          [&](std::string& line) { return next < lines.size() && (line = lines[next++], true); },
          std::stoll(argv[2]));
    });
    tokenizer.save(argv[3]);
  }
  const std::string folder = argc == 4 ? argv[3] : argv[4];
  const double load_s = seconds([&] { tokenizer.load(folder); });
  size_t num_ids = 0;
  const auto encode_lines = [&](bool offsets) {
    num_ids = 0;
    for (const auto& line : lines)
      num_ids += tokenizer.encode(line, {.offsets = offsets}).ids.size();
  };
  const double lines_s = best_of([&] { encode_lines(false); });
  const double offsets_s = best_of([&] { encode_lines(true); });
  const double whole_s = best_of([&] { tokenizer.encode(text, {}); });
  const std::string letters(1 << 20, 'a');
  const double letters_s = seconds([&] { tokenizer.encode(letters, {}); });
  const double mb = static_cast<double>(text.size()) / 1e6;
  std::printf(
      "{\"bytes\": %zu, \"ids\": %zu, \"train_s\": %.3f, \"load_s\": %.4f, \"encode_mb_s\": %.1f, "
      "\"encode_offsets_mb_s\": %.1f, "
      "\"encode_whole_mb_s\": %.1f, \"one_mb_of_one_letter_s\": %.3f}\n",
      text.size(),
      num_ids,
      train_s,
      load_s,
      mb / lines_s,
      mb / offsets_s,
      mb / whole_s,
      letters_s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
