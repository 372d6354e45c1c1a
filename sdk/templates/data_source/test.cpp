#include <doctest/doctest.h>
#include <mortise/data_source.hpp>
#include <mortise/testing.hpp>

TEST_CASE("every line is a record") {
  const auto source = mortise::testing::make<mortise::DataSource>("@NAME@", {}, {{"path", std::string(MORTISE_SOURCE_DIR "/README.md")}});
  mortise::Record record;
  REQUIRE(source->next(record));
  CHECK(record.fields.at("text").as_string() == "# @NAME@");
}
