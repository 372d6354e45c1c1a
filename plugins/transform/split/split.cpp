// by = []: uniform hash of (seed, id) against the shares.  by fields: components of shared values;
// see README.md.
#include "split.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/json.hpp"
#include "mortise/log.hpp"
#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"
#include "mortise/random.hpp"

namespace mortise::transform::split {

namespace {

constexpr std::array<std::string_view, 3> kPartNames = {"train", "dev", "test"};
constexpr size_t kDigits = 17;  // of one value in the saved state: its hash and its part

std::string_view name_of(Part part) { return kPartNames[static_cast<size_t>(part)]; }

uint64_t hash_of(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

void collect(const Value& value, bool ignore_case, std::vector<uint64_t>& out) {
  if (value.is_null()) return;
  if (value.is_array()) {
    for (const Value& item : value.as_array()) collect(item, ignore_case, out);
    return;
  }
  const std::string text = value.is_string() ? value.as_string() : to_json(value);
  out.push_back(hash_of(ignore_case ? pytext::lower(text) : text));
}

}  // namespace

Split::Split(Config config) : config_(std::move(config)) {
  MORTISE_CHECK(config_.dev >= 0 && config_.test >= 0 && config_.dev + config_.test < 1,
                "dev {} and test {} must be shares that leave something for train",
                config_.dev,
                config_.test);
}

std::vector<uint64_t> Split::values_of(const Record& record) const {
  std::vector<uint64_t> values;
  for (const std::string& name : config_.by) {
    const Value* field = record.fields.find(name);
    if (field == nullptr)
      throw DataError(fmt::format("{}: split: the field `{}` is missing", record.id, name),
                      "set by to fields that every record has");
    collect(*field, config_.ignore_case, values);
  }
  if (values.empty())
    values.push_back(hash_of("id\n" + record.id));  // shares nothing with any other
  return values;
}

Part Split::part_by_id(std::string_view id) const {
  const double place =
      static_cast<double>(mix_key(static_cast<uint64_t>(config_.seed), id) >> 11) * 0x1.0p-53;
  if (place < config_.test) return Part::Test;
  return place < config_.test + config_.dev ? Part::Dev : Part::Train;
}

void Split::fit(const Record& record) { grouping_.add(values_of(record)); }

void Split::finish_fit() {
  if (config_.by.empty()) return;
  assign(grouping_.components());
  audit();
  grouping_ = {};
}

void Split::assign(const std::vector<ValueGroup>& components) {
  if (components.empty())
    throw DataError("split: there are no records", "check the data before it");
  const auto larger = [](const ValueGroup& a, const ValueGroup& b) {
    return a.num_records < b.num_records;
  };
  const auto largest = static_cast<size_t>(
      std::max_element(components.begin(), components.end(), larger) - components.begin());
  std::vector<std::pair<uint64_t, size_t>> order;
  for (size_t i = 0; i < components.size(); ++i)
    if (i != largest)
      order.emplace_back(mix_key(static_cast<uint64_t>(config_.seed) ^ components[i].key, "split"),
                         i);
  std::sort(order.begin(), order.end());

  std::vector<Part> part_of(components.size(), Part::Train);
  const auto total = static_cast<double>(grouping_.num_records());
  std::array<int64_t, 3> counts{},
      wanted = {0, std::llround(config_.dev * total), std::llround(config_.test * total)};
  for (const auto& [ignored, i] : order)
    for (const Part part : {Part::Test, Part::Dev})
      if (const auto p = static_cast<size_t>(part);
          counts[p] + components[i].num_records <= wanted[p]) {
        counts[p] += components[i].num_records;
        part_of[i] = part;
        break;
      }
  for (size_t p = 1; p < 3; ++p)
    if (wanted[p] > 0 && counts[p] == 0)
      throw DataError(fmt::format("split: nothing is left for {}: by {} the {} records form {} "
                                  "components, the largest of {}",
                                  kPartNames[p],
                                  fmt::join(config_.by, ", "),
                                  grouping_.num_records(),
                                  components.size(),
                                  components[largest].num_records),
                      "split by a field that fewer records share, or set its share to 0");
  for (const auto& [value, place] : grouping_.places()) parts_[value] = part_of[place];
  log::info("split by shared values train={} dev={} test={} components={} largest={}",
            grouping_.num_records() - counts[1] - counts[2],
            counts[1],
            counts[2],
            components.size(),
            components[largest].num_records);
}

// Goes over the raw links and not over the components: a mistake there would show here.
void Split::audit() const {
  int64_t leaks = 0;
  for (const auto& [a, b] : grouping_.links()) leaks += parts_.at(a) != parts_.at(b) ? 1 : 0;
  if (leaks > 0)
    throw DataError(
        fmt::format("split: {} of {} links between values lead from one part into another",
                    leaks,
                    grouping_.links().size()));
}

Part Split::part_by_values(const Record& record) const {
  std::array<bool, 3> found{};
  for (const uint64_t value : values_of(record)) {
    const auto it = parts_.find(value);
    if (it == parts_.end())
      throw DataError(
          fmt::format("{}: split: this record holds a value that fitting did not see", record.id),
          "fit on the same data that are split");
    found[static_cast<size_t>(it->second)] = true;
  }
  if (found[0] + found[1] + found[2] > 1)
    throw DataError(
        fmt::format("{}: split: this record would leak: its values by {} stand in {}{}{}",
                    record.id,
                    fmt::join(config_.by, ", "),
                    found[0] ? "train " : "",
                    found[1] ? "dev " : "",
                    found[2] ? "test" : ""),
        "fit on the same data that are split");
  return found[0] ? Part::Train : found[1] ? Part::Dev : Part::Test;
}

void Split::apply(Record record, RecordSink& sink) {
  const Part part = config_.by.empty() ? part_by_id(record.id) : part_by_values(record);
  record.fields[config_.field] = name_of(part);
  sink.keep(std::move(record));
}

void Split::state(StateIo& io) {
  std::string text;
  if (!io.loading()) {
    std::vector<std::pair<uint64_t, Part>> sorted(parts_.begin(),
                                                  parts_.end());  // equal splits give equal bytes
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [value, part] : sorted)
      text += fmt::format("{:016x}{}", value, static_cast<int>(part));
  }
  io.text("parts", text);
  if (!io.loading()) return;
  parts_.clear();
  for (size_t at = 0; at < text.size(); at += kDigits) {
    uint64_t value = 0;
    const bool is_whole = at + kDigits <= text.size();
    if (!is_whole ||
        std::from_chars(text.data() + at, text.data() + at + 16, value, 16).ptr !=
            text.data() + at + 16 ||
        text[at + 16] < '0' || text[at + 16] > '2')
      throw DataError("split: the saved state is damaged");
    parts_[value] = static_cast<Part>(text[at + 16] - '0');
  }
}

void Split::Config::describe(Schema<Config>& schema) {
  schema.field(
      "by",
      &Config::by,
      "fields whose values may not be shared between the parts; empty: each record by its id");
  schema.field(
      "ignore_case", &Config::ignore_case, "values that differ in case only count as shared");
  schema.field("dev", &Config::dev, "share of the records for dev").range(0, 1);
  schema.field("test", &Config::test, "share of the records for test; train gets the rest")
      .range(0, 1);
  schema.field("seed", &Config::seed, "another seed, another choice");
  schema.field("field", &Config::field, "field that receives train, dev or test");
  schema.rule("dev + test < 1", "dev and test must leave something for train");
}

}  // namespace mortise::transform::split

MORTISE_PLUGIN("org.mortise.transform.split",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::split::Split>(
                   "split", "train, dev and test, by id or without shared values"));
