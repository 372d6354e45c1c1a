#include "mortise/safetensors.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/fixtures.hpp"

using namespace mortise;
namespace st = mortise::safetensors;

namespace {

std::string file_of(std::string header,
                    size_t data_bytes,
                    std::optional<uint64_t> length = std::nullopt) {
  const uint64_t claimed = length.value_or(header.size());
  std::string out(reinterpret_cast<const char*>(&claimed), 8);
  return out + header + std::string(data_bytes, '\x7f');
}

st::Header parse(const std::string& file) {
  return st::parse_header(std::as_bytes(std::span(file.data(), file.size())),
                          static_cast<int64_t>(file.size()),
                          "w.safetensors");
}

// Returns the message of the refusal, or "accepted".
std::string refusal(const std::string& file) {
  try {
    parse(file);
  } catch (const DataError& error) {
    return error.message();
  }
  return "accepted";
}

bool says(const std::string& message, std::string_view part) {
  INFO(message);
  const bool found =
      message.find(part) != std::string::npos && message.find("w.safetensors") != std::string::npos;
  CHECK_MESSAGE(found, "expected to find: " << std::string(part) << "\nin: " << message);
  return found;
}

std::string tensor(const char* name, const char* rest) {
  return fmt::format("\"{}\":{{{}}}", name, rest);
}

std::string one(const char* rest) { return "{" + tensor("a", rest) + "}"; }

}  // namespace

TEST_SUITE("sdk.safetensors") {
  TEST_CASE("a good header is read: scalars, empty tensors, metadata, padding") {
    const st::Header header = parse(file_of(
        R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[],"data_offsets":[8,10]},)"
        R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"e":{"dtype":"I64","shape":[0,3],"data_offsets":[10,10]}}    )",
        10));
    REQUIRE(header.entries.size() == 3);
    CHECK(header.entries[0].name == "a");
    CHECK(header.entries[1].shape.empty());
    CHECK(header.find("e")->bytes() == 0);
    CHECK(header.find("x") == nullptr);
    CHECK(header.metadata == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
  }

  TEST_CASE("a file too short for the length is refused") {
    says(refusal(""), "it has 0 bytes");
    says(refusal("1234567"), "it has 7 bytes");
  }

  TEST_CASE("a header larger than 100 MB is refused by its claim alone") {
    says(refusal(file_of("{}", 0, 100'000'001)), "claims a header of 100000001 bytes");
    says(refusal(file_of("{}", 0, 4ull << 30)), "claims a header of 4294967296 bytes");
    says(refusal(file_of("{}", 0, UINT64_MAX)), "claims a header of 18446744073709551615 bytes");
  }

  TEST_CASE("a header that runs past the end of the file is refused") {
    says(refusal(file_of("{}", 0, 3)),
         "ends inside its header: the header has 3 bytes, 2 are there");
    says(refusal(file_of("{}", 0, 99'999'999)), "ends inside its header");
  }

  TEST_CASE("a header that is not a JSON object is refused") {
    says(refusal(file_of("", 0)), "does not begin with {");
    says(refusal(file_of(" {}", 0)), "does not begin with {");
    says(refusal(file_of("[1]", 0)), "does not begin with {");
    says(refusal(file_of("{\"a\":", 0)), "invalid JSON");
    says(refusal(file_of("{}x", 0)), "invalid JSON");
    says(refusal(file_of("{\"\xff\":1}", 0)), "not UTF-8");
    says(refusal(file_of("{\"a\":" + std::string(5000, '['), 0)), "nesting");
  }

  TEST_CASE("a name that stands twice is refused") {
    const std::string t = tensor("a", R"("dtype":"U8","shape":[1],"data_offsets":[0,1])");
    says(refusal(file_of("{" + t + "," + t + "}", 1)), "the key \"a\" stands twice");
    says(refusal(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0)), "stands twice");
    std::string many = "{";
    for (int i = 0; i < 100; ++i)
      many += fmt::format(R"("t{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
    says(refusal(file_of(many + R"("t7":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0)),
         "the key \"t7\" stands twice");
  }

  TEST_CASE("metadata that is not text is refused") {
    says(refusal(file_of(R"({"__metadata__":{"step":3}})", 0)),
         "the value of \"step\" must be a string, got integer");
    says(refusal(file_of(R"({"__metadata__":"pt"})", 0)),
         "__metadata__: expected an object, got string");
  }

  TEST_CASE("a tensor's description is checked key by key") {
    says(refusal(file_of(R"({"a":7})", 0)), "tensor \"a\": expected an object, got integer");
    says(refusal(file_of(one(R"("shape":[1],"data_offsets":[0,1])"), 1)),
         "tensor \"a\": \"dtype\" is missing");
    says(refusal(file_of(one(R"("dtype":"U8","data_offsets":[0,1])"), 1)), "\"shape\" is missing");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[1])"), 1)), "\"data_offsets\" is missing");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1)"), 1)),
         "unknown key \"x\"");
    says(refusal(file_of(one(R"("dtype":"U8","shape":3,"data_offsets":[0,1])"), 1)),
         "shape: expected an array");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[-1],"data_offsets":[0,1])"), 1)),
         "shape: expected integers from 0");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[1.0],"data_offsets":[0,1])"), 1)),
         "shape: expected integers from 0");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[1],"data_offsets":[0,1,2])"), 1)),
         "expected two integers, got 3");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[1],"data_offsets":[1,0])"), 1)),
         "run backwards");
  }

  TEST_CASE("an unknown or unsupported dtype is refused by name") {
    says(refusal(file_of(one(R"("dtype":"F31","shape":[1],"data_offsets":[0,1])"), 1)),
         "unknown dtype \"F31\"");
    says(refusal(file_of(one(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])"), 4)),
         "unknown dtype \"f32\"");
    says(refusal(file_of(one(R"("dtype":"F4","shape":[2],"data_offsets":[0,1])"), 1)),
         "dtype F4 is not supported");
    says(refusal(file_of(one(R"("dtype":1,"shape":[2],"data_offsets":[0,1])"), 1)),
         "dtype: expected a string");
  }

  TEST_CASE("a size that does not match the shape is refused") {
    says(refusal(file_of(one(R"("dtype":"F32","shape":[2,2],"data_offsets":[0,8])"), 8)),
         "shape [2, 2] of F32 needs 16 bytes, data_offsets give it 8");
  }

  TEST_CASE("a shape whose size overflows is refused") {
    says(refusal(file_of(
             one(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0])"), 0)),
         "overflows 63 bits");
    says(refusal(file_of(one(R"("dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,0])"),
                         0)),
         "overflows 63 bits");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0])"),
                         0)),
         "expected integers from 0");
  }

  TEST_CASE("bytes outside the file are refused") {
    says(refusal(file_of(one(R"("dtype":"U8","shape":[9],"data_offsets":[0,9])"), 8)),
         "lie outside the file, whose data section has 8 bytes");
    says(
        refusal(file_of(
            one(R"("dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807])"),
            8)),
        "outside the file");
  }

  TEST_CASE("overlap, hole and trailing bytes are refused") {
    const auto two = [](const char* a, const char* b) {
      return "{" + tensor("a", a) + "," + tensor("b", b) + "}";
    };
    says(refusal(file_of(two(R"("dtype":"U8","shape":[4],"data_offsets":[0,4])",
                             R"("dtype":"U8","shape":[4],"data_offsets":[3,7])"),
                         7)),
         "tensor \"b\": its bytes [3, 7) overlap those of \"a\"");
    says(refusal(file_of(two(R"("dtype":"U8","shape":[4],"data_offsets":[0,4])",
                             R"("dtype":"U8","shape":[4],"data_offsets":[0,4])"),
                         4)),
         "overlap");
    says(refusal(file_of(two(R"("dtype":"U8","shape":[4],"data_offsets":[0,4])",
                             R"("dtype":"U8","shape":[2],"data_offsets":[6,8])"),
                         8)),
         "tensor \"b\": a hole of 2 bytes lies before it");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[2],"data_offsets":[2,4])"), 4)),
         "a hole of 2 bytes");
    says(refusal(file_of(one(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])"), 5)),
         "3 bytes follow the last tensor");
    says(refusal(file_of("{}", 1)), "1 bytes follow");
  }

  TEST_CASE(
      "what is written is read back, sorted by alignment and name, wherever it was written from") {
    const testing::TempDir dir;
    const std::string& folder = dir.path;
    const std::string path = folder + "/w.safetensors";
    {
      st::Writer writer(path,
                        {{"z", Dtype::U8, {3}},
                         {"b", Dtype::F32, {}},
                         {"a", Dtype::F32, {2}},
                         {"none", Dtype::F64, {0, 4}}});
      CHECK(writer.entries()[0].name == "none");
      CHECK(writer.entries()[1].name == "a");
      CHECK(writer.entries()[3].name == "z");
      const std::array<float, 3> numbers = {1, 2, 3};
      writer.write("z", std::as_bytes(std::span("xyz", 3)));
      writer.write({});
      CHECK_THROWS_WITH_AS(writer.write(std::as_bytes(std::span(numbers))),
                           doctest::Contains("\"a\": expected 8 bytes, got 12"),
                           Error);
      writer.write(std::as_bytes(std::span(numbers).first(2)));
      CHECK_THROWS_WITH_AS(writer.write("a", {}), doctest::Contains("was written before"), Error);
      CHECK_THROWS_WITH_AS(writer.write("q", {}), doctest::Contains("was not announced"), Error);
      CHECK_THROWS_WITH_AS(writer.commit(), doctest::Contains("3 of 4 tensors"), Error);
      writer.write("b", std::as_bytes(std::span(numbers).last(1)));
      writer.commit();
    }
    const st::File file = st::File::open(path);
    CHECK(file.header().data_begin % 8 == 0);
    CHECK(file.header().metadata.front().second == "pt");
    float b = 0;
    std::memcpy(&b, file.data(*file.header().find("b")).data(), 4);
    CHECK(b == 3);
    CHECK(std::memcmp(file.data(*file.header().find("z")).data(), "xyz", 3) == 0);
    CHECK(file.data(*file.header().find("none")).empty());
  }

  TEST_CASE("a writer refuses duplicate names and absurd shapes, and leaves no file") {
    const testing::TempDir dir;
    const std::string& folder = dir.path;
    CHECK_THROWS_WITH_AS(st::Writer(folder + "/a", {{"x", Dtype::U8, {1}}, {"x", Dtype::U8, {1}}}),
                         doctest::Contains("stands twice"),
                         Error);
    CHECK_THROWS_WITH_AS(st::Writer(folder + "/a", {{"x", Dtype::F32, {int64_t{1} << 62}}}),
                         doctest::Contains("overflows"),
                         Error);
    CHECK_THROWS_WITH_AS(
        st::Writer(folder + "/a", {{"x", Dtype::F32, {-1}}}), doctest::Contains("negative"), Error);
    { st::Writer abandoned(folder + "/a", {{"x", Dtype::U8, {1}}}); }
    CHECK(std::filesystem::is_empty(folder));
  }

  TEST_CASE("a file of the reference library is read") {
    const st::File file =
        st::File::open(MORTISE_SOURCE_DIR "/tests/golden/llama/tied_mha/model.safetensors");
    CHECK(file.header().find("model.embed_tokens.weight") != nullptr);
    CHECK(file.header().metadata.front() == std::pair<std::string, std::string>("format", "pt"));
  }

  TEST_CASE("a missing file is an input/output error that names it") {
    CHECK_THROWS_WITH_AS(st::File::open("/nowhere/w.safetensors"),
                         doctest::Contains("cannot open /nowhere/w.safetensors"),
                         Error);
  }
}
