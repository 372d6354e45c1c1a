// Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019): start from single bytes, join the
// adjacent pair of lowest rank, the leftmost of equals, until no pair has a rule.
//
// Three ways, one result:
//   a cache per thread  words up to 16 bytes, 16,384 direct-mapped slots of 48 bytes (stays in the
//   second-level cache); a collision
//                       overwrites, so it is bounded and needs no lock.  Hits about 95 % of the
//                       words of English text
//   short words         an array of ranks, searched for its minimum: O(n²) but without allocation,
//   best up to some 64 symbols long words          a heap of pairs over a linked list: n log n, so
//   one megabyte of one letter is no attack
#include "bpe_model.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <queue>

#include "mortise/error.hpp"

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr size_t kShortWord = 64;
constexpr size_t kCachedWord = 16;
constexpr size_t kCachedIds = 7;
constexpr size_t kCacheSlots = size_t{1} << 14;
constexpr int32_t kNoRule = std::numeric_limits<int32_t>::max();

struct WordKey {
  uint64_t low, high;
};

// Two possibly overlapping loads; together with the size they determine a word of 1 to 16 bytes.
WordKey key_of(std::string_view word) {
  const char* p = word.data();
  const size_t n = word.size();
  WordKey key{0, 0};
  if (n >= 8) {
    std::memcpy(&key.low, p, 8);
    std::memcpy(&key.high, p + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(&key.low, p, 4);
    std::memcpy(&key.high, p + n - 4, 4);
  } else {
    const auto byte = [p](size_t i) {
      return static_cast<uint64_t>(static_cast<unsigned char>(p[i]));
    };
    key.low = byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
  }
  return key;
}

struct CacheSlot {
  WordKey key{};
  uint16_t size = 0;  // of the word; 0: empty
  uint16_t count = 0;
  std::array<int32_t, kCachedIds> ids;
};

struct WordCache {
  uint64_t owner = 0;
  std::vector<CacheSlot> slots;
};

CacheSlot& cache_slot(uint64_t owner, const WordKey& key, size_t size) {
  thread_local WordCache cache;
  if (cache.owner != owner) {
    cache.slots.assign(kCacheSlots, CacheSlot{});
    cache.owner = owner;
  }
  const uint64_t mixed =
      (key.low ^ (key.high << 23 | key.high >> 41) ^ size) * 0x9e3779b97f4a7c15ull;
  return cache.slots[(mixed ^ mixed >> 29) >> 20 & (kCacheSlots - 1)];
}

uint64_t next_identity() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

struct Candidate {
  int32_t rank, result;
  int32_t at;

  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

}  // namespace

BpeModel::BpeModel(const Vocabulary& vocabulary)
    : identity_(next_identity()), ignore_merges_(vocabulary.ignore_merges) {
  read_tokens(vocabulary);
  read_merges(vocabulary);
  read_bytes(vocabulary);
}

void BpeModel::read_tokens(const Vocabulary& vocabulary) {
  const int64_t limit =
      vocabulary.tokens.empty() ? 0 : int64_t{vocabulary.tokens.back().second} + 1;
  texts_.resize(static_cast<size_t>(limit));
  byte_sizes_.assign(static_cast<size_t>(limit), -1);
  ids_.reserve(vocabulary.tokens.size());
  num_tokens_ = static_cast<int64_t>(vocabulary.tokens.size());
  std::string bytes;
  for (const auto& [text, id] : vocabulary.tokens) {
    const auto at = static_cast<size_t>(id);
    texts_[at] = text;
    byte_sizes_[at] = static_cast<int32_t>(from_alphabet(text, bytes) ? bytes.size() : text.size());
  }
  for (size_t at = 0; at < texts_.size(); ++at)
    if (byte_sizes_[at] >= 0) ids_.insert(texts_[at], static_cast<int32_t>(at));
}

void BpeModel::read_merges(const Vocabulary& vocabulary) {
  rules_.reserve(vocabulary.merges.size());
  std::string joined;
  int32_t rank = 0;
  for (const auto& [left, right] : vocabulary.merges) {
    joined = left;
    joined += right;
    std::array<int32_t, 3> found{};
    const std::array<const std::string*, 3> texts{&left, &right, &joined};
    for (size_t i = 0; i < 3; ++i) {
      const int32_t* id = ids_.find(*texts[i]);
      if (id == nullptr)
        throw DataError(
            fmt::format("model.merges[{}]: \"{}\" + \"{}\": the token \"{}\" is not in model.vocab",
                        rank,
                        left,
                        right,
                        *texts[i]),
            "merges and vocab belong to different tokenizers, or the file is damaged: fetch it "
            "again");
      found[i] = *id;
    }
    rules_[static_cast<uint64_t>(found[0]) << 32 | static_cast<uint64_t>(found[1])] = {rank++,
                                                                                       found[2]};
  }
}

void BpeModel::read_bytes(const Vocabulary& vocabulary) {
  byte_ids_.assign(256, -1);
  const int32_t* unknown = ids_.find(vocabulary.unknown);
  for (int byte = 0; byte < 256; ++byte) {
    const char raw = static_cast<char>(byte);
    const int32_t* id = ids_.find(to_alphabet({&raw, 1}));
    all_bytes_ = all_bytes_ && id != nullptr;
    if (id == nullptr && !vocabulary.unknown.empty() && unknown == nullptr)
      throw DataError(
          fmt::format(
              "model.unk_token: \"{}\" is not in model.vocab, and byte 0x{:02x} has no token",
              vocabulary.unknown,
              byte),
          "name a token of the vocabulary, or null");
    if (id != nullptr)
      byte_ids_[static_cast<size_t>(byte)] = *id;
    else if (!vocabulary.unknown.empty())
      byte_ids_[static_cast<size_t>(byte)] = *unknown;
  }
}

const std::string* BpeModel::text_of(int32_t id) const {
  if (id < 0 || id >= id_limit() || byte_sizes_[static_cast<size_t>(id)] < 0) return nullptr;
  return &texts_[static_cast<size_t>(id)];
}

std::optional<int32_t> BpeModel::id_of(std::string_view text) const {
  const int32_t* id = ids_.find(text);
  return id == nullptr ? std::nullopt : std::optional(*id);
}

const BpeModel::MergeRule* BpeModel::rule(int32_t left, int32_t right) const {
  return rules_.find(static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right));
}

// Bytes without a token are dropped when there is no unknown token, as the library does.
size_t BpeModel::start_word(std::string_view bytes, Symbol* symbols) const {
  size_t count = 0;
  for (char byte : bytes) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id >= 0) symbols[count++] = {id, 1};
  }
  return count;
}

size_t BpeModel::merge_short(Symbol* symbols, size_t count) const {
  std::array<MergeRule, kShortWord> rules;
  const auto look_up = [&](size_t i) {
    const MergeRule* found = rule(symbols[i].id, symbols[i + 1].id);
    rules[i] = found == nullptr ? MergeRule{kNoRule, 0} : *found;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (rules[i].rank < rules[best].rank) best = i;
    if (rules[best].rank == kNoRule) break;
    symbols[best] = {rules[best].result, symbols[best].size + symbols[best + 1].size};
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      rules[i - 1] = rules[i];
    }
    --count;
    if (best > 0) look_up(best - 1);
    if (best + 1 < count) look_up(best);
  }
  return count;
}

size_t BpeModel::merge_long(Symbol* symbols, size_t count) const {
  const auto last = static_cast<int32_t>(count);
  std::vector<int32_t> previous(count), next(count);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](int32_t left) {
    const int32_t right = next[static_cast<size_t>(left)];
    if (right == last) return;
    if (const MergeRule* found = rule(symbols[left].id, symbols[right].id))
      queue.push({found->rank, found->result, left});
  };
  for (int32_t i = 0; i < last; ++i) {
    previous[static_cast<size_t>(i)] = i - 1;
    next[static_cast<size_t>(i)] = i + 1;
  }
  for (int32_t i = 0; i < last; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const int32_t right = symbols[top.at].size == 0 ? last : next[static_cast<size_t>(top.at)];
    if (right == last) continue;  // a symbol that was swallowed, or is the last one now
    const MergeRule* found = rule(symbols[top.at].id, symbols[right].id);
    if (found == nullptr || found->rank != top.rank) continue;  // its neighbours changed since
    symbols[top.at] = {top.result, symbols[top.at].size + symbols[right].size};
    symbols[right].size = 0;
    const int32_t after = next[static_cast<size_t>(right)];
    next[static_cast<size_t>(top.at)] = after;
    if (after != last) previous[static_cast<size_t>(after)] = top.at;
    if (previous[static_cast<size_t>(top.at)] >= 0) offer(previous[static_cast<size_t>(top.at)]);
    offer(top.at);
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i)
    if (symbols[i].size > 0) symbols[kept++] = symbols[i];
  return kept;
}

void BpeModel::encode_uncached(std::string_view word,
                               std::vector<int32_t>& ids,
                               std::vector<int32_t>* lengths) const {
  const auto append = [&](const Symbol* symbols, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      ids.push_back(symbols[i].id);
      if (lengths != nullptr) lengths->push_back(symbols[i].size);
    }
  };
  if (ignore_merges_) {
    if (const int32_t* id = ids_.find(to_alphabet(word))) {
      const Symbol whole{*id, static_cast<int32_t>(word.size())};
      return append(&whole, 1);
    }
  }
  if (word.size() <= kShortWord) {
    std::array<Symbol, kShortWord> symbols;
    return append(symbols.data(), merge_short(symbols.data(), start_word(word, symbols.data())));
  }
  std::vector<Symbol> symbols(word.size());
  append(symbols.data(), merge_long(symbols.data(), start_word(word, symbols.data())));
}

void BpeModel::encode_word(std::string_view word,
                           std::vector<int32_t>& ids,
                           std::vector<int32_t>* lengths) const {
  if (word.size() > kCachedWord || !all_bytes_) return encode_uncached(word, ids, lengths);
  const WordKey key = key_of(word);
  CacheSlot& slot = cache_slot(identity_, key, word.size());
  const size_t begin = ids.size();
  if (slot.size == word.size() && slot.key.low == key.low && slot.key.high == key.high) {
    ids.insert(ids.end(), slot.ids.begin(), slot.ids.begin() + slot.count);
  } else {
    encode_uncached(word, ids, nullptr);
    const size_t count = ids.size() - begin;
    if (count <= kCachedIds) {
      slot.key = key;
      slot.size = static_cast<uint16_t>(word.size());
      slot.count = static_cast<uint16_t>(count);
      std::copy(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end(), slot.ids.begin());
    }
  }
  if (lengths != nullptr)
    for (size_t i = begin; i < ids.size(); ++i)
      lengths->push_back(byte_sizes_[static_cast<size_t>(ids[i])]);
}

}  // namespace mortise::tokenizer::byte_bpe
