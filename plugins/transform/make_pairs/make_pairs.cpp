// The answers of each group are sorted and freed of doubles; a record's partner is a place in that
// list drawn by its id, so neither order nor number of workers matters.
#include "make_pairs.hpp"

#include <algorithm>

#include "mortise/json.hpp"
#include "mortise/plugin.hpp"
#include "mortise/random.hpp"

namespace mortise::transform::make_pairs {

namespace {

const Value& field_of(const Record& record, const std::string& name) {
  const Value* value = record.fields.find(name);
  if (value == nullptr)
    throw DataError(fmt::format("{}: make_pairs: the field `{}` is missing", record.id, name),
                    "set answer and by to fields that every record has");
  return *value;
}

}  // namespace

const std::string& MakePairs::answer_of(const Record& record) const {
  const Value& value = field_of(record, config_.answer);
  if (!value.is_string())
    throw DataError(
        fmt::format("{}: make_pairs: the field `{}` is not a text", record.id, config_.answer),
        "set answer to a field with text");
  return value.as_string();
}

std::string MakePairs::key_of(const Record& record) const {
  std::string key;
  for (const std::string& name : config_.by) key += to_json(field_of(record, name)) + "\n";
  return key;
}

void MakePairs::fit(const Record& record) { answers_[key_of(record)].push_back(answer_of(record)); }

void MakePairs::finish_fit() {
  for (auto& [key, list] : answers_) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
}

void MakePairs::apply(Record record, RecordSink& sink) {
  const std::string own = answer_of(record);  // writing a field moves the others
  const auto found = answers_.find(key_of(record));
  if (found == answers_.end())
    throw DataError(
        fmt::format("{}: make_pairs: this record was not seen while fitting", record.id),
        "fit on the same data that are paired");
  const std::vector<std::string>& list = found->second;
  const auto mine = std::lower_bound(list.begin(), list.end(), own) - list.begin();
  const auto others = static_cast<int64_t>(list.size()) - 1;
  if (others < 1) return sink.drop(record, "no_other_answer");
  Philox random(mix_key(static_cast<uint64_t>(config_.seed), "make_pairs"), mix_key(0, record.id));
  const auto drawn = static_cast<int64_t>(random.below(static_cast<uint64_t>(others)));
  record.fields["rejected"] = list[static_cast<size_t>(drawn + (drawn >= mine ? 1 : 0))];
  record.fields["chosen"] = own;
  sink.keep(std::move(record));
}

void MakePairs::state(StateIo& io) {
  Value saved = Value::table();
  for (const auto& [key, list] : answers_)
    for (const std::string& answer : list) {
      Value& entry = saved[key];
      if (!entry.is_array()) entry = Value::array();
      entry.as_array().emplace_back(answer);
    }
  io.value("answers", saved);
  if (!io.loading()) return;
  answers_.clear();
  for (const auto& [key, list] : saved.as_table())
    for (const Value& answer : list.as_array()) answers_[key].push_back(answer.as_string());
}

void MakePairs::Config::describe(Schema<Config>& schema) {
  schema.field("answer", &Config::answer, "field with the right answer");
  schema.field("by", &Config::by, "fields in which the record of the wrong answer must be equal");
  schema.field("seed", &Config::seed, "another seed, other partners");
}

}  // namespace mortise::transform::make_pairs

MORTISE_PLUGIN("org.mortise.transform.make_pairs",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::make_pairs::MakePairs>(
                   "make_pairs", "preferences: a record's answer against another record's"));
