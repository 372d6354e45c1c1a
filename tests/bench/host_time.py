"""The share of a training step in which no ATen operation and none of sdk/ops runs: what the runtime itself costs.

Usage: tests/bench/host_time.py [--model quickstart|30m|125m|moe] [--build build/release] [--steps 4] [--threads 2]

Mortise profiles a few steps after the caches are full ([profile]); a step's host share is 1 − (union of the intervals of all aten:: and mortise::
events, and of the backward nodes of sdk/ops, whose kernels have no event of their own) / (the step).  The profiler's own work at each event counts as the host's, so the figure is an upper bound.  Aim: ≤ 3 % at 30 M.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

import rival
import train_bench


# What counts as an operation.  A forward pass of sdk/ops is an event mortise::NAME, its backward pass only a node of autograd.
WORK = ("aten::", "mortise::", "torch::autograd::CppNode<mortise::ops::")


def covered(intervals):
    """Length of the union of (begin, end) pairs."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def host_share(trace):
    events = [event for event in trace["traceEvents"] if event.get("ph") == "X"]
    step = max((event for event in events if event["name"].startswith("step")), key=lambda event: event["dur"])
    begin, end = step["ts"], step["ts"] + step["dur"]
    work = [(max(begin, event["ts"]), min(end, event["ts"] + event["dur"])) for event in events
            if event["name"].startswith(WORK) and begin <= event["ts"] < end]
    return 1 - covered(work) / step["dur"], len(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=train_bench.MODELS, default="30m")
    parser.add_argument("--build", type=pathlib.Path, default=rival.ROOT / "build" / "release")
    parser.add_argument("--recipe", default=str(rival.ROOT / "configs" / "recipes" / "quickstart.toml"))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.lr, options.batch, options.dtype, options.lora = 1e-3, 8, "fp32", False
    profiled = list(range(3, 3 + options.steps))
    options.steps += 2
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder) / "run"
        subprocess.run([str(options.build.resolve() / "bin" / "mortise"), "run", options.recipe, "--quiet", "--set", f"run.dir={run_dir}",
                        *train_bench.settings(options, masked=True), "--set", "~export", "--set", f"profile.steps={profiled}"],
                       check=True, env=rival.fixed_threads(options.threads))
        shares = [host_share(json.loads((run_dir / "profile" / f"step-{step}.json").read_text())) for step in profiled]
    rival.report(bench="host_time", model=options.model, threads=options.threads, steps=profiled, host_share=statistics.median(share for share, _ in shares),
                 shares=[share for share, _ in shares], events=shares[0][1])


if __name__ == "__main__":
    main()
