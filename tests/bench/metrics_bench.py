"""BLEU and ROUGE: Mortise against sacrebleu 2.6.0 and rouge-score 0.1.2 on the same segments, one thread, in one run.

Usage: tests/bench/metrics_bench.py [--build build/release] [--segments tests/golden/metrics/segments.jsonl] [--rounds 5] [--limit N]
(first: cmake --build build/release --target bench_metrics)

Both sides tokenise and score every segment; each figure is the best of ROUNDS.  sacrebleu caches tokenised lines, so that each round uses new
objects.  BLEU takes all references of a segment, ROUGE the first.  The run fails when the scores differ.
"""
import argparse
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import rival

rival.ensure_environment(__file__)

from rouge_score import rouge_scorer  # noqa: E402
from sacrebleu.metrics import BLEU  # noqa: E402

TYPES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def best_of(rounds, work):
    best, result = float("inf"), None
    for _ in range(rounds):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def bleu(pairs, tokenize):
    hyps = [pair["hyp"] for pair in pairs]
    width = max(len(pair["refs"]) for pair in pairs)
    columns = [[pair["refs"][k] if k < len(pair["refs"]) else None for pair in pairs] for k in range(width)]
    return {"bleu": BLEU(tokenize=tokenize).corpus_score(hyps, columns).score}


def rouge(pairs, stemmer):
    scorer = rouge_scorer.RougeScorer(TYPES, use_stemmer=stemmer)
    sums = dict.fromkeys(TYPES, 0.0)
    for pair in pairs:
        scores = scorer.score(pair["refs"][0], pair["hyp"])
        for name in TYPES:
            sums[name] += scores[name].fmeasure
    return {f"{name}_f": total / len(pairs) for name, total in sums.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(rival.ROOT / "build" / "release"))
    parser.add_argument("--segments", default=str(rival.ROOT / "tests" / "golden" / "metrics" / "segments.jsonl"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=0, help="only the first N segments")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core for both; the child inherits it
    lines = pathlib.Path(options.segments).read_bytes().split(b"\n")
    lines = [line for line in lines if line][: options.limit or None]
    pairs = [json.loads(line) for line in lines]

    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(lines) + b"\n")
        file.flush()
        output = subprocess.run([f"{options.build}/bin/bench_metrics", file.name, str(options.rounds)], check=True, capture_output=True, text=True).stdout
    ours = json.loads(output)

    jobs = {"bleu_13a": lambda: bleu(pairs, "13a"), "bleu_zh": lambda: bleu(pairs, "zh"), "rouge": lambda: rouge(pairs, False),
            "rouge_stemmer": lambda: rouge(pairs, True)}
    results, equal = {}, True
    for name, job in jobs.items():
        seconds, scores = best_of(options.rounds, job)
        theirs = len(pairs) / seconds
        # Means over segments are summed in another order there; BLEU is compared by ==.
        same = all(ours[name]["scores"][key] == value if key == "bleu" else abs(ours[name]["scores"][key] - value) < 1e-12 for key, value in scores.items())
        equal &= same
        results[name] = {"mortise_segments_per_s": round(ours[name]["segments_per_s"]), "rival_segments_per_s": round(theirs),
                         "ratio": round(ours[name]["segments_per_s"] / theirs, 1), "scores_equal": same, "signature": ours[name]["signature"], "scores": scores}
    rival.report(benchmark="metrics", segments=len(pairs), rounds=options.rounds, threads=1, rivals={"bleu": "sacrebleu 2.6.0", "rouge": "rouge-score 0.1.2"},
                 results=results)
    if not equal:
        sys.exit("scores differ")


if __name__ == "__main__":
    main()
