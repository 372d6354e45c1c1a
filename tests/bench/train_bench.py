"""Training the quickstart model: Mortise against transformers + torch on the same rows, model, batch, dtype and threads.

Usage: tests/bench/train_bench.py [--build build/release] [--steps 40] [--threads 2]

1. `mortise data batches` writes the rows of the first steps, `mortise run --set run.steps=0`-like export the initial model.
2. Mortise trains these steps; its own tokens/s per step come from metrics.jsonl, its peak memory from wait4.
3. A fresh Python process trains the exported model on the same rows with fused AdamW.
Both figures leave out the first quarter of the steps (warm-up); the losses of both are printed, so that a reader sees that the work is the same.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

import rival

RIVAL = r"""
import json, resource, statistics, sys, time
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
folder, rows, out, micro, lr, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").train()
model.config.use_cache = False
decay = [p for p in model.parameters() if p.ndim >= 2]
plain = [p for p in model.parameters() if p.ndim < 2]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.95), fused=True)
data = load_file(rows)
ids, targets = data["ids"], data["targets"]
steps, losses, seconds = ids.shape[0] // micro, [], []
for step in range(steps):
    start = time.perf_counter()
    x, y = ids[step * micro:(step + 1) * micro], targets[step * micro:(step + 1) * micro]
    logits = model(input_ids=x).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), y.flatten(), ignore_index=-100)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
    seconds.append(time.perf_counter() - start)
json.dump({"losses": losses, "seconds": seconds, "tokens": ids.shape[1] * micro}, open(out, "w"))
"""


def mortise_run(options, work, extra):
    """Trains and returns (tokens per second by step, losses, peak resident bytes, run directory)."""
    run_dir = work / "run"
    command = [options.mortise, "run", options.recipe, "--set", f"run.dir={run_dir}", "--set", f"run.steps={options.steps}", "--set", f"run.threads={options.threads}",
               "--set", "log.every=1", "--set", "batch.document_mask=false", "--set", "~eval", "--set", "~generate", "--set", f"optimizer.lr={options.lr}",
               "--set", "schedule={type=\"constant\"}", *extra]
    status, _, peak, output = rival.run_measured(command, env=rival.fixed_threads(options.threads), stderr=subprocess_log(work))
    if status != 0:
        sys.exit(f"mortise run failed with {status}:\n{output}\n{(work / 'log').read_text()[-2000:]}")
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    return [row["tokens_per_s"] for row in steps], [row["loss"] for row in steps], peak, run_dir


def subprocess_log(work):
    return open(work / "log", "w")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(rival.ROOT / "build" / "release"))
    parser.add_argument("--recipe", default=str(rival.ROOT / "configs" / "recipes" / "quickstart.toml"))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    options = parser.parse_args()
    options.mortise = str(pathlib.Path(options.build) / "bin" / "mortise")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        speed, losses, peak, run_dir = mortise_run(options, work, [])
        rows = work / "rows.safetensors"
        rival.subprocess.run([options.mortise, "data", "batches", str(run_dir), "--steps", str(options.steps), "--to", str(rows)], check=True)
        initial = work / "initial"
        rival.subprocess.run([options.mortise, "export", str(run_dir), "--initial", "--to", str(initial)], check=True)
        micro = json.loads((run_dir / "status.json").read_text())["rows_per_step"]
        out = work / "rival.json"
        status, _, rival_peak, _ = rival.run_measured([sys.executable, "-c", RIVAL, str(initial), str(rows), str(out), str(micro), str(options.lr), str(options.threads)],
                                                      env=rival.fixed_threads(options.threads))
        if status != 0:
            sys.exit(f"the rival failed with {status}")
        theirs = json.loads(out.read_text())
    skip = options.steps // 4
    ours_speed = statistics.median(speed[skip:])
    their_speed = theirs["tokens"] / statistics.median(theirs["seconds"][skip:])
    rival.report(bench="train_quickstart", threads=options.threads, steps=options.steps, dtype="fp32", mortise_tokens_per_s=ours_speed, transformers_tokens_per_s=their_speed,
                 speed_ratio=ours_speed / their_speed, mortise_peak_bytes=peak, transformers_peak_bytes=rival_peak, memory_ratio=peak / rival_peak,
                 mortise_loss=[losses[0], losses[-1]], transformers_loss=[theirs["losses"][0], theirs["losses"][-1]])


if __name__ == "__main__":
    rival.ensure_environment(__file__)
    main()
