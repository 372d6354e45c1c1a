// @NAME@: one safetensors file under another name.
#include <mortise/plugin.hpp>
#include <mortise/safetensors.hpp>
#include <mortise/weight_format.hpp>

#include <filesystem>

namespace {

constexpr const char* kFile = "/weights.@NAME@";

struct Reader final : mortise::WeightReader {
  explicit Reader(const std::string& path) : file(mortise::safetensors::File::open(path)) {
    for (const auto& entry : file.header().entries) list.push_back({entry.name, entry.dtype, entry.shape, entry.bytes()});
  }
  const std::vector<mortise::StoredTensor>& tensors() const override { return list; }
  std::span<const std::byte> data(size_t index) const override { return file.data(file.header().entries.at(index)); }
  mortise::safetensors::File file;
  std::vector<mortise::StoredTensor> list;
};

struct Writer final : mortise::WeightWriter {
  Writer(const std::string& path, const std::vector<mortise::StoredTensor>& tensors) : planned(tensors), writer(path, entries(tensors)) {}
  static std::vector<mortise::safetensors::Entry> entries(const std::vector<mortise::StoredTensor>& tensors) {
    std::vector<mortise::safetensors::Entry> out;
    for (const auto& tensor : tensors) out.push_back({tensor.name, tensor.dtype, tensor.shape});
    return out;
  }
  void write(std::span<const std::byte> bytes) override { writer.write(planned.at(next++).name, bytes); }
  void commit() override { writer.commit(); }
  std::vector<mortise::StoredTensor> planned;
  size_t next = 0;
  mortise::safetensors::Writer writer;
};

}  // namespace

struct @CLASS@ final : mortise::WeightFormat {
  bool recognises(const std::string& directory) const override { return std::filesystem::exists(directory + kFile); }
  std::unique_ptr<mortise::WeightReader> open(const std::string& directory) const override { return std::make_unique<Reader>(directory + kFile); }
  std::unique_ptr<mortise::WeightWriter> create(const std::string& directory, std::vector<mortise::StoredTensor> tensors) const override {
    return std::make_unique<Writer>(directory + kFile, tensors);
  }
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one safetensors file, weights.@NAME@"));
