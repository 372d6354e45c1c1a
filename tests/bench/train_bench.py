"""Training: Mortise against transformers + torch (and peft) on the same rows, model, batch, dtype and threads.

Usage: tests/bench/train_bench.py [--model quickstart|30m|125m|moe] [--lora] [--dtype fp32|bf16] [--build build/release] [--steps 40] [--rounds 3] [--threads 2]

1. Mortise trains these steps; tokens/s per step come from metrics.jsonl, peak memory from wait4.  Documents see their neighbours here
   (batch.document_mask = false), because that is what a plain transformers loop does.
2. `mortise data batches` writes the very rows; a fresh Python process trains the same configuration on them, randomly initialised, with fused AdamW.
Both figures leave out the first quarter of the steps (warm-up); first and last loss of both are printed: the same work gives about the same losses.
A third figure is Mortise with the document borders that the recipe asks for.  The three take turns for `rounds` rounds: what else the machine does
slows all of them; the ratio is the median of the rounds' ratios.
The rival is a bare loop, which is at least as fast as transformers' Trainer around it.  bf16 is autocast over fp32 weights there (Trainer's bf16=True),
and bf16 weights with fp32 copies here (run.dtype).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import rival

RIVAL = r"""
import json, resource, statistics, sys, time
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM
folder, rows, out, micro, lr, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
lora, half = json.loads(sys.argv[7]), sys.argv[8] == "bf16"
torch.set_num_threads(threads)
torch.manual_seed(1)
model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32, attn_implementation="sdpa").train()
model.config.use_cache = False
if lora:
    from peft import LoraConfig, get_peft_model
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=lora, task_type="CAUSAL_LM"))
trained = [p for p in model.parameters() if p.requires_grad]
decay = [p for p in trained if p.ndim >= 2]
plain = [p for p in trained if p.ndim < 2]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.95), fused=True)
data = load_file(rows)
ids, targets = data["ids"], data["targets"]
steps, losses, seconds = ids.shape[0] // micro, [], []
for step in range(steps):
    start = time.perf_counter()
    x, y = ids[step * micro:(step + 1) * micro], targets[step * micro:(step + 1) * micro]
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = model(input_ids=x).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), y.flatten(), ignore_index=-100)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
    seconds.append(time.perf_counter() - start)
json.dump({"losses": losses, "seconds": seconds, "tokens": ids.shape[1] * micro}, open(out, "w"))
"""


DENSE = "model.layer.dense"
LORA = ["q_proj", "k_proj", "v_proj", "o_proj"]


def llama(width, layers, heads, kv_heads, hidden):
    return [f"model.width={width}", f"{DENSE}.repeat={layers}", f"{DENSE}.attention.heads={heads}", f"{DENSE}.attention.kv_heads={kv_heads}",
            f"{DENSE}.ffn.hidden={hidden}"]


MODELS = {
    "quickstart": [],
    "30m": llama(512, 10, 8, 4, 1376),
    "125m": llama(768, 19, 12, 4, 2048),
    "moe": [DENSE + '={type="moe",repeat=6,attention={type="gqa",heads=8,kv_heads=4,position={type="rope"}},router={type="topk",experts=8,k=2},'
            'paths={type="swiglu_experts",hidden=344}}', "export.hf.architecture=mixtral"],
}


def settings(options, masked):
    words = [f"run.steps={options.steps}", f"run.threads={options.threads}", "log.every=1", f"batch.document_mask={'true' if masked else 'false'}",
             f"optimizer.lr={options.lr}", 'schedule={type="constant"}', "~eval", "~generate", f"run.dtype={options.dtype}",
             f"batch.micro={options.batch}", f"batch.global={options.batch}", *MODELS[options.model]]
    if options.lora:
        words += ['adapter={type="lora",rank=8,alpha=16}', "export.hf.merge_adapter=true"]
    return [word for setting in words for word in ("--set", setting)]


def mortise_run(options, work, masked):
    """Trains and returns (tokens per second by step, losses, peak resident bytes, run directory)."""
    run_dir = work / f"run-{masked}"
    command = [options.mortise, "run", options.recipe, "--quiet", "--set", f"run.dir={run_dir}", *settings(options, masked)]
    with open(work / "log", "w", encoding="utf-8") as log:
        status, _, peak, output = rival.run_measured(command, env=rival.fixed_threads(options.threads), stderr=log)
    if status != 0:
        sys.exit(f"mortise run failed with {status}:\n{output}\n{(work / 'log').read_text()[-2000:]}")
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    return [row["tokens_per_s"] for row in steps], [row["loss"] for row in steps], peak, run_dir


def transformers_run(options, work, run_dir):
    """Trains the same configuration on the same rows; returns what the rival wrote and its peak resident bytes."""
    rows, out = work / "rows.safetensors", work / "rival.json"
    subprocess.run([options.mortise, "data", "batches", options.recipe, "--rows", str(options.steps * options.batch), "--to", str(rows), *settings(options, False)], check=True)
    command = [sys.executable, "-c", RIVAL, str(run_dir / "export" / "hf"), str(rows), str(out), str(options.batch), str(options.lr), str(options.threads),
               json.dumps(LORA if options.lora else []), options.dtype]
    status, _, peak, _ = rival.run_measured(command, env=rival.fixed_threads(options.threads))
    if status != 0:
        sys.exit(f"the rival failed with {status}")
    return json.loads(out.read_text()), peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=rival.ROOT / "build" / "release")
    parser.add_argument("--model", choices=MODELS, default="quickstart")
    parser.add_argument("--lora", action="store_true", help="rank 8 beside the projections of attention")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--recipe", default=str(rival.ROOT / "configs" / "recipes" / "quickstart.toml"))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=8, help="rows a step, as in the recipe")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.mortise = str(options.build.resolve() / "bin" / "mortise")
    skip = options.steps // 4
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            speed, losses, peak, run_dir = mortise_run(options, work, masked=False)
            theirs, their_peak = transformers_run(options, work, run_dir)
            masked_speed = mortise_run(options, work, masked=True)[0]
        rounds.append({"ours": statistics.median(speed[skip:]), "masked": statistics.median(masked_speed[skip:]),
                       "theirs": theirs["tokens"] / statistics.median(theirs["seconds"][skip:])})
    rival.report(bench=f"train_{options.model}", lora=options.lora, dtype=options.dtype, threads=options.threads, steps=options.steps, rounds=rounds,
                 mortise_tokens_per_s=statistics.median(r["ours"] for r in rounds), transformers_tokens_per_s=statistics.median(r["theirs"] for r in rounds),
                 speed_ratio=statistics.median(r["ours"] / r["theirs"] for r in rounds),
                 mortise_with_document_borders_tokens_per_s=statistics.median(r["masked"] for r in rounds), mortise_peak_resident_bytes=peak,
                 transformers_peak_resident_bytes=their_peak, memory_ratio=peak / their_peak, mortise_losses=[losses[0], losses[-1]],
                 transformers_losses=[theirs["losses"][0], theirs["losses"][-1]])


if __name__ == "__main__":
    rival.ensure_environment(__file__)
    main()
