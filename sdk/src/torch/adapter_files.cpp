// PEFT's folder: adapter_config.json and adapter_model.safetensors.
#include <cstring>
#include <filesystem>
#include <map>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"
#include "mortise/torch/adapter_tools.hpp"

namespace mortise {

namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "/adapter_config.json";
constexpr const char* kWeights = "/adapter_model.safetensors";
constexpr size_t kMostListed = 8;

struct TypePair {
  Dtype file;
  at::ScalarType tensor;
};

constexpr TypePair kTypes[] = {{Dtype::F32, at::kFloat},
                               {Dtype::BF16, at::kBFloat16},
                               {Dtype::F16, at::kHalf},
                               {Dtype::F64, at::kDouble}};

Dtype file_type(at::ScalarType type) {
  for (const TypePair& pair : kTypes)
    if (pair.tensor == type) return pair.file;
  throw Error(Code::Usage, "an adapter's tensors are fp32, bf16, fp16 or fp64");
}

at::Tensor read_tensor(const safetensors::File& file, const safetensors::Entry& entry) {
  for (const TypePair& pair : kTypes) {
    if (pair.file != entry.dtype) continue;
    at::Tensor tensor = at::empty(entry.shape, pair.tensor);
    const std::span<const std::byte> bytes = file.data(entry);
    std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    return tensor;
  }
  throw DataError(fmt::format("{} has an element type that is no weight", entry.name));
}

void append(std::string& text, const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  text += fmt::format("\n  {} ({}):", title, lines.size());
  for (size_t i = 0; i < std::min(lines.size(), kMostListed); ++i) text += "\n    " + lines[i];
  if (lines.size() > kMostListed)
    text += fmt::format("\n    … and {} more", lines.size() - kMostListed);
}

/// Compares names and shapes.  Throws: DataError with all differences.
void check_fit(const std::vector<AdapterTensor>& wanted,
               const safetensors::Header& header,
               const std::string& directory) {
  std::map<std::string, const safetensors::Entry*> stored;
  for (const safetensors::Entry& entry : header.entries) stored.emplace(entry.name, &entry);
  std::vector<std::string> missing, misshapen, unexpected;
  for (const AdapterTensor& tensor : wanted) {
    const auto found = stored.find(tensor.name);
    if (found == stored.end()) {
      missing.push_back(
          fmt::format("{} [{}]", tensor.name, fmt::join(tensor.tensor.sizes(), ", ")));
      continue;
    }
    if (tensor.tensor.sizes() != at::IntArrayRef(found->second->shape))
      misshapen.push_back(fmt::format("{}: this model needs [{}], the file has [{}]",
                                      tensor.name,
                                      fmt::join(tensor.tensor.sizes(), ", "),
                                      fmt::join(found->second->shape, ", ")));
    stored.erase(found);
  }
  for (const auto& [name, entry] : stored)
    unexpected.push_back(fmt::format("{} [{}]", name, fmt::join(entry->shape, ", ")));
  std::string text;
  append(text, "missing", missing);
  append(text, "unexpected", unexpected);
  append(text, "misshapen", misshapen);
  if (text.empty()) return;
  throw DataError(
      fmt::format("the adapter in {} was made for another base model:{}", directory, text),
      "use the base that it was trained on (base_model_name_or_path in its "
      "adapter_config.json)");
}

}  // namespace

Value read_adapter_config(const std::string& directory) {
  const std::string file = directory + kConfig;
  if (!fs::exists(file))
    throw DataError(fmt::format("{} is no adapter: it has no adapter_config.json", directory),
                    "give a folder that `export` or PEFT's save_pretrained wrote");
  Value config = parse_json(read_file(file), file);
  if (!config.is_table() || config.get("peft_type", "").empty())
    throw DataError(fmt::format("{} names no peft_type", file));
  return config;
}

void save_adapter(Adapter& adapter, const std::string& directory, const std::string& base) {
  const at::NoGradGuard no_grad;
  const std::vector<AdapterTensor> tensors = adapter.file_tensors();
  MORTISE_CHECK(!tensors.empty(),
                "this adapter keeps nothing beside the base weights: export the model");
  if (fs::exists(directory) && !fs::is_empty(directory))
    throw Error(Code::Usage,
                fmt::format("{} exists and is not empty: an export overwrites nothing", directory));
  const std::string part = directory + ".part";
  fs::remove_all(part);
  fs::create_directories(part);
  std::vector<safetensors::Entry> entries;
  for (const AdapterTensor& tensor : tensors)
    entries.push_back({tensor.name,
                       file_type(tensor.tensor.scalar_type()),
                       tensor.tensor.sizes().vec(),
                       0,
                       static_cast<int64_t>(tensor.tensor.nbytes())});
  safetensors::Writer writer(part + kWeights, safetensors::lay_out(std::move(entries)));
  for (const AdapterTensor& tensor : tensors) {
    const at::Tensor dense = tensor.tensor.detach().cpu().contiguous();
    writer.write(tensor.name,
                 {static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()});
  }
  writer.commit();
  write_file(part + kConfig, to_json(adapter.file_config(base), 2) + "\n");
  fs::remove(directory);  // when it is there it is empty
  fs::rename(part, directory);
}

void load_adapter(Adapter& adapter, const std::string& directory) {
  const at::NoGradGuard no_grad;
  const safetensors::File file = safetensors::File::open(directory + kWeights);
  const std::vector<AdapterTensor> tensors = adapter.file_tensors();
  for (const AdapterTensor& tensor : tensors)
    if (tensor.is_computed)
      throw Error(
          Code::Usage,
          fmt::format("{} is computed from other parameters, which a file does not hold: it "
                      "cannot be continued",
                      tensor.name),
          "switch the reparametrisation off (adapter.projection = false)");
  check_fit(tensors, file.header(), directory);
  for (const AdapterTensor& tensor : tensors) {
    at::Tensor target = tensor.tensor;
    target.copy_(read_tensor(file, *file.header().find(tensor.name)));
  }
}

}  // namespace mortise
