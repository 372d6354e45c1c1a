"""Makes the byte-level BPE goldens with the real `tokenizers` library: small tokenizers trained on text composed in
corpus.py, and what the library does with difficult texts.

Per tokenizer a folder:
  tokenizer.json      as the library saves it
  cases.jsonl         one object a line: text, add_special_tokens, ids, offsets, byte_offsets, decoded, decoded_skip_special.
                      Offsets are flat [start0, end0, start1, end1, ...]: `offsets` in code points of the original text, as
                      the library gives them, `byte_offsets` the same borders in UTF-8 bytes (a token that is part of a
                      character has the borders of the whole character). `decoded` is left out when it equals `text`,
                      `decoded_skip_special` when it equals the decoded text.
  decode_cases.jsonl  random ids (broken UTF-8 included): ids, decoded, decoded_skip_special
  cases_specials_as_text.jsonl   the same as cases.jsonl with Tokenizer.encode_special_tokens = True (llama3 only)
train_cases.json: inputs and results of the library's BpeTrainer.  The first line of every *.jsonl holds the versions.

    python tests/golden/tokenizer/make_tokenizer.py
"""

import itertools
import json
import platform
import random
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.dont_write_bytecode = True  # leave no cache in the source tree
import corpus  # noqa: E402

HERE = Path(__file__).resolve().parent
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

PLAIN = [
    AddedToken("<a>", normalized=False), AddedToken("<a><b>", normalized=False), AddedToken("ü", normalized=False),
    AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
    AddedToken("word", single_word=True, normalized=False), AddedToken("你好", normalized=True),
    AddedToken("    ", normalized=False), AddedToken("<pad left>", single_word=True, lstrip=True, normalized=True),
]


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train(tokenizer, vocab_size, special):
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(corpus.training_lines(), trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def make_gpt2(add_prefix_space):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    train(tokenizer, 900, [])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=add_prefix_space)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    tokenizer.add_tokens(PLAIN)
    return tokenizer


def make_llama3():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = split_then_bytes(LLAMA3)
    train(tokenizer, 1100, [])
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    tokenizer.add_special_tokens([AddedToken("<|stripped|>", special=True, normalized=False, lstrip=True, rstrip=True)])
    tokenizer.add_tokens(PLAIN)
    return with_whole_words(tokenizer)


def with_whole_words(tokenizer):
    """Adds words to the vocabulary that no merge leads to: only ignore_merges finds them. Sets the BOS template."""
    data = json.loads(tokenizer.to_str())
    used = set(data["model"]["vocab"].values()) | {t["id"] for t in data["added_tokens"]}
    for index, word in enumerate(["Ġzyxw", "zyxwv", "ĠQQ", "ä¸Ńä¸Ń", "<a", "123"], start=max(used) + 1):
        if word not in data["model"]["vocab"]:
            data["model"]["vocab"][word] = index
    tokenizer = Tokenizer.from_str(json.dumps(data))
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[("<|begin_of_text|>", bos)])])
    return tokenizer


def make_qwen2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = split_then_bytes(QWEN2)
    train(tokenizer, 1000, ["<|endoftext|>"])  # in the vocabulary itself, id 0
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken("<|im_start|>", special=True, normalized=False)])
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", special=True, normalized=False)])
    tokenizer.add_tokens(PLAIN + [AddedToken("née", normalized=True), AddedToken("ange\u0301", normalized=False),
                                  AddedToken("Å", normalized=True)])
    return tokenizer


def byte_borders(text):
    return [0, *itertools.accumulate(len(c.encode("utf-8")) for c in text)]


def encode_case(tokenizer, text, add_special_tokens):
    encoding = tokenizer.encode(text, add_special_tokens=add_special_tokens)
    borders = byte_borders(text)
    flat = [border for pair in encoding.offsets for border in pair]
    case = {"text": text, "add_special_tokens": add_special_tokens, "ids": encoding.ids, "offsets": flat,
            "byte_offsets": [borders[b] for b in flat]}
    decoded = tokenizer.decode(encoding.ids, skip_special_tokens=False)
    skipped = tokenizer.decode(encoding.ids, skip_special_tokens=True)
    if decoded != text:
        case["decoded"] = decoded
    if skipped != decoded:
        case["decoded_skip_special"] = skipped
    return case


def decode_case(tokenizer, ids):
    return {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True)}


def write_lines(path, cases):
    head = {"made_by": "tests/golden/tokenizer/make_tokenizer.py", "versions": versions(), "num_cases": len(cases)}
    lines = [json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in [head, *cases]]
    # U+2028 and friends are legal inside a JSON string; readers must split at \n only
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    print(f"{path.parent.name}/{path.name}", len(cases), "cases", path.stat().st_size, "bytes")


def write_tokenizer(name, tokenizer, seed):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))  # the numbers belong to the file
    added = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    if name == "qwen2_nfc":
        added += ["ne\u0301e", "ange\u0301", "angé", "A\u030a", "\u212b"]
    texts = list(dict.fromkeys(corpus.fixed_texts(added) + corpus.random_texts(seed, added, 470)))
    write_lines(folder / "cases.jsonl", [encode_case(tokenizer, t, i % 2 == 0) for i, t in enumerate(texts)])
    rng = random.Random(seed)
    top = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    ids = [[rng.randrange(top) if rng.random() < 0.5 else rng.randrange(300) for _ in range(rng.randrange(1, 12))]
           for _ in range(150)]
    write_lines(folder / "decode_cases.jsonl", [decode_case(tokenizer, i) for i in ids])
    if name == "llama3":
        tokenizer.encode_special_tokens = True
        some = [t for t in texts if "<|" in t][:120]
        write_lines(folder / "cases_specials_as_text.jsonl", [encode_case(tokenizer, t, True) for t in some])
    print(f"{name}/tokenizer.json", top, "ids", (folder / "tokenizer.json").stat().st_size, "bytes")


def train_case(name, lines, **options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), **options)
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocab = [token for token, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    assert sorted(model["vocab"].values()) == list(range(len(vocab)))
    print("train", name, len(vocab), "tokens", len(model["merges"]), "merges")
    return {"name": name, "lines": lines, **options, "vocab_in_id_order": vocab, "merges": model["merges"]}


def write_train_cases():
    rng = random.Random(3)
    english = [corpus.gloss(rng) for _ in range(60)]
    mixed = english[:15] + corpus.CHINESE + corpus.EMOJI + corpus.EUROPEAN + corpus.CODE + corpus.NUMBERS
    ties = ["ab cd ef gh", "ba dc fe hg", "abc abd abe", "xyxyxy xyx", "aaaa aaa aa a", "aaaaaaaaa"]
    cases = [
        train_case("english_min_0", english, vocab_size=420, min_frequency=0, special_tokens=["<|endoftext|>"]),
        train_case("english_min_2", english, vocab_size=5000, min_frequency=2, special_tokens=[]),
        train_case("mixed_two_specials", mixed, vocab_size=500, min_frequency=0, special_tokens=["<pad>", "<|endoftext|>"]),
        train_case("mixed_min_2", mixed, vocab_size=600, min_frequency=2, special_tokens=["<s>"]),
        train_case("ties_exhausted", ties, vocab_size=1000, min_frequency=0, special_tokens=[]),
        train_case("smaller_than_alphabet", ties, vocab_size=100, min_frequency=0, special_tokens=["<s>"]),
        train_case("special_inside_text", ["a <s> b <s> c", "<s><s>"], vocab_size=270, min_frequency=0, special_tokens=["<s>"]),
        train_case("empty_text", ["", ""], vocab_size=300, min_frequency=0, special_tokens=[]),
    ]
    facts = {"made_by": "tests/golden/tokenizer/make_tokenizer.py", "versions": versions(),
             "notes": "each line is one document (no newline is added); ByteLevel pattern of GPT-2, add_prefix_space false, "
                      "initial_alphabet = the 256 byte characters. Merge order: highest count, then smallest pair of ids.",
             "cases": cases}
    path = HERE / "train_cases.json"
    path.write_bytes((json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8"))
    print(path.name, path.stat().st_size, "bytes")


def versions():
    return {"tokenizers": tokenizers.__version__, "python": platform.python_version()}


def main():
    print(versions())
    write_tokenizer("gpt2", make_gpt2(add_prefix_space=False), seed=1)
    write_tokenizer("gpt2_prefix_space", make_gpt2(add_prefix_space=True), seed=2)
    write_tokenizer("llama3", make_llama3(), seed=3)
    write_tokenizer("qwen2_nfc", make_qwen2(), seed=4)
    write_train_cases()


if __name__ == "__main__":
    main()
