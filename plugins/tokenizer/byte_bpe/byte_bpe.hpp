// Byte-level BPE behind the interface `tokenizer`: trained here, or read from a tokenizer.json.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/tokenizer.hpp"
#include "mortise/value.hpp"

namespace mortise::tokenizer::byte_bpe {

class Encoder;

class ByteBpe final : public Tokenizer, public ext::TrainableTokenizer {
 public:
  /// All of it is about training; a tokenizer that is read from files brings its own.
  struct Config {
    std::string pattern = "llama3";
    int64_t min_frequency = 2;
    std::string bos_token = "";
    std::string eos_token = "<|endoftext|>";
    std::string pad_token = "";
    std::string unk_token = "";
    bool add_bos = false;
    bool add_eos = false;
    static void describe(Schema<Config>& schema);
  };

  explicit ByteBpe(Config config);
  ~ByteBpe() override;

  void load(const std::string& directory) override;
  void save(const std::string& directory) const override;
  Encoding encode(std::string_view text, const EncodeOptions& options) const override;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const override;
  int64_t vocab_size() const override;
  std::optional<int32_t> special(SpecialToken token) const override;
  std::optional<int32_t> id_of(std::string_view token) const override;
  std::string fingerprint() const override;
  void train(const std::function<bool(std::string&)>& next, int64_t vocab_size) override;

 private:
  const Encoder& encoder() const;

  Config config_;
  std::unique_ptr<const Encoder> encoder_;
  std::map<SpecialToken, int32_t> special_;
  Value tokenizer_config_;  // what tokenizer_config.json holds
};

}  // namespace mortise::tokenizer::byte_bpe
