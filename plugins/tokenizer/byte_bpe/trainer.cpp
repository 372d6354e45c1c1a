// BPE training (Sennrich et al. 2016), equal to the `tokenizers` library's BpeTrainer: the most
// frequent pair is merged; of equals the one with the smallest pair of ids; ids are special tokens,
// the 256 byte characters in code point order, then merges.
//
// Each pair knows the words it occurs in, so a merge touches only those.  A heap holds (count,
// pair) and is lazy: counts only change when a pair's neighbour is merged, so an entry whose count
// is out of date is put back with the right one when it comes up.  That is O(m log m + total
// changes) instead of O(merges × corpus) of the textbook loop; 8 MB of English to 4,096 tokens take
// about a second.
#include "trainer.hpp"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "mortise/pytext.hpp"

#include "flat_map.hpp"
#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

struct PairInfo {
  int64_t count = 0;
  std::vector<uint32_t> words;  // where it may occur; may name a word twice
};

struct Entry {
  int64_t count;
  uint64_t pair;

  // std::priority_queue gives the largest: highest count, then smallest pair.
  bool operator<(const Entry& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

class Training {
 public:
  Training(const std::vector<WordCounter::Word>& words, const TrainOptions& options)
      : words_(words), options_(options) {}

  Vocabulary run() {
    start_vocabulary();
    start_words();
    count_pairs();
    while (static_cast<int64_t>(texts_.size()) < options_.vocab_size && merge_best()) continue;
    return result();
  }

 private:
  int32_t id_of(const std::string& text) {
    const auto [entry, is_new] = ids_.try_emplace(text, static_cast<int32_t>(texts_.size()));
    if (is_new) texts_.push_back(text);
    return entry->second;
  }

  void start_vocabulary() {
    for (const std::string& token : options_.special_tokens) id_of(token);
    std::vector<std::pair<char32_t, int>> alphabet;
    for (int byte = 0; byte < 256; ++byte)
      alphabet.emplace_back(char_of_byte(static_cast<uint8_t>(byte)), byte);
    std::sort(alphabet.begin(), alphabet.end());
    byte_ids_.resize(256);
    for (const auto& [character, byte] : alphabet) {
      std::string text;
      pytext::append_utf8(text, character);
      byte_ids_[static_cast<size_t>(byte)] = id_of(text);
    }
  }

  void start_words() {
    begins_.reserve(words_.size() + 1);
    for (const auto& word : words_) {
      begins_.push_back(symbols_.size());
      for (char byte : word.bytes) symbols_.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      sizes_.push_back(static_cast<uint32_t>(word.bytes.size()));
    }
  }

  void count_pairs() {
    for (uint32_t w = 0; w < words_.size(); ++w)
      for (uint32_t i = 0; i + 1 < sizes_[w]; ++i) {
        const int32_t* symbol = &symbols_[begins_[w] + i];
        change(pair_of(symbol[0], symbol[1]), words_[w].count, w);
      }
    push_touched();
  }

  // Adds to a pair's count; a positive change also records the word and queues the pair.
  void change(uint64_t pair, int64_t count, uint32_t word) {
    uint32_t& index = index_[pair];
    if (index == 0) {
      infos_.emplace_back();
      index = static_cast<uint32_t>(infos_.size());
    }
    PairInfo& info = infos_[index - 1];
    info.count += count;
    if (count <= 0) return;
    if (info.words.empty() || info.words.back() != word) info.words.push_back(word);
    touched_.push_back(pair);
  }

  PairInfo& info_of(uint64_t pair) { return infos_[index_[pair] - 1]; }

  void push_touched() {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    for (uint64_t pair : touched_)
      if (const int64_t count = info_of(pair).count; count > 0) queue_.push({count, pair});
    touched_.clear();
  }

  bool merge_best() {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      queue_.pop();
      PairInfo& info = info_of(top.pair);
      if (top.count != info.count) {
        if (info.count > 0) queue_.push({info.count, top.pair});
        continue;
      }
      if (top.count < 1 || top.count < options_.min_frequency) return false;
      // A merged pair can come back when its token can be made in two ways.  Its count keeps the
      // old part, as in the library.
      const std::vector<uint32_t> places = std::exchange(info.words, {});
      if (places.empty()) continue;
      merge(top.pair, places);
      return true;
    }
    return false;
  }

  void merge(uint64_t pair, std::vector<uint32_t> places) {
    const auto left = static_cast<int32_t>(pair >> 32),
               right = static_cast<int32_t>(pair & 0xffffffff);
    const std::string joined =
        texts_[static_cast<size_t>(left)] + texts_[static_cast<size_t>(right)];
    const int32_t merged =
        id_of(joined);  // may exist: another way to the same text, or a special token
    merges_.emplace_back(left, right);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (uint32_t word : places) merge_in_word(word, left, right, merged);
    push_touched();
  }

  void merge_in_word(uint32_t word, int32_t left, int32_t right, int32_t merged) {
    int32_t* symbols = &symbols_[begins_[word]];
    const uint32_t size = sizes_[word];
    const int64_t count = words_[word].count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < size; ++i) {
      if (i + 1 == size || symbols[i] != left || symbols[i + 1] != right) {
        symbols[kept++] = symbols[i];
        continue;
      }
      if (kept > 0) {
        change(pair_of(symbols[kept - 1], left), -count, word);
        change(pair_of(symbols[kept - 1], merged), count, word);
      }
      if (i + 2 < size) {
        change(pair_of(right, symbols[i + 2]), -count, word);
        change(pair_of(merged, symbols[i + 2]), count, word);
      }
      symbols[kept++] = merged;
      ++i;
    }
    sizes_[word] = kept;
  }

  Vocabulary result() const {
    Vocabulary out;
    for (size_t id = 0; id < texts_.size(); ++id)
      out.tokens.emplace_back(texts_[id], static_cast<int32_t>(id));
    FlatMap<size_t> last;  // a pair merged twice has its last rank, as in the library
    for (size_t i = 0; i < merges_.size(); ++i)
      last[pair_of(merges_[i].first, merges_[i].second)] = i;
    for (size_t i = 0; i < merges_.size(); ++i) {
      const auto& [left, right] = merges_[i];
      if (*last.find(pair_of(left, right)) != i) continue;
      out.merges.emplace_back(texts_[static_cast<size_t>(left)],
                              texts_[static_cast<size_t>(right)]);
    }
    return out;
  }

  const std::vector<WordCounter::Word>& words_;
  const TrainOptions& options_;
  std::vector<std::string> texts_;  // by id
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<int32_t> byte_ids_;
  std::vector<int32_t> symbols_;  // all words, one after another
  std::vector<size_t> begins_;
  std::vector<uint32_t> sizes_;
  FlatMap<uint32_t> index_;  // pair → place in infos_, plus one
  std::vector<PairInfo> infos_;
  std::vector<uint64_t> touched_;
  std::priority_queue<Entry> queue_;
  std::vector<std::pair<int32_t, int32_t>> merges_;
};

}  // namespace

void WordCounter::add(std::string_view text) {
  const std::string repaired =
      pytext::is_valid_utf8(text) ? std::string() : pytext::repair_utf8(text);
  if (!repaired.empty()) text = repaired;
  const char* p = text.data();
  const char* const end = p + text.size();
  WordEnds batch;
  while (p < end) {
    const char* const stop = split_words(pattern_, p, end, batch);
    for (int i = 0; i < batch.count; ++i) {
      add_word({p, static_cast<size_t>(batch.ends[static_cast<size_t>(i)] - p)});
      p = batch.ends[static_cast<size_t>(i)];
    }
    p = stop;
  }
}

void WordCounter::add_word(std::string_view word) {
  if ((words_.size() + 1) * 2 > slots_.size()) {
    slots_.assign(std::max<size_t>(slots_.size() * 2, 1024), 0);
    for (size_t i = 0; i < words_.size(); ++i) {
      size_t at = hashes_[i] & (slots_.size() - 1);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<uint32_t>(i + 1);
    }
  }
  const uint64_t hash = hash_bytes(word);
  size_t at = hash & (slots_.size() - 1);
  for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
    const size_t i = slots_[at] - 1;
    if (hashes_[i] != hash || words_[i].bytes != word) continue;
    ++words_[i].count;
    return;
  }
  words_.push_back({std::string(word), 1});
  hashes_.push_back(hash);
  slots_[at] = static_cast<uint32_t>(words_.size());
}

Vocabulary train_bpe(const std::vector<WordCounter::Word>& words, const TrainOptions& options) {
  return Training(words, options).run();
}

}  // namespace mortise::tokenizer::byte_bpe
