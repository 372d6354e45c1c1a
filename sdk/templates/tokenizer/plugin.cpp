// @NAME@: one token a byte, no files to learn.  vocabulary.txt only marks the folder.
#include <mortise/file.hpp>
#include <mortise/plugin.hpp>
#include <mortise/pytext.hpp>
#include <mortise/tokenizer.hpp>

struct @CLASS@ final : mortise::Tokenizer, mortise::ext::TrainableTokenizer {
  void train(const std::function<bool(std::string&)>&, int64_t) override {}  // 256 bytes are all there is
  void load(const std::string& directory) override { mortise::read_file(directory + "/vocabulary.txt"); }
  void save(const std::string& directory) const override { mortise::write_file(directory + "/vocabulary.txt", "bytes\n"); }
  mortise::Encoding encode(std::string_view text, const mortise::EncodeOptions& options) const override {
    mortise::Encoding out;
    for (size_t i = 0; i < text.size(); ++i) {
      out.ids.push_back(static_cast<unsigned char>(text[i]));
      if (options.offsets) out.offsets.push_back({static_cast<int64_t>(i), static_cast<int64_t>(i) + 1});
    }
    return out;
  }
  std::string decode(const std::vector<int32_t>& ids, bool) const override {
    std::string bytes;
    for (const int32_t id : ids) {
      if (id < 0 || id > 255) throw mortise::DataError(fmt::format("there is no token {}", id));
      bytes += static_cast<char>(id);
    }
    return mortise::pytext::repair_utf8(bytes);
  }
  int64_t vocab_size() const override { return 256; }
  std::optional<int32_t> special(mortise::SpecialToken) const override { return std::nullopt; }
  std::optional<int32_t> id_of(std::string_view token) const override { return token.size() == 1 ? std::optional<int32_t>(static_cast<unsigned char>(token[0])) : std::nullopt; }
  std::string fingerprint() const override { return "bytes-1"; }
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one token a byte"));
