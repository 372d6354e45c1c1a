// The four data files one after another; lines that begin with a space are the licence.  Format:
// wndb(5WN).
#include "wordnet.hpp"

#include <algorithm>
#include <filesystem>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/plugin.hpp"

#include "synset.hpp"

namespace mortise::data_source::wordnet {

namespace fs = std::filesystem;

namespace {

constexpr const char* kInstallHint =
    "sudo apt-get install wordnet-base, or set directory to a folder with WordNet 3.0's data files";

char letter_of(const std::string& pos) { return pos == "adv" ? 'r' : pos[0]; }

Value array_of(const std::vector<std::string>& texts) {
  Value::Array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

Value fields_of(const Synset& synset, const std::string& id, const std::string& pos) {
  Value fields = Value::table();
  fields["id"] = id;
  fields["lemmas"] = array_of(synset.lemmas);
  fields["lemma"] = synset.lemmas.front();
  fields["pos"] = pos;
  fields["offset"] = synset.offset;
  fields["gloss"] = synset.gloss;
  fields["definition"] = synset.definition;
  fields["examples"] = array_of(synset.examples);
  fields["text"] = synset.gloss;
  return fields;
}

}  // namespace

Wordnet::Wordnet(Config config, const DataSourceArgs& args)
    : config_(std::move(config)), args_(args) {
  MORTISE_CHECK(args.num_shards > 0 && args.shard >= 0 && args.shard < args.num_shards,
                "shard {} of {}",
                args.shard,
                args.num_shards);
  MORTISE_CHECK(!config_.pos.empty(), "pos is empty: name at least one of noun, verb, adj, adv");
  for (size_t i = 0; i < config_.pos.size(); ++i)
    MORTISE_CHECK(std::find(config_.pos.begin(),
                            config_.pos.begin() + static_cast<std::ptrdiff_t>(i),
                            config_.pos[i]) == config_.pos.begin() + static_cast<std::ptrdiff_t>(i),
                  "pos names {} twice",
                  config_.pos[i]);
  for (const std::string& pos : config_.pos) {
    const std::string path = (fs::path(config_.directory) / ("data." + pos)).string();
    if (!fs::is_regular_file(path))
      throw DataError(
          fmt::format(
              "the WordNet database is not there: {} is missing (Debian package wordnet-base)",
              path),
          kInstallHint);
    files_.push_back(MappedFile::open(path));
    if (files_.back()->text().empty())
      throw DataError(fmt::format("{} is empty", path), kInstallHint);
  }
}

bool Wordnet::next_line(std::string_view& line) {
  for (; file_ < files_.size(); ++file_, offset_ = 0, line_ = 0) {
    const std::string_view text = files_[file_]->text();
    while (offset_ < static_cast<int64_t>(text.size())) {
      const auto begin = static_cast<size_t>(offset_);
      const size_t end = std::min(text.find('\n', begin), text.size());
      offset_ = static_cast<int64_t>(std::min(end + 1, text.size()));
      ++line_;
      line = text.substr(begin, end - begin);
      if (!line.empty() && line.front() != ' ') return true;
    }
  }
  return false;
}

bool Wordnet::next(Record& record) {
  for (std::string_view line; next_line(line);) {
    if (synsets_++ % args_.num_shards != args_.shard) continue;
    Synset synset;
    if (const std::string problem = parse_synset(line, synset); !problem.empty())
      throw DataError(
          fmt::format("{}:{}: not a synset of WordNet: {}", files_[file_]->path(), line_, problem),
          kInstallHint);
    const std::string& pos = config_.pos[file_];
    record.id = fmt::format("{}:{:08}", letter_of(pos), synset.offset);
    record.fields = fields_of(synset, record.id, pos);
    ++report_.records;
    report_.bytes += static_cast<int64_t>(line.size());
    return true;
  }
  if (synsets_ == 0)
    throw DataError(fmt::format("{} holds no synsets", files_.front()->path()), kInstallHint);
  return false;
}

void Wordnet::rewind() {
  file_ = 0;
  offset_ = line_ = synsets_ = 0;
  report_ = {};
}

void Wordnet::state(StateIo& io) {
  auto file = static_cast<int64_t>(file_);
  io.integer("file", file);
  io.integer("offset", offset_);
  io.integer("line", line_);
  io.integer("synsets", synsets_);
  io.integer("records", report_.records);
  io.integer("bytes", report_.bytes);
  if (!io.loading()) return;
  if (file < 0 || file > static_cast<int64_t>(files_.size()) || offset_ < 0)
    throw DataError(fmt::format("the saved position is in file {} of {}", file, files_.size()),
                    "the state belongs to another choice of pos");
  file_ = static_cast<size_t>(file);
}

std::string Wordnet::fingerprint() const {
  std::string digests;
  for (const auto& file : files_) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(file->bytes().data(), file->bytes().size()));
    digests.append(reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest);
  }
  const XXH128_hash_t all = XXH3_128bits(digests.data(), digests.size());
  return fmt::format("xxh3:{:016x}{:016x}", all.high64, all.low64);
}

void Wordnet::Config::describe(Schema<Config>& schema) {
  schema.field(
      "directory",
      &Config::directory,
      "the folder with data.noun, data.verb, data.adj and data.adv (Debian package wordnet-base)");
  schema.field("pos", &Config::pos, "parts of speech, read in this order")
      .one_of({"noun", "verb", "adj", "adv"});
}

}  // namespace mortise::data_source::wordnet

MORTISE_PLUGIN("org.mortise.data_source.wordnet",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::data_source::wordnet::Wordnet>(
                   "wordnet", "synsets of WordNet: lemmas, definition, examples"));
