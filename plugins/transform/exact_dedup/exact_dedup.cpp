// Hash = XXH3-128 over (length, text) of every field, so that ("ab", "c") and ("a", "bc") differ.
#include "exact_dedup.hpp"

#include <algorithm>
#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/json.hpp"
#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::transform::exact_dedup {

namespace {

constexpr size_t kDigits = 32;  // of one hash in the saved state

std::string normalised(std::string_view text) {
  std::string out;
  for (const std::string_view word : pytext::split(text))
    out.append(out.empty() ? "" : " ").append(word);
  return pytext::lower(out);
}

uint64_t read_hex(std::string_view digits) {
  uint64_t number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (result.ec != std::errc() || result.ptr != digits.data() + digits.size())
    throw DataError("exact_dedup: the saved state is damaged: it does not hold hexadecimal hashes");
  return number;
}

}  // namespace

ExactDedup::ExactDedup(Config config) : config_(std::move(config)) {
  MORTISE_CHECK(!config_.fields.empty(), "fields is empty: name at least one field to compare");
}

ExactDedup::Hash ExactDedup::hash_of(const Record& record) const {
  std::string key;
  for (const std::string& name : config_.fields) {
    const Value* field = record.fields.find(name);
    if (field == nullptr)
      throw DataError(fmt::format("{}: exact_dedup: the field `{}` is missing", record.id, name),
                      "set fields to those that every record has");
    std::string text = field->is_string() ? field->as_string() : to_json(*field);
    if (config_.normalise) text = normalised(text);
    key += fmt::format("{}:", text.size());
    key += text;
  }
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {hash.low64, hash.high64};
}

void ExactDedup::apply(Record record, RecordSink& sink) {
  if (seen_.insert(hash_of(record)).second)
    sink.keep(std::move(record));
  else
    sink.drop(record, "duplicate");
}

void ExactDedup::state(StateIo& io) {
  std::string text;
  if (!io.loading()) {
    std::vector<Hash> sorted(seen_.begin(), seen_.end());  // equal sets give equal bytes
    std::sort(sorted.begin(), sorted.end());
    for (const Hash& hash : sorted) text += fmt::format("{:016x}{:016x}", hash.first, hash.second);
  }
  io.text("seen", text);
  if (!io.loading()) return;
  if (text.size() % kDigits != 0) throw DataError("exact_dedup: the saved state is cut short");
  seen_.clear();
  for (size_t at = 0; at < text.size(); at += kDigits)
    seen_.insert({read_hex(std::string_view(text).substr(at, 16)),
                  read_hex(std::string_view(text).substr(at + 16, 16))});
}

void ExactDedup::Config::describe(Schema<Config>& schema) {
  schema.field("fields", &Config::fields, "fields that are compared");
  schema.field(
      "normalise", &Config::normalise, "compare lower-cased text with white space collapsed");
}

}  // namespace mortise::transform::exact_dedup

MORTISE_PLUGIN("org.mortise.transform.exact_dedup",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::exact_dedup::ExactDedup>(
                   "exact_dedup", "drops records equal to an earlier one"));
