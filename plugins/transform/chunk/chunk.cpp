// Units are byte ranges (code points or words); a window is the text from its first unit's begin to
// its last unit's end.
#include "chunk.hpp"

#include <algorithm>

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::transform::chunk {

namespace {

using Range = std::pair<size_t, size_t>;  // bytes [first, second)

std::vector<Range> units_of(std::string_view text, bool by_words) {
  std::vector<Range> out;
  if (by_words) {
    for (const std::string_view word : pytext::split(text)) {
      const auto begin = static_cast<size_t>(word.data() - text.data());
      out.emplace_back(begin, begin + word.size());
    }
    return out;
  }
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    pytext::next_code_point(text, at);
    out.emplace_back(begin, at);
  }
  return out;
}

}  // namespace

Chunk::Chunk(Config config) : config_(std::move(config)) {
  MORTISE_CHECK(config_.size > 0 && config_.overlap >= 0,
                "size {} and overlap {} must be positive",
                config_.size,
                config_.overlap);
  MORTISE_CHECK_LT(config_.overlap, config_.size, "overlap must be smaller than size");
}

void Chunk::apply(Record record, RecordSink& sink) {
  const Value* field = record.fields.find(config_.field);
  if (field == nullptr || !field->is_string())
    throw DataError(fmt::format("{}: chunk: the field `{}` is {}",
                                record.id,
                                config_.field,
                                field == nullptr ? "missing" : "not a string"),
                    "set field to one that every record has as text");
  const std::string text = field->as_string();
  const auto units = units_of(text, config_.unit == "words");
  const auto size = static_cast<size_t>(config_.size),
             stride = static_cast<size_t>(config_.size - config_.overlap);
  if (units.size() <= size) return sink.keep(std::move(record));
  for (size_t begin = 0, k = 0;
       begin == 0 || begin + static_cast<size_t>(config_.overlap) < units.size();
       begin += stride, ++k) {
    const size_t end = std::min(begin + size, units.size());
    Record window = record;
    window.id = fmt::format("{}#{}", record.id, k);
    window.fields[config_.field] =
        text.substr(units[begin].first, units[end - 1].second - units[begin].first);
    sink.keep(std::move(window));
  }
}

void Chunk::Config::describe(Schema<Config>& schema) {
  schema.field("field", &Config::field, "text field that is cut");
  schema.field("unit", &Config::unit, "what size and overlap count").one_of({"chars", "words"});
  schema.field("size", &Config::size, "length of a window").min(1);
  schema.field("overlap", &Config::overlap, "how much of a window the next one repeats").min(0);
  schema.rule("overlap < size", "overlap must be smaller than size");
}

}  // namespace mortise::transform::chunk

MORTISE_PLUGIN("org.mortise.transform.chunk",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::chunk::Chunk>(
                   "chunk", "cuts a long text into overlapping windows"));
