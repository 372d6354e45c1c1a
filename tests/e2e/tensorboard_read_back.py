"""Reads tb/ of a run with the tensorboard package and compares with metrics.jsonl.

    python tests/e2e/tensorboard_read_back.py RUN_DIR

The same tags, steps and values (as fp32, which is what an event holds); exit code 0 = equal, 1 = not.
"""

import json
import pathlib
import struct
import sys

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def as_fp32(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def written(run):
    """{tag: [(step, value)]} of scalars, {tag: [(step, text)]} of texts, as metrics.jsonl has them."""
    scalars, texts = {}, {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        step = entry.pop("step")
        if "eval" in entry:
            for name, value in entry["scores"].items():
                scalars.setdefault(f"eval/{entry['eval']}/{name}", []).append((step, as_fp32(value)))
        elif "text" in entry:
            texts.setdefault(entry["text"], []).append((step, entry["value"]))
        else:
            for name, value in entry.items():
                scalars.setdefault(f"train/{name}", []).append((step, as_fp32(value)))
    return scalars, texts


def main():
    run = pathlib.Path(sys.argv[1])
    events = EventAccumulator(str(run / "tb"), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    scalars, texts = written(run)
    tags = events.Tags()
    read = {tag: [(e.step, as_fp32(e.value)) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    # A restart hides scalars of before, and the package forgets to do the same with tensors: the newest text of a step counts.
    read_texts = {tag: sorted({e.step: e.tensor_proto.string_val[0].decode() for e in events.Tensors(tag)}.items())
                  for tag in tags["tensors"]}
    summary = read_texts.pop("summary", [])  # what the run ends with; metrics.jsonl has none
    problems = [f"{tag}: tensorboard reads {theirs.get(tag)}, metrics.jsonl has {ours.get(tag)}"
                for ours, theirs in ((scalars, read), (texts, read_texts))
                for tag in sorted({*ours, *theirs}) if ours.get(tag) != theirs.get(tag)]
    if len(summary) != 1:
        problems.append(f"there are {len(summary)} summaries")
    values = sum(map(len, read.values()))
    if len(read) < 8 or values < 50 or not read_texts:
        problems.append(f"too little was logged to prove anything: {sorted(read)} {sorted(read_texts)}")
    print(f"tensorboard {tensorboard.__version__}: {len(read)} tags, {values} values, {sum(map(len, read_texts.values()))} texts",
          *problems, sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
