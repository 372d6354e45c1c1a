// The safetensors format: every check of the reference reader, and a writer that produces what it
// produces.
//
// Source: huggingface/safetensors, README and safetensors/src/tensor.rs (`Metadata::validate`).
// Departures: a tensor's description may hold no unknown key, and the sub-byte and FNUZ dtypes are
// refused by name (nothing here computes them).
#include "mortise/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

namespace mortise::safetensors {

static_assert(std::endian::native == std::endian::little,
              "the data of the format are little-endian");

namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;
constexpr std::array<std::string_view, 5> kKnownUnsupported = {
    "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};
constexpr const char* kDamagedHint =
    "the file is damaged or was cut short: fetch or export it again";

// Returns the bytes that a tensor takes, or nothing when the number does not fit in 63 bits.
std::optional<int64_t> bytes_of(Dtype dtype, const std::vector<int64_t>& shape) {
  int64_t elements = 1, bits = 0;
  for (const int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(elements, extent, &elements)) return std::nullopt;
  if (__builtin_mul_overflow(elements, dtype_bits(dtype), &bits)) return std::nullopt;
  return bits / 8;
}

[[noreturn]] void fail(std::string_view file,
                       std::string_view tensor,
                       std::string message,
                       const char* hint = kDamagedHint) {
  throw DataError(fmt::format("{}: tensor \"{}\": {}", file, tensor, message), hint);
}

Dtype read_dtype(const Value& value, std::string_view file, std::string_view tensor) {
  if (!value.is_string())
    fail(file, tensor, fmt::format("dtype: expected a string, got {}", kind_name(value.kind())));
  const std::string& name = value.as_string();
  if (const auto dtype = dtype_from_name(name)) return *dtype;
  if (std::find(kKnownUnsupported.begin(), kKnownUnsupported.end(), name) !=
      kKnownUnsupported.end())
    fail(file,
         tensor,
         fmt::format("dtype {} is not supported", name),
         "convert the tensor to another dtype");
  fail(file,
       tensor,
       fmt::format("unknown dtype \"{}\"; known are BOOL, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, "
                   "U16, F16, BF16, I32, U32, F32, F64, I64, U64, C64",
                   name));
}

std::vector<int64_t> read_integers(const Value& value,
                                   std::string_view key,
                                   std::string_view file,
                                   std::string_view tensor) {
  if (!value.is_array())
    fail(file,
         tensor,
         fmt::format("{}: expected an array of integers, got {}", key, kind_name(value.kind())));
  std::vector<int64_t> out;
  for (const Value& item : value.as_array()) {
    if (!item.is_int() || item.as_int() < 0)
      fail(file,
           tensor,
           fmt::format("{}: expected integers from 0 to 2^63-1, got {}", key, to_json(item)));
    out.push_back(item.as_int());
  }
  return out;
}

Entry read_entry(const std::string& name,
                 const Value& value,
                 int64_t data_bytes,
                 std::string_view file) {
  if (!value.is_table())
    fail(file, name, fmt::format("expected an object, got {}", kind_name(value.kind())));
  for (const auto& [key, ignored] : value.as_table())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      fail(file, name, fmt::format("unknown key \"{}\"", key));
  const auto member = [&](const char* key) -> const Value& {
    const Value* found = value.find(key);
    if (found == nullptr) fail(file, name, fmt::format("\"{}\" is missing", key));
    return *found;
  };
  Entry entry;
  entry.name = name;
  entry.dtype = read_dtype(member("dtype"), file, name);
  entry.shape = read_integers(member("shape"), "shape", file, name);
  const auto offsets = read_integers(member("data_offsets"), "data_offsets", file, name);
  if (offsets.size() != 2)
    fail(file, name, fmt::format("data_offsets: expected two integers, got {}", offsets.size()));
  entry.begin = offsets[0], entry.end = offsets[1];
  if (entry.begin > entry.end)
    fail(file, name, fmt::format("data_offsets run backwards: [{}, {}]", entry.begin, entry.end));
  if (entry.end > data_bytes)
    fail(file,
         name,
         fmt::format("its bytes [{}, {}) lie outside the file, whose data section has {} bytes",
                     entry.begin,
                     entry.end,
                     data_bytes));
  const auto bytes = bytes_of(entry.dtype, entry.shape);
  if (!bytes)
    fail(file,
         name,
         fmt::format("shape [{}] of {} overflows 63 bits",
                     fmt::join(entry.shape, ", "),
                     dtype_name(entry.dtype)));
  if (*bytes != entry.bytes())
    fail(file,
         name,
         fmt::format("shape [{}] of {} needs {} bytes, data_offsets give it {}",
                     fmt::join(entry.shape, ", "),
                     dtype_name(entry.dtype),
                     *bytes,
                     entry.bytes()));
  return entry;
}

std::vector<std::pair<std::string, std::string>> read_metadata(const Value& value,
                                                               std::string_view file) {
  if (!value.is_table())
    throw DataError(
        fmt::format("{}: __metadata__: expected an object, got {}", file, kind_name(value.kind())),
        kDamagedHint);
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [key, text] : value.as_table()) {
    if (!text.is_string())
      throw DataError(fmt::format("{}: __metadata__: the value of \"{}\" must be a string, got {}",
                                  file,
                                  key,
                                  kind_name(text.kind())),
                      kDamagedHint);
    out.emplace_back(key, text.as_string());
  }
  return out;
}

// The ranges must follow one another from 0 to the end of the file: no overlap, no hole, nothing
// behind.
void check_ranges(const std::vector<Entry>& entries, int64_t data_bytes, std::string_view file) {
  int64_t at = 0;
  const Entry* previous = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin < at)
      fail(file,
           entry.name,
           fmt::format("its bytes [{}, {}) overlap those of \"{}\", which end at {}",
                       entry.begin,
                       entry.end,
                       previous->name,
                       at));
    if (entry.begin > at)
      fail(file,
           entry.name,
           fmt::format(
               "a hole of {} bytes lies before it: it begins at {}, the data so far end at {}",
               entry.begin - at,
               entry.begin,
               at));
    at = entry.end;
    previous = &entry;
  }
  if (at != data_bytes)
    throw DataError(
        fmt::format("{}: {} bytes follow the last tensor, which ends at {} of {} bytes of data",
                    file,
                    data_bytes - at,
                    at,
                    data_bytes),
        kDamagedHint);
}

std::string_view header_text(std::span<const std::byte> file,
                             int64_t file_size,
                             std::string_view name) {
  const auto refuse = [&](std::string message) {
    throw DataError(fmt::format("{}: {}", name, message), kDamagedHint);
  };
  if (file_size < kLengthBytes || file.size() < kLengthBytes)
    refuse(fmt::format(
        "not a safetensors file: it has {} bytes, the length of the header alone takes 8",
        file_size));
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes))
    refuse(fmt::format(
        "not a safetensors file: it claims a header of {} bytes, at most {} are allowed",
        length,
        kMaxHeaderBytes));
  const auto available = std::min(file_size, static_cast<int64_t>(file.size())) - kLengthBytes;
  if (static_cast<int64_t>(length) > available)
    refuse(fmt::format("the file ends inside its header: the header has {} bytes, {} are there",
                       length,
                       available));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (text.empty() || text.front() != '{')
    refuse("not a safetensors file: the header does not begin with {");
  if (!pytext::is_valid_utf8(text)) refuse("the header is not UTF-8");
  return text;
}

std::string header_json(const std::vector<Entry>& entries,
                        const std::vector<std::pair<std::string, std::string>>& metadata) {
  std::string out = "{";
  if (!metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      out += fmt::format("{}:{},", to_json(key), to_json(value));
    out.back() = '}';
    out += ',';
  }
  for (const Entry& entry : entries)
    out += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},",
                       to_json(entry.name),
                       dtype_name(entry.dtype),
                       fmt::join(entry.shape, ","),
                       entry.begin,
                       entry.end);
  if (out.back() == ',') out.pop_back();
  out += '}';
  out.append((8 - out.size() % 8) % 8, ' ');
  return out;
}

}  // namespace

const Entry* Header::find(std::string_view name) const {
  const auto it = std::find_if(
      entries.begin(), entries.end(), [&](const Entry& entry) { return entry.name == name; });
  return it == entries.end() ? nullptr : &*it;
}

Header parse_header(std::span<const std::byte> file, int64_t file_size, std::string_view name) {
  const std::string_view text = header_text(file, file_size, name);
  const Value root = parse_json(text, fmt::format("{} (header)", name));
  Header header;
  header.data_begin = kLengthBytes + static_cast<int64_t>(text.size());
  const int64_t data_bytes = file_size - header.data_begin;
  for (const auto& [key, value] : root.as_table()) {
    if (key == "__metadata__")
      header.metadata = read_metadata(value, name);
    else
      header.entries.push_back(read_entry(key, value, data_bytes, name));
  }
  std::stable_sort(
      header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
      });
  check_ranges(header.entries, data_bytes, name);
  return header;
}

File File::open(const std::string& path) {
  File file;
  file.mapping_ = MappedFile::open(path);
  const auto bytes = file.mapping_->bytes();
  file.header_ = parse_header(bytes, static_cast<int64_t>(bytes.size()), path);
  return file;
}

std::span<const std::byte> File::data(const Entry& entry) const {
  return mapping_->bytes().subspan(static_cast<size_t>(header_.data_begin + entry.begin),
                                   static_cast<size_t>(entry.bytes()));
}

std::vector<Entry> lay_out(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const int64_t bits_a = dtype_bits(a.dtype), bits_b = dtype_bits(b.dtype);
    return bits_a != bits_b ? bits_a > bits_b : a.name < b.name;
  });
  int64_t at = 0;
  for (Entry& entry : entries) {
    const auto bytes = bytes_of(entry.dtype, entry.shape);
    MORTISE_CHECK(bytes.has_value(),
                  "tensor \"{}\": shape [{}] is negative or overflows 63 bits",
                  entry.name,
                  fmt::join(entry.shape, ", "));
    entry.begin = at;
    MORTISE_CHECK(!__builtin_add_overflow(at, *bytes, &at),
                  "tensor \"{}\": the file would overflow 63 bits",
                  entry.name);
    entry.end = at;
  }
  return entries;
}

Writer::Writer(std::string path,
               std::vector<Entry> entries,
               std::vector<std::pair<std::string, std::string>> metadata)
    : path_(std::move(path)),
      entries_(lay_out(std::move(entries))),
      written_(entries_.size()),
      file_(path_) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    MORTISE_CHECK(
        entries_[i].name != "__metadata__", "{}: a tensor cannot be called __metadata__", path_);
    MORTISE_CHECK(index_.emplace(entries_[i].name, i).second,
                  "{}: tensor \"{}\" stands twice",
                  path_,
                  entries_[i].name);
  }
  const std::string json = header_json(entries_, metadata);
  MORTISE_CHECK(static_cast<int64_t>(json.size()) <= kMaxHeaderBytes,
                "{}: the header would take {} bytes, at most {} are allowed",
                path_,
                json.size(),
                kMaxHeaderBytes);
  const uint64_t length = json.size();
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(json);
  data_begin_ = kLengthBytes + static_cast<int64_t>(json.size());
}

void Writer::write_entry(size_t index, std::span<const std::byte> bytes) {
  const Entry& entry = entries_[index];
  MORTISE_CHECK(!written_[index], "{}: tensor \"{}\" was written before", path_, entry.name);
  MORTISE_CHECK(static_cast<int64_t>(bytes.size()) == entry.bytes(),
                "{}: tensor \"{}\": expected {} bytes, got {}",
                path_,
                entry.name,
                entry.bytes(),
                bytes.size());
  file_.write_at(data_begin_ + entry.begin, bytes);
  written_[index] = true;
  ++num_written_;
}

void Writer::write(std::span<const std::byte> bytes) {
  while (next_ < entries_.size() && written_[next_]) ++next_;
  MORTISE_CHECK(
      next_ < entries_.size(), "{}: all {} tensors were written before", path_, entries_.size());
  write_entry(next_, bytes);
}

void Writer::write(std::string_view name, std::span<const std::byte> bytes) {
  const auto it = index_.find(std::string(name));
  MORTISE_CHECK(it != index_.end(), "{}: tensor \"{}\" was not announced", path_, name);
  write_entry(it->second, bytes);
}

void Writer::commit() {
  MORTISE_CHECK(num_written_ == entries_.size(),
                "{}: {} of {} tensors were written",
                path_,
                num_written_,
                entries_.size());
  file_.commit();
}

}  // namespace mortise::safetensors
