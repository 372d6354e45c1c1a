// The four data files one after another; lines that begin with a space are the licence.  Format:
// wndb(5WN).
#include "wordnet.hpp"

#include <algorithm>
#include <filesystem>

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
    : config_(std::move(config)), cursor_(args) {
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
    if (fs::file_size(path) == 0) throw DataError(fmt::format("{} is empty", path), kInstallHint);
    files_.push_back({path, "data." + pos});
  }
}

bool Wordnet::next_line(std::string_view& line) {
  for (; cursor_.file < files_.size(); cursor_.next_file(), mapped_.reset()) {
    if (!mapped_) mapped_ = MappedFile::open(files_[cursor_.file].path);
    while (cursor_.next_line(mapped_->text(), line))
      if (!line.empty() && line.front() != ' ') return true;
  }
  return false;
}

bool Wordnet::next(Record& record) {
  for (std::string_view line; next_line(line);) {
    if (!cursor_.take()) continue;
    Synset synset;
    if (const std::string problem = parse_synset(line, synset); !problem.empty())
      throw DataError(
          fmt::format("{}:{}: not a synset of WordNet: {}", mapped_->path(), cursor_.line, problem),
          kInstallHint);
    const std::string& pos = config_.pos[cursor_.file];
    record.id = fmt::format("{}:{:08}", letter_of(pos), synset.offset);
    record.fields = fields_of(synset, record.id, pos);
    cursor_.count(line.size());
    return true;
  }
  if (cursor_.seen == 0)
    throw DataError(fmt::format("{} holds no synsets", files_.front().path), kInstallHint);
  return false;
}

void Wordnet::rewind() {
  cursor_.rewind();
  mapped_.reset();
}

void Wordnet::state(StateIo& io) {
  cursor_.state(io, files_);
  if (io.loading()) mapped_.reset();
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
