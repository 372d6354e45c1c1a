// Protocol buffers' wire format (varint, 64-bit, length-delimited) and TFRecord framing.
// Source: tensorboard/compat/proto/{event,summary,tensor}.proto;
// tensorflow/core/lib/io/record_writer.
#include "event.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace mortise::tracker::tensorboard {

namespace {

constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

template <class T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string key(uint32_t field, uint32_t type) { return varint(field << 3 | type); }

std::string bytes(uint32_t field, std::string_view data) {
  return key(field, kBytes) + varint(data.size()) + std::string(data);
}

std::string number(uint32_t field, int64_t value) {
  return value == 0 ? "" : key(field, kVarint) + varint(static_cast<uint64_t>(value));
}

// wall_time = 1, step = 2
std::string head(double wall_time, int64_t step) {
  return key(1, kFixed64) + little_endian(wall_time) + number(2, step);
}

// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78, a table of one byte.
uint32_t crc32c(std::string_view data) {
  static const auto table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < 256; ++i) {
      out[i] = i;
      for (int bit = 0; bit < 8; ++bit) out[i] = out[i] >> 1 ^ (out[i] & 1 ? 0x82F63B78u : 0);
    }
    return out;
  }();
  uint32_t crc = ~0u;
  for (const char c : data) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

// Masked, so that the checksum of data that holds checksums is not degenerate.
std::string masked_crc(std::string_view data) {
  const uint32_t crc = crc32c(data);
  return little_endian((crc >> 15 | crc << 17) + 0xA282EAD8u);
}

}  // namespace

std::string version_event(double wall_time) {
  return head(wall_time, 0) + bytes(3, "brain.Event:2");
}

std::string restart_event(double wall_time, int64_t step) {
  return head(wall_time, step) + bytes(7, number(1, /*START=*/1));
}

std::string scalar_value(std::string_view tag, float value) {
  return bytes(1, bytes(1, tag) + key(2, kFixed32) + little_endian(value));
}

std::string text_value(std::string_view tag, std::string_view text) {
  constexpr int64_t kString = 7;  // DT_STRING
  const std::string shape = bytes(2, bytes(2, number(1, 1)));
  const std::string tensor = number(1, kString) + shape + bytes(8, text);
  const std::string metadata = bytes(1, bytes(1, "text"));
  return bytes(1, bytes(1, tag) + bytes(8, tensor) + bytes(9, metadata));
}

std::string summary_event(double wall_time, int64_t step, std::string_view values) {
  return head(wall_time, step) + bytes(5, values);
}

std::string record(std::string_view data) {
  const std::string length = little_endian(static_cast<uint64_t>(data.size()));
  return length + masked_crc(length) + std::string(data) + masked_crc(data);
}

}  // namespace mortise::tracker::tensorboard
