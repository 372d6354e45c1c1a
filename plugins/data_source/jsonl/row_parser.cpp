// simdjson's DOM parser on one line at a time: its many-documents mode gives up a whole batch for
// one bad byte. What it refuses is parsed again by the SDK's parser, which either knows better
// (integers beyond 64 bits) or says where and why.
#include "row_parser.hpp"

#include <unordered_set>

#include <simdjson.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

namespace mortise::data_source::jsonl {

namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxDepth = 200;  // that of parse_json
constexpr size_t kFewKeys = 24;    // up to here a look-up by comparing is faster than a set

struct RepeatedKey {};

void check_unique(const Value::Table& table) {
  if (table.size() <= kFewKeys) {
    for (size_t i = 1; i < table.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (table[i].first == table[k].first) throw RepeatedKey();
    return;
  }
  std::unordered_set<std::string_view> seen;
  for (const auto& member : table)
    if (!seen.insert(member.first).second) throw RepeatedKey();
}

Value to_value(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::STRING:
      return std::string_view(element.get_string().value_unsafe());
    case dom::element_type::INT64:
      return static_cast<int64_t>(element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return static_cast<double>(element.get_uint64().value_unsafe());  // above int64 only
    case dom::element_type::DOUBLE:
      return element.get_double().value_unsafe();
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe();
    case dom::element_type::NULL_VALUE:
      return Value();
    case dom::element_type::ARRAY: {
      const dom::array items = element.get_array().value_unsafe();
      Value::Array out;
      out.reserve(items.size());
      for (const dom::element item : items) out.push_back(to_value(item));
      return out;
    }
    case dom::element_type::OBJECT: {
      const dom::object members = element.get_object().value_unsafe();
      Value::Table out;
      out.reserve(members.size());
      for (const auto& member : members)
        out.emplace_back(std::string(member.key), to_value(member.value));
      check_unique(out);
      return out;
    }
  }
  return Value();
}

// Parses slowly; an error gets the number of the line in place of the 1 that a single line has.
Value parse_slowly(std::string_view line, std::string_view name, int64_t number) {
  try {
    return parse_json(line, "");
  } catch (const DataError& error) {
    std::string_view rest = error.message();
    if (rest.starts_with(":1:")) rest.remove_prefix(2);
    throw DataError(fmt::format("{}:{}{}", name, number, rest),
                    "repair the line, or set bad_rows = \"skip\"");
  }
}

}  // namespace

struct RowParser::Impl {
  dom::parser parser;
};

RowParser::RowParser() : impl_(std::make_unique<Impl>()) {
  if (impl_->parser.allocate(1 << 16, kMaxDepth) != simdjson::SUCCESS) throw std::bad_alloc();
}

RowParser::~RowParser() = default;

bool RowParser::parse(std::string_view line, std::string_view name, int64_t number, Value& row) {
  dom::element root;
  auto error = impl_->parser.parse(line.data(), line.size(), /*realloc_if_needed=*/false).get(root);
  bool is_repeated = false;
  if (error == simdjson::SUCCESS) {
    try {
      row = to_value(root);
    } catch (const RepeatedKey&) {
      is_repeated = true;  // the slow parser names the key
    }
  }
  if (error != simdjson::SUCCESS || is_repeated) {
    if (!pytext::is_valid_utf8(line)) return false;
    row = parse_slowly(line, name, number);
  }
  if (!row.is_table())
    throw DataError(
        fmt::format("{}:{}: expected an object, got {}", name, number, kind_name(row.kind())),
        "every line must be one JSON object, such as {\"text\": \"…\"}");
  return true;
}

}  // namespace mortise::data_source::jsonl
