// Making the tokenizer and encoding the records, in parallel over documents.
#include "core/engine/data/tokens.hpp"

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
        text = row_text(rows[next++].record).text;
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
  int32_t prompt = 0;
};

Encoded encode_row(const Tokenizer& tokenizer,
                   const Record& record,
                   std::optional<int32_t> bos,
                   std::optional<int32_t> eos) {
  constexpr EncodeOptions plain{.add_special = false, .parse_special = false, .offsets = false};
  const RowText row = row_text(record);
  Encoded out;
  if (bos) out.ids.push_back(*bos);
  const auto append = [&](std::string_view text) {
    const std::vector<int32_t> ids = tokenizer.encode(text, plain).ids;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
  };
  const auto border = static_cast<size_t>(row.prompt_bytes);
  if (border > 0)
    append(std::string_view(row.text).substr(
        0, border));  // apart, so that the border falls between tokens
  out.prompt = border > 0 ? static_cast<int32_t>(out.ids.size()) : 0;
  append(std::string_view(row.text).substr(border));
  if (eos) out.ids.push_back(*eos);
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

/// Keeps the kind of the newest document.  All records have one, or none.
void add_kind(TokenSet& set, std::optional<int64_t> kind, const std::string& id) {
  const bool is_first = set.num_documents() == 1;
  if (kind.has_value() ? !is_first && set.kinds.empty() : !set.kinds.empty())
    throw DataError(
        fmt::format("record {} has {} field `kind`, unlike those before it", id, kind ? "a" : "no"),
        "give every record a kind, or none");
  if (kind) set.kinds.push_back(*kind);
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

TokenSet tokenize(const Tokenizer& tokenizer,
                  const std::vector<CorpusRow>& rows,
                  const std::vector<SourceCount>& sources,
                  uint64_t seed) {
  const auto bos = tokenizer.special(SpecialToken::Bos), eos = tokenizer.special(SpecialToken::Eos);
  TokenSet set;
  set.has_eos = eos.has_value();
  constexpr size_t kBlock = 16384;  // documents encoded before they are copied: bounds the memory
  for (size_t begin = 0; begin < rows.size(); begin += kBlock) {
    std::vector<Encoded> block(std::min(kBlock, rows.size() - begin));
    parallel_for(0, static_cast<int64_t>(block.size()), 256, [&](int64_t from, int64_t to) {
      for (auto i = static_cast<size_t>(from); i < static_cast<size_t>(to); ++i)
        block[i] = encode_row(tokenizer, rows[begin + i].record, bos, eos);
    });
    for (size_t i = 0; i < block.size(); ++i) {
      const CorpusRow& row = rows[begin + i];
      const int64_t times =
          copies(sources.at(static_cast<size_t>(row.source)).weight, row.record.id, seed);
      for (int64_t copy = 0; copy < times; ++copy) {
        set.ids.insert(set.ids.end(), block[i].ids.begin(), block[i].ids.end());
        set.begins.push_back(set.num_tokens());
        set.prompts.push_back(block[i].prompt);
        add_kind(set, kind_of(row.record), row.record.id);
      }
    }
  }
  set.ids.shrink_to_fit();
  return set;
}

}  // namespace mortise::core
