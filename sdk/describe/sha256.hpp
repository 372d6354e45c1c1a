// SHA-256 of a file, as lower-case hexadecimal (FIPS 180-4, by OpenSSL).
#pragma once

#include <string>

namespace mortise {

/// Throws: Error{Io} when the file cannot be read.   Thread: [any-thread].
std::string sha256_of_file(const std::string& path);

}  // namespace mortise
