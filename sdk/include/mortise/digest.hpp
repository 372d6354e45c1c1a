// A 128-bit digest (XXH3) for fingerprints and checksums: not cryptographic, fast enough to never
// matter.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Order and borders of the added pieces count.   Thread: [one thread at a time].
class MORTISE_API Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  Digest& add(std::string_view text);
  Digest& add(std::span<const std::byte> bytes);
  /// 32 hexadecimal digits.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Digest of a file's bytes.  Throws: Error{Io}.
MORTISE_API std::string file_digest(const std::string& path);

}  // namespace mortise
