// Contract of `tokenizer`: ids in range, offsets that cover, decoding that inverts, files that
// restore, concurrency. A trainable tokenizer is trained on a small corpus; another is loaded from
// `load` of its table in conform.toml.
#include "mortise/tokenizer.hpp"

#include <filesystem>
#include <thread>

#include "suites.hpp"
#include "texts.hpp"

namespace mortise::conform {

namespace {

constexpr int64_t kVocab = 320;

void train(Tokenizer& tokenizer, ext::TrainableTokenizer& trainable, int64_t vocab) {
  const auto lines = corpus();
  size_t at = 0;
  trainable.train(
      [&](std::string& text) {
        if (at == lines.size()) return false;
        text = lines[at++];
        return true;
      },
      vocab);
  MORTISE_EXPECT(tokenizer.vocab_size() > 0, "after training the vocabulary is empty");
}

std::unique_ptr<Tokenizer> ready(Factory& f) {
  auto tokenizer = make<Tokenizer>(f);
  if (const Value* folder = f.example().find("load"))
    tokenizer->load(folder->as_string());
  else if (auto* trainable = query<ext::TrainableTokenizer>(*tokenizer))
    train(*tokenizer, *trainable, kVocab);
  else
    skip("it cannot be trained: give  load = \"FOLDER\"  in its table of conform.toml");
  return tokenizer;
}

std::vector<std::string> all_texts() {
  auto texts = valid_texts();
  for (const std::string& line : corpus()) texts.push_back(line);
  return texts;
}

void ids_in_range(Factory& f) {
  const auto tokenizer = ready(f);
  for (const std::string& text : all_texts())
    for (const int32_t id : tokenizer->encode(text, {}).ids)
      MORTISE_EXPECT(id >= 0 && id < tokenizer->vocab_size(),
                     "id {} is outside the vocabulary of {}",
                     id,
                     tokenizer->vocab_size());
}

void decodes(Factory& f) {
  const auto tokenizer = ready(f);
  for (const std::string& text : all_texts()) {
    const std::string once =
        tokenizer->decode(tokenizer->encode(text, {.add_special = false}).ids, true);
    const std::string twice =
        tokenizer->decode(tokenizer->encode(once, {.add_special = false}).ids, true);
    MORTISE_EXPECT(once == twice,
                   "decode(encode(x)) changes again when repeated, for \"{}\"",
                   text.substr(0, 40));
  }
}

void offsets_cover(Factory& f) {
  const auto tokenizer = ready(f);
  for (const std::string& text : all_texts()) {
    const Encoding encoding = tokenizer->encode(text, {.add_special = false, .offsets = true});
    MORTISE_EXPECT_EQ(
        encoding.offsets.size(), encoding.ids.size(), "ids and offsets differ in number");
    int64_t last = 0;
    for (const Encoding::Span& span : encoding.offsets) {
      MORTISE_EXPECT(span.begin <= span.end && span.begin >= last &&
                         span.end <= static_cast<int64_t>(text.size()),
                     "the offsets {}..{} go back or leave the text",
                     span.begin,
                     span.end);
      last = span.begin;
    }
    MORTISE_EXPECT(tokenizer->encode(text, {.add_special = false}).ids == encoding.ids,
                   "asking for offsets changes the ids");
  }
}

void survives_broken_text(Factory& f) {
  const auto tokenizer = ready(f);
  for (const std::string& text : broken_texts()) {
    const Encoding encoding = tokenizer->encode(text, {.offsets = true});
    tokenizer->decode(encoding.ids, false);
  }
}

void unknown_id(Factory& f) {
  const auto tokenizer = ready(f);
  for (const int32_t id :
       {static_cast<int32_t>(tokenizer->vocab_size()), int32_t{-1}, int32_t{1} << 30})
    MORTISE_EXPECT_ERROR(tokenizer->decode({id}, false),
                         fmt::format("decoding the unknown id {}", id));
}

void files_restore(Factory& f) {
  const auto one = ready(f);
  const std::string folder = f.scratch() + "/tokenizer";
  std::filesystem::create_directories(folder);
  one->save(folder);
  const auto two = make<Tokenizer>(f);
  two->load(folder);
  MORTISE_EXPECT_EQ(
      one->fingerprint(), two->fingerprint(), "saving and loading changes the fingerprint");
  MORTISE_EXPECT_EQ(
      one->vocab_size(), two->vocab_size(), "saving and loading changes the vocabulary");
  for (const std::string& text : all_texts())
    MORTISE_EXPECT(one->encode(text, {}).ids == two->encode(text, {}).ids,
                   "saving and loading changes the ids of \"{}\"",
                   text.substr(0, 40));
}

void missing_files(Factory& f) {
  const auto tokenizer = make<Tokenizer>(f);
  MORTISE_EXPECT_ERROR(tokenizer->load(f.scratch() + "/absent"), "loading from a missing folder");
}

void trains_the_same(Factory& f) {
  const auto one = make<Tokenizer>(f), two = make<Tokenizer>(f);
  auto *first = query<ext::TrainableTokenizer>(*one),
       *second = query<ext::TrainableTokenizer>(*two);
  if (first == nullptr) skip("it cannot be trained");
  train(*one, *first, kVocab);
  train(*two, *second, kVocab);
  MORTISE_EXPECT_EQ(one->fingerprint(), two->fingerprint(), "the same texts give two tokenizers");
  MORTISE_EXPECT(one->vocab_size() <= kVocab,
                 "{} tokens were learned, {} asked for",
                 one->vocab_size(),
                 kVocab);
}

void several_threads(Factory& f) {
  const auto tokenizer = ready(f);
  const auto encode_all = [&] {
    std::vector<std::vector<int32_t>> out;
    for (const std::string& text : all_texts()) out.push_back(tokenizer->encode(text, {}).ids);
    return out;
  };
  const auto expected = encode_all();
  std::vector<std::vector<std::vector<int32_t>>> seen(4);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : seen) threads.emplace_back([&slot, &encode_all] { slot = encode_all(); });
  }
  for (const auto& slot : seen)
    MORTISE_EXPECT(slot == expected, "encode() gives other ids when called from several threads");
}

void tokens_are_named(Factory& f) {
  const auto tokenizer = ready(f);
  for (const SpecialToken token :
       {SpecialToken::Bos, SpecialToken::Eos, SpecialToken::Pad, SpecialToken::Unknown})
    if (const auto id = tokenizer->special(token))
      MORTISE_EXPECT(
          *id >= 0 && *id < tokenizer->vocab_size(), "a special token has the id {}", *id);
  MORTISE_EXPECT(!tokenizer->id_of("\x01 no such token \x02").has_value(),
                 "an unknown token has an id");
}

}  // namespace

Suite tokenizer_suite() {
  return {"tokenizer",
          args<Tokenizer>,
          {{"its ids are in range", ids_in_range},
           {"decoding inverts encoding", decodes},
           {"its offsets lie in the text, in order", offsets_cover},
           {"survives text that is no UTF-8", survives_broken_text},
           {"refuses unknown ids", unknown_id},
           {"its files restore it", files_restore},
           {"says that files are missing", missing_files},
           {"training is deterministic", trains_the_same},
           {"encodes from several threads", several_threads},
           {"its special tokens are in range", tokens_are_named}}};
}

}  // namespace mortise::conform
