// The component: training options, files of a directory, and the encoder in use.
//
// Files are those of Hugging Face: tokenizer.json (the tokenizer), tokenizer_config.json and
// special_tokens_map.json (the roles BOS, EOS, padding, unknown).  What else tokenizer_config.json
// holds (chat_template, model_max_length, …) is kept when saving.
#include "byte_bpe.hpp"

#include <algorithm>
#include <filesystem>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/plugin.hpp"

#include "encoder.hpp"
#include "flat_map.hpp"
#include "special_tokens.hpp"
#include "trainer.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr int64_t kMaxFileBytes = int64_t{512} << 20;
constexpr int64_t kMaxVocabSize = 1 << 24;

Value byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex) {
  Value value = Value::table();
  value["type"] = "ByteLevel";
  value["add_prefix_space"] = add_prefix_space;
  value["trim_offsets"] = trim_offsets;
  value["use_regex"] = use_regex;
  return value;
}

Value pre_tokenizer_of(Pattern pattern) {
  if (pattern == Pattern::Gpt2) return byte_level(false, false, true);
  Value regex = Value::table();
  regex["Regex"] = std::string(pattern_regex(pattern));
  Value split = Value::table();
  split["type"] = "Split";
  split["pattern"] = regex;
  split["behavior"] = "Isolated";
  split["invert"] = false;
  Value sequence = Value::table();
  sequence["type"] = "Sequence";
  sequence["pretokenizers"] = Value::Array{split, byte_level(false, false, false)};
  return sequence;
}

Value template_piece(const std::string& kind, const std::string& id, int64_t type_id) {
  Value inner = Value::table();
  inner["id"] = id;
  inner["type_id"] = type_id;
  Value piece = Value::table();
  piece[kind] = inner;
  return piece;
}

// BOS before and EOS after each sequence, where wanted.
Value template_of(const std::string& bos, int32_t bos_id, const std::string& eos, int32_t eos_id) {
  Value specials = Value::table();
  const auto add_special = [&](const std::string& token, int32_t id) {
    if (token.empty()) return;
    Value entry = Value::table();
    entry["id"] = token;
    entry["ids"] = Value::Array{int64_t{id}};
    entry["tokens"] = Value::Array{token};
    specials[token] = entry;
  };
  add_special(bos, bos_id);
  add_special(eos, eos_id);
  const auto sequence = [&](Value::Array& pieces, const std::string& name, int64_t type_id) {
    if (!bos.empty()) pieces.push_back(template_piece("SpecialToken", bos, type_id));
    pieces.push_back(template_piece("Sequence", name, type_id));
    if (!eos.empty()) pieces.push_back(template_piece("SpecialToken", eos, type_id));
  };
  Value::Array single, pair;
  sequence(single, "A", 0);
  sequence(pair, "A", 0);
  sequence(pair, "B", 1);
  Value value = Value::table();
  value["type"] = "TemplateProcessing";
  value["single"] = single;
  value["pair"] = pair;
  value["special_tokens"] = specials;
  return value;
}

// Role → text, in the order in which special tokens get their ids.
std::vector<std::pair<SpecialToken, std::string>> roles_of(const ByteBpe::Config& config) {
  std::vector<std::pair<SpecialToken, std::string>> roles = {
      {SpecialToken::Bos, config.bos_token},
      {SpecialToken::Eos, config.eos_token},
      {SpecialToken::Pad, config.pad_token},
      {SpecialToken::Unknown, config.unk_token}};
  std::erase_if(roles, [](const auto& role) { return role.second.empty(); });
  return roles;
}

Definition definition_of(const ByteBpe::Config& config, Pattern pattern, Vocabulary vocabulary) {
  Definition definition;
  definition.vocabulary = std::move(vocabulary);
  const auto id_of = [&](const std::string& text) {
    for (const auto& [token, id] : definition.vocabulary.tokens)
      if (token == text) return id;
    return int32_t{-1};
  };
  for (const auto& [role, text] : roles_of(config)) {
    const auto same = [&content = text](const AddedToken& token) {
      return token.content == content;
    };
    if (std::any_of(definition.added.begin(), definition.added.end(), same)) continue;
    AddedToken token;
    token.id = id_of(text);
    token.content = text;
    token.special = true;
    definition.added.push_back(token);
  }
  definition.pre_tokenizer = pre_tokenizer_of(pattern);
  definition.decoder = byte_level(false, false, pattern == Pattern::Gpt2);
  definition.post_processor = byte_level(false, false, false);
  const std::string bos = config.add_bos ? config.bos_token : "",
                    eos = config.add_eos ? config.eos_token : "";
  if (!bos.empty() || !eos.empty())
    definition.post_processor = template_of(bos, id_of(bos), eos, id_of(eos));
  read_sections(definition);
  return definition;
}

}  // namespace

ByteBpe::ByteBpe(Config config) : config_(std::move(config)) {}

ByteBpe::~ByteBpe() = default;

const Encoder& ByteBpe::encoder() const {
  if (encoder_ == nullptr)
    throw Error(Code::Usage, "this tokenizer has no vocabulary yet", "load or train it first");
  return *encoder_;
}

void ByteBpe::load(const std::string& directory) {
  const std::string path = directory + "/tokenizer.json";
  const auto file = MappedFile::open(path);
  if (static_cast<int64_t>(file->bytes().size()) > kMaxFileBytes)
    throw DataError(fmt::format(
        "{} is {} bytes; at most {} are read", path, file->bytes().size(), kMaxFileBytes));
  Definition definition = read_tokenizer_json(file->text(), path);
  std::unique_ptr<const Encoder> encoder;
  try {
    encoder = std::make_unique<Encoder>(std::move(definition));
  } catch (Error& error) {
    error.add_context("while reading " + path);
    throw;
  }
  Value tokenizer_config;
  std::map<SpecialToken, int32_t> special;
  for (const auto& [role, text] : read_roles(directory, tokenizer_config)) {
    const auto id = encoder->id_of(text);
    if (!id)
      throw DataError(fmt::format("{}: {} is \"{}\", which is no token of tokenizer.json",
                                  directory,
                                  role_key(role),
                                  text));
    special.emplace(role, *id);
  }
  encoder_ = std::move(encoder);
  special_ = std::move(special);
  tokenizer_config_ = std::move(tokenizer_config);
}

void ByteBpe::save(const std::string& directory) const {
  const Definition& definition = encoder().definition();
  std::error_code status;
  std::filesystem::create_directories(directory, status);
  if (status)
    throw Error(Code::Io, fmt::format("cannot create {}: {}", directory, status.message()));
  std::map<SpecialToken, std::string> roles;
  for (const auto& [role, id] : special_)
    for (const AddedToken& token : definition.added)
      if (token.id == id) roles[role] = token.content;
  write_roles(directory, roles, tokenizer_config_);
  write_file(directory + "/tokenizer.json", write_tokenizer_json(definition));
}

Encoding ByteBpe::encode(std::string_view text, const EncodeOptions& options) const {
  return encoder().encode(text, options);
}

std::string ByteBpe::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  return encoder().decode(ids, skip_special);
}

int64_t ByteBpe::vocab_size() const { return encoder().vocab_size(); }

std::optional<int32_t> ByteBpe::special(SpecialToken token) const {
  const auto found = special_.find(token);
  return found == special_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<int32_t> ByteBpe::id_of(std::string_view token) const {
  return encoder().id_of(token);
}

std::string ByteBpe::fingerprint() const {
  return fmt::format("byte_bpe-1:{:016x}",
                     hash_bytes(write_tokenizer_json(encoder().definition())));
}

void ByteBpe::train(const std::function<bool(std::string&)>& next, int64_t vocab_size) {
  const std::optional<Pattern> pattern = pattern_named(config_.pattern);
  MORTISE_CHECK(
      pattern.has_value(), "unknown pattern \"{}\"; known: gpt2, llama3, qwen2", config_.pattern);
  MORTISE_CHECK(!config_.add_bos || !config_.bos_token.empty(), "add_bos needs a bos_token");
  MORTISE_CHECK(!config_.add_eos || !config_.eos_token.empty(), "add_eos needs an eos_token");
  TrainOptions options{vocab_size, config_.min_frequency, {}};
  for (const auto& [role, text] : roles_of(config_)) options.special_tokens.push_back(text);
  const int64_t smallest = 256 + static_cast<int64_t>(options.special_tokens.size());
  MORTISE_CHECK(vocab_size >= smallest && vocab_size <= kMaxVocabSize,
                "a vocabulary of {} tokens cannot be learned: expected {} (the 256 bytes and the "
                "special tokens) to {}",
                vocab_size,
                smallest,
                kMaxVocabSize);
  WordCounter counter(*pattern);
  for (std::string text; next(text);) counter.add(text);
  auto encoder = std::make_unique<Encoder>(
      definition_of(config_, *pattern, train_bpe(counter.words(), options)));
  special_.clear();
  for (const auto& [role, text] : roles_of(config_)) special_.emplace(role, *encoder->id_of(text));
  encoder_ = std::move(encoder);
  tokenizer_config_ = Value::table();
  tokenizer_config_["tokenizer_class"] = "PreTrainedTokenizerFast";
  tokenizer_config_["clean_up_tokenization_spaces"] = false;
}

void ByteBpe::Config::describe(Schema<Config>& schema) {
  schema.field("pattern", &Config::pattern, "how training cuts text into words")
      .one_of({"gpt2", "llama3", "qwen2"});
  schema
      .field("min_frequency",
             &Config::min_frequency,
             "a pair that occurs less often is not merged in training")
      .min(0);
  schema.field(
      "bos_token", &Config::bos_token, "text of the token that begins a sequence; empty: none");
  schema.field(
      "eos_token", &Config::eos_token, "text of the token that ends a sequence; empty: none");
  schema.field("pad_token", &Config::pad_token, "text of the padding token; empty: none");
  schema.field("unk_token",
               &Config::unk_token,
               "text of the unknown token, which bytes never need; empty: none");
  schema.field("add_bos", &Config::add_bos, "a trained tokenizer puts bos_token before each text");
  schema.field("add_eos", &Config::add_eos, "a trained tokenizer puts eos_token after each text");
  schema.provides("trainable");
}

}  // namespace mortise::tokenizer::byte_bpe

MORTISE_PLUGIN("org.mortise.tokenizer.byte_bpe",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::tokenizer::byte_bpe::ByteBpe>(
                   "byte_bpe", "byte-level BPE: trained, or read from a tokenizer.json"));
