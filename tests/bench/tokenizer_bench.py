"""Tokenizer: our byte-level BPE against the Python `tokenizers` package, same text, one thread each, one run, JSON out.
All times are processor time, so that other work on the machine counts little.

    ninja -C build/release tokenizer_bench
    python tests/bench/tokenizer_bench.py build/release/bin/tokenizer_bench [TEXT] [--vocab 4096]

Without TEXT the glosses of Debian's wordnet-base are used (9 MB).  Needs the environment of tests/golden/requirements.txt.
Both sides train on the text (one document a line, GPT-2 pattern); the tokenizer that the binary trained is then timed on both
sides, and the number of ids must be equal.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread; read when the library is imported
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402


def glosses():
    lines = []
    for part in ["noun", "verb", "adj", "adv"]:
        for line in Path(f"/usr/share/wordnet/data.{part}").read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):
                lines.append(line.split("|", 1)[1].strip())
    return "\n".join(lines) + "\n"


def train(lines, vocab):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    begin = time.process_time()
    tokenizer.train_from_iterator(lines, trainer)
    return time.process_time() - begin, json.loads(tokenizer.to_str())["model"]


def best_of(runs, work):
    times = []
    for _ in range(runs):
        begin = time.process_time()
        result = work()
        times.append(time.process_time() - begin)
    return min(times), result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--vocab", type=int, default=4096)
    args = parser.parse_args()
    text = Path(args.text).read_text(encoding="utf-8") if args.text else glosses()
    lines = text.split("\n")[:-1]
    megabytes = len(text.encode("utf-8")) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "text.txt")
        source.write_text(text, encoding="utf-8")
        ours = json.loads(subprocess.run([args.binary, source, str(args.vocab), folder], check=True, capture_output=True).stdout)
        trained = json.loads(Path(folder, "tokenizer.json").read_text(encoding="utf-8"))["model"]
        begin = time.process_time()
        rival = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
        load_s = time.process_time() - begin
    train_s, model = train(lines, args.vocab)
    # encode_batch_fast leaves offsets out, as our default does; it is the library's fastest call
    fast_s, encodings = best_of(2, lambda: rival.encode_batch_fast(lines, add_special_tokens=True))
    offsets_s, _ = best_of(2, lambda: rival.encode_batch(lines))
    num_ids = sum(len(e.ids) for e in encodings)
    theirs = {"version": tokenizers.__version__, "train_s": round(train_s, 3), "load_s": round(load_s, 4), "ids": num_ids,
              "encode_mb_s": round(megabytes / fast_s, 2), "encode_offsets_mb_s": round(megabytes / offsets_s, 2)}
    print(json.dumps({"text_mb": round(megabytes, 2), "vocab": args.vocab, "mortise": ours, "tokenizers": theirs,
                      "same_vocabulary": model["vocab"] == trained["vocab"], "same_merges": model["merges"] == trained["merges"],
                      "same_number_of_ids": num_ids == ours["ids"],
                      "encode_ratio": round(ours["encode_mb_s"] / theirs["encode_mb_s"], 2),
                      "encode_offsets_ratio": round(ours["encode_offsets_mb_s"] / theirs["encode_offsets_mb_s"], 2),
                      "train_ratio": round(train_s / ours["train_s"], 2), "load_average": os.getloadavg()[0]}, indent=2))


if __name__ == "__main__":
    main()
