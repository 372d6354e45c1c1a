// Schema sanity, fuzzed configurations at the C boundary, and the life cycle of one component.
//
// The host validates a table before a component sees it, so a wrong table reaches create() only
// through a bug; it must then be an error with a message, never a crash.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <set>

#include <fmt/format.h>
#include <malloc.h>

#include "mortise/component.hpp"
#include "mortise/error.hpp"

#include "core/conform/checks.hpp"
#include "core/plugin/catalog.hpp"

namespace mortise::core {

namespace {

using conform::Factory;

// Interfaces derive from Component alone and first, so a void* to one is a Component*.
using Object = std::unique_ptr<Component>;

struct Life {
  Factory& factory;
  const conform::Suite& suite;

  Object make(const Value& config) const {
    return Object(static_cast<Component*>(factory.create(config, suite.example_args(factory))));
  }

  // Makes the component with the factory's own table; a table that cannot be completed here is no
  // fault of the plugin.
  Object make_default() const {
    try {
      return make(factory.config());
    } catch (const Error& error) {
      const auto& fields = factory.schema().fields;
      const bool is_asked =
          std::any_of(fields.begin(), fields.end(), [](const FieldInfo& f) { return f.required; });
      if (is_asked && factory.example().is_null())
        conform::skip(fmt::format(
            "needs parameters that only its author knows: give [{}.config] in conform.toml ({})",
            factory.name(),
            error.message()));
      throw;
    }
  }

  // A table is accepted, or refused with a message.  Anything else escapes as a crash or a foreign
  // exception.
  void make_or_refuse(const Value& config, const std::string& what) const {
    try {
      make(config);
    } catch (const Error& error) {
      MORTISE_EXPECT(!error.message().empty(), "{}: refused without a message", what);
    }
  }
};

bool is_of_type(const FieldInfo& field, const Value& value) {
  switch (field.type) {
    case FieldType::Bool:
      return value.is_bool();
    case FieldType::Int:
      return value.is_int();
    case FieldType::Float:
      return value.is_number();
    case FieldType::String:
      return value.is_string();
    case FieldType::Array:
      return value.is_array();
    case FieldType::Map:
    case FieldType::Table:
    case FieldType::Component:
      return value.is_table();
    case FieldType::Any:
      return true;
  }
  return false;
}

void check_default(const FieldInfo& field, const std::string& path) {
  const Value& value = field.default_value;
  if (value.is_null()) return;
  MORTISE_EXPECT(is_of_type(field, value),
                 "the default of {} is a {}, its type is {}",
                 path,
                 kind_name(value.kind()),
                 field_type_name(field.type));
  if (value.is_number() && field.min)
    MORTISE_EXPECT(
        field.min_excluded ? value.as_float() > *field.min : value.as_float() >= *field.min,
        "the default of {} is below its range",
        path);
  if (value.is_number() && field.max)
    MORTISE_EXPECT(value.as_float() <= *field.max, "the default of {} is above its range", path);
  if (!field.choices.empty() && !value.is_array())
    MORTISE_EXPECT(
        std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end(),
        "the default of {} is none of its choices",
        path);
}

void check_fields(const std::vector<FieldInfo>& fields, const std::string& prefix) {
  std::set<std::string> names;
  for (const FieldInfo& field : fields) {
    const std::string path = prefix + field.name;
    MORTISE_EXPECT(!field.name.empty() && names.insert(field.name).second,
                   "the parameter \"{}\" is empty or stands twice",
                   path);
    MORTISE_EXPECT(!prefix.empty() || field.name != "type",
                   "a parameter may not be called type: a recipe names the component with it");
    MORTISE_EXPECT(!field.doc.empty(), "the parameter {} has no doc", path);
    MORTISE_EXPECT(
        !field.min || !field.max || *field.min <= *field.max, "the range of {} is empty", path);
    MORTISE_EXPECT(
        !field.required || field.default_value.is_null(), "{} is required and has a default", path);
    check_default(field, path);
    check_fields(field.nested, path + ".");
  }
  for (const FieldInfo& field : fields)
    MORTISE_EXPECT(field.renamed_from.empty() || names.count(field.renamed_from) == 0,
                   "{} is renamed from {}, which still exists",
                   prefix + field.name,
                   field.renamed_from);
}

Value wrong_for(const FieldInfo& field) {
  if (field.type == FieldType::String) return 7;
  if (field.type == FieldType::Table || field.type == FieldType::Map ||
      field.type == FieldType::Component)
    return "not a table";
  return Value::table();
}

void fuzz_bounds(const Life& life) {
  life.make_default();
  const auto try_value = [&](const FieldInfo& field, const Value& value) {
    Value config = life.factory.config();
    config[field.name] = value;
    life.make_or_refuse(config, fmt::format("{} at a bound", field.name));
  };
  for (const FieldInfo& field : life.factory.schema().fields) {
    const bool is_int = field.type == FieldType::Int;
    if (!is_int && field.type != FieldType::Float) continue;
    for (const std::optional<double>& bound : {field.min, field.max}) {
      if (!bound || std::fabs(*bound) > 1e6)
        continue;  // a huge bound would ask for a huge allocation
      for (const double step : {-1.0, 0.0, 1.0}) {
        if (is_int)
          try_value(field, static_cast<int64_t>(*bound + step));
        else
          try_value(field, std::nextafter(*bound, *bound + step));
      }
    }
  }
}

void fuzz_types(const Life& life) {
  life.make_default();
  for (const FieldInfo& field : life.factory.schema().fields) {
    if (field.type == FieldType::Any) continue;
    Value config = life.factory.config();
    config[field.name] = wrong_for(field);
    bool is_refused = false;
    try {
      life.make(config);
    } catch (const Error& error) {
      is_refused = !error.message().empty();
    }
    // A component slot is read when it is used, so a wrong one may come out later.
    MORTISE_EXPECT(is_refused || field.type == FieldType::Component,
                   "{} = {} of a wrong type is taken without an error",
                   field.name,
                   kind_name(wrong_for(field).kind()));
  }
}

void fuzz_unknown(const Life& life) {
  Value config = life.factory.config();
  config["no_such_parameter"] = 1;
  life.make_default();
  life.make_or_refuse(config, "an unknown key");
}

Value random_value(const FieldInfo& field, std::mt19937_64& random) {
  if (!field.choices.empty() && field.type != FieldType::Array)
    return field.choices[random() % field.choices.size()];
  if (field.type == FieldType::Bool) return random() % 2 == 0;
  const double low = field.min.value_or(0),
               high = std::min(field.max.value_or(low + 64), low + 1e4);
  const double point = low + (high - low) * (static_cast<double>(random() >> 11) * 0x1p-53);
  if (field.type == FieldType::Int) return static_cast<int64_t>(point);
  if (field.type == FieldType::Float) return point;
  return field.default_value;
}

void fuzz_random(const Life& life) {
  life.make_default();
  std::mt19937_64 random(life.factory.seed());
  for (int round = 0; round < 64; ++round) {
    Value config = life.factory.config();
    for (const FieldInfo& field : life.factory.schema().fields)
      if (random() % 3 == 0)
        if (const Value value = random_value(field, random); !value.is_null())
          config[field.name] = value;
    life.make_or_refuse(config, fmt::format("random table {}", round));
  }
}

// A lost block is at least 32 bytes (the smallest that malloc hands out), so fifty objects that
// lose one each show 1,600.  Noise goes both ways: caches fill and empty, and malloc counts what
// its thread cache holds back as used (some 800 bytes were seen).  So the line is drawn at three
// quarters, and the calmest round counts.
void hundred_times(const Life& life) {
  constexpr size_t kObjects = 50, kAllowed = kObjects * 32 * 3 / 4;
  constexpr int kRounds = 5;
  const auto grow = [&] {
    const size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < kObjects; ++i) life.make(life.factory.config());
    const size_t after = mallinfo2().uordblks;
    return after > before ? after - before : 0;
  };
  life.make_default();
  grow();
  size_t leaked = grow();
  for (int round = 1; round < kRounds; ++round) leaked = std::min(leaked, grow());
  MORTISE_EXPECT(leaked < kAllowed,
                 "{} objects made and destroyed left {} bytes on the heap",
                 kObjects,
                 leaked);
}

void two_are_independent(const Life& life) {
  Object first = life.make_default(), second = life.make_default();
  MORTISE_EXPECT(first.get() != second.get(), "two components are the same object");
  first.reset();
  MORTISE_EXPECT(second->query("no.such.extension/1") == nullptr,
                 "an unknown extension is answered");
  life.make_default();
}

}  // namespace

std::vector<NamedCheck> component_checks(Factory& factory,
                                         const conform::Suite& suite,
                                         const std::string& prefix) {
  const Life life{factory, suite};
  const std::pair<const char*, void (*)(const Life&)> all[] = {
      {"is made from its defaults", [](const Life& l) { l.make_default(); }},
      {"takes or refuses each bound", fuzz_bounds},
      {"refuses a wrong type with a message", fuzz_types},
      {"survives an unknown key", fuzz_unknown},
      {"survives random tables", fuzz_random},
      {"is made and destroyed a hundred times without growing", hundred_times},
      {"two of it are independent", two_are_independent},
  };
  std::vector<NamedCheck> checks;
  checks.push_back(
      {prefix + "its schema is sound", [&factory] { check_fields(factory.schema().fields, ""); }});
  for (const auto& [name, run] : all)
    checks.push_back({prefix + name, [life, run = run] { run(life); }});
  return checks;
}

}  // namespace mortise::core
