// The only source of the host that includes OpenSSL.
#include "sha256.hpp"

#include <array>

#include <openssl/evp.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"

namespace mortise {

std::string sha256_of_file(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::array<unsigned char, 32> digest{};
  if (EVP_Digest(file->bytes().data(),
                 file->bytes().size(),
                 digest.data(),
                 nullptr,
                 EVP_sha256(),
                 nullptr) != 1)
    throw Error(Code::Internal, "SHA-256 failed");
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace mortise
