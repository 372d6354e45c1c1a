// Contract of `weight_format`: what is written is read back byte for byte; an unfinished write
// leaves the old file; a truncated file is an error.
#include "mortise/weight_format.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "suites.hpp"

namespace mortise::conform {

namespace fs = std::filesystem;

namespace {

std::vector<StoredTensor> plan() {
  std::vector<StoredTensor> tensors = {{"model.embed_tokens.weight", Dtype::F32, {16, 8}, 0},
                                       {"model.norm.weight", Dtype::BF16, {8}, 0},
                                       {"scalar", Dtype::F32, {}, 0},
                                       {"empty", Dtype::F16, {0, 4}, 0},
                                       {"codes", Dtype::U8, {3, 5}, 0}};
  for (StoredTensor& tensor : tensors) {
    tensor.bytes = dtype_bits(tensor.dtype) / 8;
    for (const int64_t size : tensor.shape) tensor.bytes *= size;
  }
  return tensors;
}

std::vector<std::byte> bytes_of(const StoredTensor& tensor, int salt) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes));
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(
        (i * 31 + tensor.name.size() * 7 + static_cast<size_t>(salt)) & 0xff);
  return bytes;
}

void write(const WeightFormat& format, const std::string& directory, int salt) {
  const auto writer = format.create(directory, plan());
  for (const StoredTensor& tensor : plan()) writer->write(bytes_of(tensor, salt));
  writer->commit();
}

void expect_content(const WeightFormat& format, const std::string& directory, int salt) {
  const auto reader = format.open(directory);
  MORTISE_EXPECT_EQ(reader->tensors().size(), plan().size(), "the number of tensors changed");
  for (const StoredTensor& wanted : plan()) {
    const auto& all = reader->tensors();
    const auto it = std::find_if(
        all.begin(), all.end(), [&](const StoredTensor& t) { return t.name == wanted.name; });
    MORTISE_EXPECT(it != all.end(), "the tensor {} is gone", wanted.name);
    MORTISE_EXPECT(
        it->dtype == wanted.dtype && it->shape == wanted.shape && it->bytes == wanted.bytes,
        "{} has another dtype or shape",
        wanted.name);
    const auto data = reader->data(static_cast<size_t>(it - all.begin()));
    const auto expected = bytes_of(wanted, salt);
    MORTISE_EXPECT(std::equal(data.begin(), data.end(), expected.begin(), expected.end()),
                   "{} has other bytes",
                   wanted.name);
  }
}

std::string folder_of(Factory& f) {
  const std::string directory = f.scratch() + "/weights";
  fs::create_directories(directory);
  return directory;
}

void round_trip(Factory& f) {
  const auto format = make<WeightFormat>(f);
  const std::string directory = folder_of(f);
  MORTISE_EXPECT(!format->recognises(directory), "an empty folder is recognised");
  write(*format, directory, 1);
  MORTISE_EXPECT(format->recognises(directory), "its own folder is not recognised");
  expect_content(*format, directory, 1);
}

void unfinished(Factory& f) {
  const auto format = make<WeightFormat>(f);
  const std::string directory = folder_of(f);
  write(*format, directory, 1);
  {
    const auto writer = format->create(directory, plan());
    writer->write(bytes_of(plan()[0], 2));
  }
  expect_content(*format, directory, 1);
  write(*format, directory, 3);
  expect_content(*format, directory, 3);
}

void truncated(Factory& f) {
  const auto format = make<WeightFormat>(f);
  const std::string directory = folder_of(f);
  write(*format, directory, 1);
  fs::path largest;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && (largest.empty() || entry.file_size() > fs::file_size(largest)))
      largest = entry.path();
  for (const uintmax_t size : {fs::file_size(largest) - 1, uintmax_t{9}, uintmax_t{0}}) {
    fs::resize_file(largest, size);
    MORTISE_EXPECT_ERROR(format->open(directory),
                         fmt::format("{} cut to {} bytes", largest.filename().string(), size));
  }
}

void wrong_folder(Factory& f) {
  const auto format = make<WeightFormat>(f);
  MORTISE_EXPECT(!format->recognises(f.scratch() + "/absent"), "a missing folder is recognised");
  MORTISE_EXPECT_ERROR(format->open(f.scratch() + "/absent"), "opening a missing folder");
}

void wrong_amount(Factory& f) {
  const auto format = make<WeightFormat>(f);
  const auto writer = format->create(folder_of(f), plan());
  const auto too_few = [&] {
    for (const StoredTensor& tensor : plan()) {
      auto bytes = bytes_of(tensor, 1);
      if (!bytes.empty()) bytes.pop_back();
      writer->write(bytes);
    }
    writer->commit();
  };
  MORTISE_EXPECT_ERROR(too_few(), "writing fewer bytes than planned");
}

}  // namespace

Suite weight_format_suite() {
  return {"weight_format",
          args<WeightFormat>,
          {{"reads back what it wrote, byte for byte", round_trip},
           {"an unfinished write leaves the old weights", unfinished},
           {"a truncated file is an error", truncated},
           {"a folder without weights is an error", wrong_folder},
           {"fewer bytes than planned are an error", wrong_amount}}};
}

}  // namespace mortise::conform
