#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/transform.hpp>

struct Counter final : mortise::RecordSink {
  void keep(mortise::Record) override { ++kept; }
  void drop(const mortise::Record&, std::string_view) override { ++dropped; }
  int kept = 0, dropped = 0;
};

TEST_CASE("a short text is dropped") {
  const auto transform = mortise::testing::make<mortise::Transform>("@NAME@", {}, {{"min_bytes", 3}});
  Counter counter;
  for (const char* text : {"ab", "abc"}) {
    mortise::Record record;
    record.fields["text"] = text;
    transform->apply(record, counter);
  }
  CHECK(counter.kept == 1);
  CHECK(counter.dropped == 1);
}
