// Contract of `data_source`: the same records in the same order every time, shards that partition,
// a cursor that resumes. The data comes from [NAME.config] of conform.toml.
#include "mortise/data_source.hpp"

#include <set>

#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "suites.hpp"

namespace mortise::conform {

namespace {

constexpr size_t kLimit = 2000;  // records looked at

std::string text_of(const Record& record) { return record.id + " " + to_json(record.fields); }

std::vector<std::string> read_all(DataSource& source, size_t limit = kLimit) {
  std::vector<std::string> out;
  for (Record record; out.size() < limit && source.next(record);) out.push_back(text_of(record));
  return out;
}

void rewinds(Factory& f) {
  const auto source = make<DataSource>(f);
  const auto first = read_all(*source);
  MORTISE_EXPECT(!first.empty(), "there is no record in the example data");
  source->rewind();
  MORTISE_EXPECT(first == read_all(*source), "after rewind() other records come");
  MORTISE_EXPECT(first == read_all(*make<DataSource>(f)), "a second reader gives other records");
}

void ids_are_unique(Factory& f) {
  const auto source = make<DataSource>(f);
  std::set<std::string> ids;
  size_t count = 0;
  for (Record record; count < kLimit && source->next(record); ++count)
    MORTISE_EXPECT(!record.id.empty() && ids.insert(record.id).second,
                   "the id \"{}\" is empty or comes twice",
                   record.id);
}

void shards_partition(Factory& f) {
  const auto whole = read_all(*make<DataSource>(f));
  for (const int64_t shards : {2, 3, 7}) {
    std::vector<std::vector<std::string>> parts;
    for (int64_t shard = 0; shard < shards; ++shard)
      parts.push_back(read_all(*make<DataSource>(f, {shard, shards})));
    for (size_t i = 0; i < whole.size(); ++i) {
      const auto& part = parts[i % static_cast<size_t>(shards)];
      const size_t at = i / static_cast<size_t>(shards);
      MORTISE_EXPECT(at < part.size() && part[at] == whole[i],
                     "record {} is not in its place in shard {} of {}",
                     i,
                     i % static_cast<size_t>(shards),
                     shards);
    }
  }
}

void resumes(Factory& f) {
  const auto whole = read_all(*make<DataSource>(f));
  for (const size_t cut : {size_t{0}, size_t{1}, whole.size() / 2, whole.size()}) {
    const auto one = make<DataSource>(f);
    read_all(*one, cut);
    testing::MemoryState state;
    one->state(state);
    state.rewind();
    const auto two = make<DataSource>(f);
    two->state(state);
    const auto rest = read_all(*two, whole.size() - cut);
    MORTISE_EXPECT(std::equal(rest.begin(),
                              rest.end(),
                              whole.begin() + static_cast<std::ptrdiff_t>(cut),
                              whole.end()),
                   "after resuming at record {} other records come",
                   cut);
  }
}

void reports(Factory& f) {
  const auto source = make<DataSource>(f);
  const auto known = source->size();
  const auto records = read_all(*source, size_t{1} << 20);
  MORTISE_EXPECT_EQ(source->report().records,
                    static_cast<int64_t>(records.size()),
                    "report().records is not what was read");
  if (known)
    MORTISE_EXPECT_EQ(*known, static_cast<int64_t>(records.size()), "size() is not what was read");
}

void fingerprint_is_stable(Factory& f) {
  const std::string one = make<DataSource>(f)->fingerprint();
  MORTISE_EXPECT(!one.empty(), "the fingerprint is empty");
  MORTISE_EXPECT_EQ(one, make<DataSource>(f)->fingerprint(), "equal data have two fingerprints");
}

}  // namespace

Suite data_source_suite() {
  return {"data_source",
          args<DataSource>,
          {{"reads the same records every time", rewinds},
           {"gives every record an id of its own", ids_are_unique},
           {"its shards partition the records", shards_partition},
           {"resumes at any record", resumes},
           {"counts what it read", reports},
           {"has a stable fingerprint", fingerprint_is_stable}}};
}

}  // namespace mortise::conform
