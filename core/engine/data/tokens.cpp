// Making the tokenizer and encoding the records, in parallel over documents.
#include "core/engine/data/tokens.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "mortise/error.hpp"
#include "mortise/log.hpp"
#include "mortise/random.hpp"
#include "mortise/torch/parallel_for.hpp"

namespace mortise::core {

namespace {

// Learns the vocabulary from the texts of the training part.
void train_tokenizer(Tokenizer& tokenizer, const Value& table, const Corpus& corpus) {
  auto* trainable = query<ext::TrainableTokenizer>(tokenizer);
  MORTISE_CHECK(
      trainable != nullptr,
      "tokenizer `{}` cannot be trained: set tokenizer.from to a folder with tokenizer.json",
      table.get("type", ""));
  const std::vector<CorpusRow>& rows = corpus_part(corpus, "train");
  size_t next = 0;
  trainable->train(
      [&](std::string& text) {
        if (next == rows.size()) return false;
        text.clear();
        for (const DocumentText& document : row_documents(rows[next++].record))
          text += joined(document, false);
        return true;
      },
      table.get("vocab", int64_t{4096}));
}

std::string folder_of(const Value& recipe, const Value& table, const std::string& saved) {
  if (!saved.empty()) return saved;
  const std::string from = table.get("from", "");
  if (!from.empty()) return from;
  const Value* model = recipe.find("model");
  const std::string model_folder = model == nullptr ? "" : model->get("from", "");
  return !model_folder.empty() && std::filesystem::exists(model_folder + "/tokenizer.json")
             ? model_folder
             : "";
}

struct Encoded {
  std::vector<int32_t> ids;
  std::vector<bool> masked;
};

// Neighbours of one kind are encoded as one text; elsewhere the border falls between tokens.
Encoded encode_document(const Tokenizer& tokenizer, const DocumentText& document) {
  const auto bos = tokenizer.special(SpecialToken::Bos), eos = tokenizer.special(SpecialToken::Eos);
  Encoded out;
  if (bos) out.ids.push_back(*bos);
  bool train = true;
  for (size_t i = 0; i < document.size();) {
    const Segment& first = document[i];
    std::string text;
    for (; i < document.size() && document[i].train == first.train &&
           document[i].special == first.special;
         ++i)
      text += document[i].text;
    if (text.empty()) continue;
    const EncodeOptions options{
        .add_special = false, .parse_special = first.special, .offsets = false};
    const std::vector<int32_t> ids = tokenizer.encode(text, options).ids;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    train = first.train;
    out.masked.resize(out.ids.size(), !train);
  }
  if (eos) out.ids.push_back(*eos);
  out.masked.resize(out.ids.size(), !train);  // the end belongs to what stands before it
  return out;
}

/// The number of a record's field `kind`; nothing when it has none.
std::optional<int64_t> kind_of(const Record& record) {
  const Value* kind = record.fields.find("kind");
  if (kind == nullptr || kind->is_null()) return std::nullopt;
  if (kind->is_int()) return kind_number(std::to_string(kind->as_int()));
  if (kind->is_string()) return kind_number(kind->as_string());
  throw DataError(fmt::format("record {}: the field `kind` must be an integer or a word, got {}",
                              record.id,
                              kind_name(kind->kind())));
}

std::vector<Encoded> encode_row(const Tokenizer& tokenizer, const Record& record) {
  std::vector<Encoded> out;
  for (const DocumentText& document : row_documents(record))
    out.push_back(encode_document(tokenizer, document));
  return out;
}

double number_field(const Record& record, const std::string& name) {
  const Value* value = record.fields.find(name);
  if (value != nullptr && value->is_number()) return value->as_float();
  throw DataError(
      fmt::format("record {} has no number `{}`, which batch.curriculum.by names", record.id, name),
      "batch.curriculum.by = \"length\", or a field that every record has");
}

/// Sets the entry of the newest document; lists stay empty until the data has such a thing.
template <class T>
void note(std::vector<T>& list, int64_t documents, T absent, std::optional<T> value) {
  if (!value && list.empty()) return;
  list.resize(static_cast<size_t>(documents) - 1, absent);
  list.push_back(value.value_or(absent));
}

void append(TokenSet& set, const std::vector<Encoded>& documents, const Record& record) {
  const Value* label = record.fields.find("label");
  const int64_t pair = set.num_documents();  // of its first document: unique
  for (size_t i = 0; i < documents.size(); ++i) {
    const auto& [ids, masked] = documents[i];
    if (std::find(masked.begin(), masked.end(), true) != masked.end() || !set.masked.empty()) {
      set.masked.resize(set.ids.size(), false);
      set.masked.insert(set.masked.end(), masked.begin(), masked.end());
    }
    set.ids.insert(set.ids.end(), ids.begin(), ids.end());
    set.begins.push_back(set.num_tokens());
    const bool has_label = label != nullptr && label->is_int(), is_pair = documents.size() == 2;
    note<int64_t>(set.labels,
                  set.num_documents(),
                  -1,
                  has_label ? std::optional(label->as_int()) : std::nullopt);
    note<int64_t>(set.kinds, set.num_documents(), -1, kind_of(record));
    note<int64_t>(set.pairs, set.num_documents(), -1, is_pair ? std::optional(pair) : std::nullopt);
    note<uint8_t>(set.chosen,
                  set.num_documents(),
                  0,
                  is_pair ? std::optional<uint8_t>(i == 0) : std::nullopt);
  }
}

/// How often a record of this weight occurs in one epoch.
int64_t copies(double weight, const std::string& id, uint64_t seed) {
  const double whole = std::floor(weight);
  const double chance = weight - whole;
  if (chance == 0) return static_cast<int64_t>(whole);
  return static_cast<int64_t>(whole) +
         (Philox(mix_key(seed, "weight"), mix_key(0, id)).uniform() < chance ? 1 : 0);
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const Value& recipe,
                                          Host& host,
                                          const Corpus& corpus,
                                          const std::string& saved) {
  const Value* table = recipe.find("tokenizer");
  MORTISE_CHECK(table != nullptr, "the recipe has no [tokenizer]");
  auto tokenizer = make<Tokenizer>(host, *table, {});
  try {
    const std::string folder = folder_of(recipe, *table, saved);
    if (folder.empty())
      train_tokenizer(*tokenizer, *table, corpus);
    else
      tokenizer->load(folder);
  } catch (Error& error) {
    error.add_context("while making [tokenizer]");
    throw;
  }
  return tokenizer;
}

int64_t TokenSet::num_eos_trained() const {
  int64_t count = 0;
  for (int64_t d = 0; has_eos && d < num_documents(); ++d)
    count += is_masked(begins[static_cast<size_t>(d) + 1] - 1) ? 0 : 1;
  return count;
}

TokenSet tokenize(const Tokenizer& tokenizer,
                  const std::vector<CorpusRow>& rows,
                  const std::vector<SourceCount>& sources,
                  uint64_t seed,
                  const std::string& difficulty) {
  TokenSet set;
  set.has_eos = tokenizer.special(SpecialToken::Eos).has_value();
  constexpr size_t kBlock = 16384;  // records encoded before they are copied: bounds the memory
  for (size_t begin = 0; begin < rows.size(); begin += kBlock) {
    std::vector<std::vector<Encoded>> block(std::min(kBlock, rows.size() - begin));
    parallel_for(0, static_cast<int64_t>(block.size()), 256, [&](int64_t from, int64_t to) {
      for (auto i = static_cast<size_t>(from); i < static_cast<size_t>(to); ++i)
        block[i] = encode_row(tokenizer, rows[begin + i].record);
    });
    for (size_t i = 0; i < block.size(); ++i) {
      const CorpusRow& row = rows[begin + i];
      const int64_t times =
          copies(sources.at(static_cast<size_t>(row.source)).weight, row.record.id, seed);
      for (int64_t copy = 0; copy < times; ++copy) {
        append(set, block[i], row.record);
        if (!difficulty.empty())
          set.difficulty.resize(static_cast<size_t>(set.num_documents()),
                                number_field(row.record, difficulty));
      }
    }
  }
  set.ids.shrink_to_fit();
  return set;
}

}  // namespace mortise::core
