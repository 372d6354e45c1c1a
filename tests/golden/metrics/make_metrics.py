"""Makes the metric goldens with the real sacrebleu, rouge-score and nltk, and Python's own string functions.

  segments.jsonl      the pairs: {"hyp", "refs": [1..3]}; line i is segment i (no header line)
  bleu.json           corpus scores for every setting, and sentence scores of the first 200 segments
  bleu_tokens.jsonl   what each BLEU tokenizer makes of difficult strings (first line: versions)
  rouge.json          ROUGE-1/2/L/Lsum precision, recall, F of hyp against refs[0], with and without the stemmer
  stemmer.txt         word TAB stem by NLTK's Porter stemmer, mode NLTK_EXTENSIONS (what rouge-score uses)
  pytext.json         split, splitlines, lower, strip of Python on difficult strings

    python tests/golden/metrics/make_metrics.py
"""

import json
import logging
import platform
import random
import subprocess
import sys
import unicodedata
from importlib.metadata import version
from pathlib import Path

import nltk
import numpy
import sacrebleu
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU

sys.dont_write_bytecode = True  # leave no cache in the source tree
import texts  # noqa: E402

HERE = Path(__file__).resolve().parent
NUM_SEGMENTS = 1200
NUM_SENTENCES = 200
TOKENIZERS = ["13a", "zh", "char", "intl", "none"]
SMOOTHINGS = [("exp", None), ("floor", None), ("add-k", None), ("none", None)]
README_HYPS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
README_REFS = [["The dog bit the man.", "The dog had bit the man."], ["It was not unexpected.", "No one was surprised."],
               ["The man bit him first.", "The man had bitten the dog."]]
ROUGES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def columns(references):
    """sacrebleu wants one list per reference number; None where a segment has fewer."""
    width = max(map(len, references))
    return [[refs[k] if k < len(refs) else None for refs in references] for k in range(width)]


def corpus_bleu(hyps, references, **options):
    metric = BLEU(**options)
    result = metric.corpus_score(hyps, columns(references))
    return {"settings": options, "score": result.score, "precisions": result.precisions, "bp": result.bp,
            "sys_len": result.sys_len, "ref_len": result.ref_len, "counts": result.counts, "totals": result.totals,
            "signature": metric.get_signature().format()}


def every_setting():
    for tokenizer in TOKENIZERS:
        for smoothing, value in SMOOTHINGS:
            for lowercase in (False, True):
                for effective_order in (False, True):
                    yield dict(tokenize=tokenizer, smooth_method=smoothing, smooth_value=value, lowercase=lowercase,
                               effective_order=effective_order)
    for smoothing, value in [("floor", 0.01), ("floor", 1.0), ("add-k", 0.5), ("add-k", 2.0)]:
        yield dict(tokenize="13a", smooth_method=smoothing, smooth_value=value, lowercase=False, effective_order=False)


def sentence_bleu(hyps, references, **options):
    metric = BLEU(**options)
    return {"settings": options, "scores": [metric.sentence_score(h, r).score for h, r in zip(hyps, references)]}


def make_bleu(pairs):
    hyps, references = [p["hyp"] for p in pairs], [p["refs"] for p in pairs]
    first = [refs[:1] for refs in references]
    corpora = {
        "all": [corpus_bleu(hyps, references, **s) for s in every_setting()],
        "first_reference": [corpus_bleu(hyps, first, **s) for s in every_setting() if not s["lowercase"]],
    }
    small = {  # few segments: zero counts, total == 0 and an empty hypothesis show in the corpus score
        "readme": (README_HYPS, README_REFS), "empty_hypothesis": ([""], [["a b c d e"]]), "no_match": (["x y z w v"], [["a b c d e"]]),
        "short": (["a b"], [["a b"]]), "one_word": (["a"], [["a", "b"]]), "empty_reference": (["a b c"], [[""]]),
        "unigrams_only": (["d c b a e"], [["a b c d e"]]), "closest_tie": (["a b c d"], [["a b c", "a b c d e"]]),
        "empty_both": ([""], [[""]]), "trailing_space": (["a b c d \n\u3000"], [["a b c d "]]),
    }
    settings = [s for s in every_setting() if s["tokenize"] in ("13a", "char") and not s["lowercase"]]
    small = {name: {"hyps": h, "refs": r, "results": [corpus_bleu(h, r, **s) for s in settings]} for name, (h, r) in small.items()}
    chosen = [s for s in every_setting() if s["effective_order"] and (not s["lowercase"] or s["tokenize"] == "13a")]
    chosen.append(dict(tokenize="13a", smooth_method="exp", smooth_value=None, lowercase=False, effective_order=False))
    sentences = [sentence_bleu(hyps[:NUM_SENTENCES], references[:NUM_SENTENCES], **s) for s in chosen]
    write("bleu.json", {**head("sacrebleu", "regex"), "notes": "`all`: every reference; `first_reference`: refs[0] only. "
                        "sentences[k].scores[i] belongs to segment i. smooth_value null = the default of the method.",
                        "corpora": corpora, "small": small, "sentences": sentences})


def make_bleu_tokens():
    tools = {name: BLEU(tokenize=name).tokenizer for name in TOKENIZERS}
    lines = [{**head("sacrebleu", "regex"), "notes": "text.rstrip() goes into the tokenizer, as in the metric; case is kept"}]
    for text in dict.fromkeys(texts.tokenizer_strings(400)):
        lines.append({"text": text, **{name: tool(text.rstrip()) for name, tool in tools.items()}})
    write_lines("bleu_tokens.jsonl", lines)


def rouge_rows(pairs, use_stemmer):
    scorer = rouge_scorer.RougeScorer(ROUGES, use_stemmer=use_stemmer)
    rows = []
    for pair in pairs:
        scores = scorer.score(pair["refs"][0], pair["hyp"])
        rows.append(as_row(scores))
    return rows


def as_row(scores):
    return [[s.precision, s.recall, s.fmeasure] for s in (scores[name] for name in ROUGES)]


def best_reference_rows(pairs):
    """score_multi: per ROUGE type the reference with the highest F (the first one on a tie)."""
    scorer = rouge_scorer.RougeScorer(ROUGES, use_stemmer=False)
    return [as_row(scorer.score_multi(pair["refs"], pair["hyp"])) for pair in pairs]


def make_rouge(pairs):
    plain, stemmed = rouge_rows(pairs, False), rouge_rows(pairs, True)
    segments = []
    for p, s, b in zip(plain, stemmed, best_reference_rows(pairs)):
        segments.append({"plain": p, **({"stemmed": s} if s != p else {}), **({"best_reference": b} if b != p else {})})
    differ = sum(p[2] != p[3] for p in plain)
    print("rouge: Lsum differs from L in", differ, "segments, the stemmer changes", sum("stemmed" in s for s in segments),
          ", another reference is better in", sum("best_reference" in s for s in segments))
    mean = {name: numpy.mean(numpy.array(rows), axis=0).tolist() for name, rows in (("plain", plain), ("stemmed", stemmed))}
    write("rouge.json", {**head("rouge_score", "nltk"), "notes": "segments[i].plain = [[P, R, F] of rouge1, rouge2, rougeL, "
                         "rougeLsum], target refs[0], prediction hyp; `stemmed` (use_stemmer) and "
                         "`best_reference` (score_multi over refs, no stemmer) are left out when equal to plain. mean.* are numpy "
                         "means over all segments (compare to 1e-12).", "segments": segments, "mean": mean})


def make_stemmer():
    extended, original = PorterStemmer(), PorterStemmer(mode=PorterStemmer.ORIGINAL_ALGORITHM)
    lemmas = texts.wordnet_lemmas()
    different = [w for w in lemmas if extended.stem(w) != original.stem(w)]
    rng = random.Random(9)
    suffixes = ["ational", "tional", "enci", "anci", "izer", "bli", "alli", "entli", "eli", "ousli", "ization", "ation", "ator", "alism", "iveness",
                "fulness", "ousness", "aliti", "iviti", "biliti", "fulli", "logi", "icate", "ative", "alize", "iciti", "ical", "ful", "ness", "ement",
                "ment", "ent", "sion", "tion", "ies", "ied", "sses", "eed", "ed", "ing", "bling", "izing", "y", "ll", "ee", "s"]
    stems = ["b", "t", "tr", "oa", "ay", "yb", "cons", "relat", "hopp", "fizz", "fall", "tann", "d", "sk", "ski", "e", "agr", "triv", "syzyg", "x9"]
    invented = [stem + suffix for stem in stems for suffix in suffixes]
    irregular = "sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed die dies died spied ties flies".split()
    words = sorted(set(different) | set(invented) | set(irregular) | set(rng.sample(lemmas, 6000)))
    (HERE / "stemmer.txt").write_text("".join(f"{w}\t{extended.stem(w)}\n" for w in words))
    write("stemmer.json", {**head("nltk"), "mode": "NLTK_EXTENSIONS", "num_words": len(words), "num_lemmas": len(lemmas),
                           "lemmas_where_original_mode_differs": len(different)})
    print("stemmer.txt", len(words), "words,", len(different), "of", len(lemmas), "lemmas differ from the original mode,",
          (HERE / "stemmer.txt").stat().st_size, "bytes")


def make_pytext():
    cases = [{"text": t, "split": t.split(), "splitlines": t.splitlines(), "lower": t.lower(), "strip": t.strip(), "rstrip": t.rstrip()}
             for t in dict.fromkeys(texts.pytext_strings(300))]
    spaces = [c for c in range(0x110000) if chr(c).isspace()]
    breaks = [c for c in range(0x110000) if len(("a" + chr(c) + "a").splitlines()) == 2]
    write("pytext.json", {**head(), "code_points_isspace": spaces, "code_points_splitlines": breaks, "cases": cases})


def head(*packages):
    known = versions()
    return {"made_by": "tests/golden/metrics/make_metrics.py", "versions": {k: known[k] for k in ("python", "unicode", "wordnet-base", *packages)}}


def write(name, value):
    (HERE / name).write_bytes((json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8"))
    print(name, (HERE / name).stat().st_size, "bytes")


def write_lines(name, values):
    lines = [json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in values]
    (HERE / name).write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    print(name, len(lines), "lines", (HERE / name).stat().st_size, "bytes")


def versions():
    return {"sacrebleu": sacrebleu.__version__, "rouge_score": version("rouge_score"), "nltk": nltk.__version__,
            "numpy": numpy.__version__, "regex": version("regex"), "python": platform.python_version(),
            "unicode": unicodedata.unidata_version, "wordnet-base": wordnet_version()}


def wordnet_version():
    query = ["dpkg-query", "-W", "-f=${Version}", "wordnet-base"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def main():
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    print(versions())
    pairs = texts.segments(NUM_SEGMENTS)
    write_lines("segments.jsonl", pairs)
    make_bleu(pairs)
    make_bleu_tokens()
    make_rouge(pairs)
    make_stemmer()
    make_pytext()


if __name__ == "__main__":
    main()
