// A look-up in a short list.
#include "map_labels.hpp"

#include <algorithm>

#include "mortise/json.hpp"
#include "mortise/names.hpp"
#include "mortise/plugin.hpp"

namespace mortise::transform::map_labels {

MapLabels::MapLabels(Config config) : config_(std::move(config)) {
  for (auto at = config_.labels.begin(); at != config_.labels.end(); ++at)
    MORTISE_CHECK(std::find(config_.labels.begin(), at, *at) == at, "labels names `{}` twice", *at);
}

void MapLabels::apply(Record record, RecordSink& sink) {
  const Value* value = record.fields.find(config_.field);
  const std::string word = value == nullptr     ? ""
                           : value->is_string() ? value->as_string()
                                                : to_json(*value);
  const auto found = std::find(config_.labels.begin(), config_.labels.end(), word);
  if (value != nullptr && found != config_.labels.end()) {
    record.fields["label"] = static_cast<int64_t>(found - config_.labels.begin());
    return sink.keep(std::move(record));
  }
  if (config_.unknown == "drop") return sink.drop(record, "unknown_label");
  const std::string meant = nearest(word, config_.labels);
  throw DataError(
      value == nullptr
          ? fmt::format("{}: map_labels: the field `{}` is missing", record.id, config_.field)
          : fmt::format("{}: map_labels: `{}` is not in labels{}",
                        record.id,
                        word,
                        meant.empty() ? "" : fmt::format("; the nearest is `{}`", meant)),
      "add it to labels, or set unknown = \"drop\"");
}

void MapLabels::Config::describe(Schema<Config>& schema) {
  schema.field("field", &Config::field, "field with the word");
  schema.field("labels", &Config::labels, "the classes in order; the first is 0").required();
  schema.field("unknown", &Config::unknown, "a word that is not in the list")
      .one_of({"error", "drop"});
}

}  // namespace mortise::transform::map_labels

MORTISE_PLUGIN("org.mortise.transform.map_labels",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::map_labels::MapLabels>(
                   "map_labels", "the number of a class, from a word"));
