// Contract of `transform`: deterministic, never loses a record silently, survives odd records,
// resumes from its state.
#include "mortise/transform.hpp"

#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "suites.hpp"
#include "texts.hpp"

namespace mortise::conform {

namespace {

// Writes down what comes out, as text that can be compared.
class Notebook final : public RecordSink {
 public:
  void keep(Record record) override {
    lines.push_back("keep " + record.id + " " + to_json(record.fields));
  }

  void drop(const Record& record, std::string_view reason) override {
    MORTISE_EXPECT(
        !reason.empty() && reason.size() <= 40 && reason.find('\n') == std::string_view::npos,
        "the reason \"{}\" is no short word",
        reason);
    lines.push_back(fmt::format("drop {} {}", record.id, reason));
  }

  std::vector<std::string> lines;
};

std::vector<Record> records() {
  std::vector<Record> out;
  const auto add = [&](std::string text) {
    Record record;
    record.id = fmt::format("row:{}", out.size());
    record.fields["text"] = text;
    record.fields["prompt"] = "say: " + text;
    record.fields["response"] = text;
    record.fields["split"] = out.size() % 3 == 0 ? "test" : "train";
    out.push_back(std::move(record));
  };
  for (const std::string& text : valid_texts()) add(text);
  for (const std::string& text : corpus()) add(text);
  add("the same row twice");
  add("the same row twice");
  return out;
}

void fit(Transform& transform, const std::vector<Record>& rows) {
  if (!transform.traits().needs_fit) return;
  for (const Record& row : rows) transform.fit(row);
  transform.finish_fit();
}

std::vector<std::string> apply_all(Transform& transform,
                                   const std::vector<Record>& rows,
                                   size_t begin = 0) {
  Notebook notebook;
  for (size_t i = begin; i < rows.size(); ++i) transform.apply(rows[i], notebook);
  return notebook.lines;
}

void deterministic(Factory& f) {
  const auto rows = records();
  const auto one = make<Transform>(f), two = make<Transform>(f);
  fit(*one, rows);
  fit(*two, rows);
  MORTISE_EXPECT(apply_all(*one, rows) == apply_all(*two, rows),
                 "two instances give other results for the same records");
}

void per_row_is_true(Factory& f) {
  const auto rows = records();
  const auto transform = make<Transform>(f), alone = make<Transform>(f);
  if (!transform->traits().per_row || transform->traits().global) skip("it does not claim per_row");
  fit(*transform, rows);
  fit(*alone, rows);
  const auto whole = apply_all(*transform, rows);
  std::vector<std::string> backwards;
  for (size_t i = rows.size(); i-- > 0;) {
    Notebook notebook;
    alone->apply(rows[i], notebook);
    backwards.insert(backwards.begin(), notebook.lines.begin(), notebook.lines.end());
  }
  MORTISE_EXPECT(whole == backwards,
                 "it claims per_row, but a record's result depends on the records before it");
}

void odd_records(Factory& f) {
  const auto transform = make<Transform>(f);
  std::vector<Record> rows(3);
  rows[0].id = "no fields";
  rows[1].id = "text is a number";
  rows[1].fields["text"] = 7;
  rows[2].id = "text is a table";
  rows[2].fields["text"] = Value::table();
  for (const Record& row : rows) {
    Notebook notebook;
    try {
      if (transform->traits().needs_fit) transform->fit(row);
      transform->apply(row, notebook);
    } catch (const Error& error) {
      MORTISE_EXPECT(std::string(error.what()).find(row.id) != std::string::npos,
                     "an error does not name the record \"{}\": {}",
                     row.id,
                     error.message());
    }
  }
}

void restores(Factory& f) {
  const auto rows = records();
  const size_t half = rows.size() / 2;
  const auto one = make<Transform>(f);
  fit(*one, rows);
  apply_all(*one, {rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(half)});
  testing::MemoryState state;
  one->state(state);
  state.rewind();
  const auto two = make<Transform>(f);
  two->state(state);
  MORTISE_EXPECT(apply_all(*one, rows, half) == apply_all(*two, rows, half),
                 "after its state was restored it goes on otherwise");
}

}  // namespace

Suite transform_suite() {
  return {"transform",
          args<Transform>,
          {{"is deterministic", deterministic},
           {"a per-row transform depends on its record alone", per_row_is_true},
           {"takes odd records or names them in its error", odd_records},
           {"a restored state goes on equally", restores}}};
}

}  // namespace mortise::conform
