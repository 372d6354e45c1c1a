"""Makes the optimizer and schedule goldens: AdamW by torch.optim, Lion by the paper's equations in float64, schedules by
`transformers`.

AdamW (Loshchilov & Hutter, arXiv:1711.05101): fused and plain CPU kernels of torch must agree; the plain one is kept.
Lion (Chen et al., arXiv:2302.06675, algorithm 2): c = b1 m + (1-b1) g; w -= lr (sign(c) + wd w); m = b2 m + (1-b2) g.
Tensor names in *.safetensors: CASE.INDEX.{param0, gradK, paramK, exp_avgK, exp_avg_sqK | mK}, K = 1..5 after step K.

    python tests/golden/optim/make_optim.py
"""

import json
import math
import platform
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
import transformers

HERE = Path(__file__).resolve().parent
NUM_STEPS = 5
SHAPES = [(7,), (3, 5), (1,), (2, 3, 4), (37,)]

ADAMW = {
    "default": dict(lr=[1e-3] * 5, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01),
    "no_decay": dict(lr=[1e-2] * 5, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0),
    "strong_decay": dict(lr=[0.1, 0.05, 0.2, 0.0, 0.03], beta1=0.8, beta2=0.99, eps=1e-6, weight_decay=0.3),
    "large_eps": dict(lr=[3e-2] * 5, beta1=0.0, beta2=0.9, eps=0.1, weight_decay=0.1),
}
LION = {
    "default": dict(lr=[1e-4] * 5, beta1=0.9, beta2=0.99, weight_decay=0.0),
    "decay": dict(lr=[1e-2, 2e-2, 5e-3, 0.0, 1e-2], beta1=0.95, beta2=0.98, weight_decay=1.0),
    "plain_sign": dict(lr=[3e-3] * 5, beta1=0.0, beta2=0.5, weight_decay=0.1),
}


def draw(seed):
    """Draws parameters and gradients: ordinary, zero, tiny (1e-12) and large (1e4) entries, signs mixed."""
    rng = np.random.default_rng(seed)
    params = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    grads = []
    for _ in range(NUM_STEPS):
        step = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
        step[4] *= np.repeat(np.float32([0, 1e-12, 1e-4, 1, 1e4]), [6, 6, 6, 13, 6])
        grads.append(step)
    return params, grads


def run_adamw(hyper, params, grads, fused):
    weights = [torch.nn.Parameter(torch.tensor(p)) for p in params]
    optimizer = torch.optim.AdamW(weights, lr=1.0, betas=(hyper["beta1"], hyper["beta2"]), eps=hyper["eps"],
                                  weight_decay=hyper["weight_decay"], fused=fused, foreach=False if not fused else None)
    out = {}
    for k, (lr, step) in enumerate(zip(hyper["lr"], grads), start=1):
        optimizer.param_groups[0]["lr"] = lr
        for weight, grad in zip(weights, step):
            weight.grad = torch.tensor(grad)
        optimizer.step()
        for i, weight in enumerate(weights):
            out[f"{i}.param{k}"] = weight.detach().clone()
            out[f"{i}.exp_avg{k}"] = optimizer.state[weight]["exp_avg"].clone()
            out[f"{i}.exp_avg_sq{k}"] = optimizer.state[weight]["exp_avg_sq"].clone()
    return out


def run_lion(hyper, params, grads):
    b1, b2, decay = hyper["beta1"], hyper["beta2"], hyper["weight_decay"]
    out = {}
    for i in range(len(SHAPES)):
        weight, m = params[i].astype(np.float64), np.zeros(SHAPES[i])
        for k, (lr, step) in enumerate(zip(hyper["lr"], grads), start=1):
            grad = step[i].astype(np.float64)
            direction = b1 * m + (1 - b1) * grad
            # a sign that float32 rounding could flip would make the golden unfair
            scale = b1 * np.abs(m) + (1 - b1) * np.abs(grad)
            assert np.all((direction == 0) | (np.abs(direction) > 1e-5 * scale)), "draw another seed"
            weight = weight - lr * (np.sign(direction) + decay * weight)
            m = b2 * m + (1 - b2) * grad
            out[f"{i}.param{k}"], out[f"{i}.m{k}"] = torch.tensor(weight), torch.tensor(m)
    return out


def with_inputs(case, out, params, grads):
    named = {f"{case}.{key}": value for key, value in out.items()}
    for i in range(len(SHAPES)):
        named[f"{case}.{i}.param0"] = torch.tensor(params[i])
        for k in range(NUM_STEPS):
            named[f"{case}.{i}.grad{k + 1}"] = torch.tensor(grads[k][i])
    return named


def make_adamw():
    tensors, facts = {}, {}
    for seed, (case, hyper) in enumerate(ADAMW.items(), start=10):
        params, grads = draw(seed)
        plain, fused = run_adamw(hyper, params, grads, False), run_adamw(hyper, params, grads, True)
        gap = max(((plain[k] - fused[k]).abs() / (1e-6 + plain[k].abs())).max().item() for k in plain)
        assert gap < 1e-5, (case, gap)
        facts[case] = {**hyper, "num_tensors": len(SHAPES), "num_steps": NUM_STEPS, "fused_vs_plain_rel": gap}
        tensors.update(with_inputs(case, plain, params, grads))
    save("adamw", tensors, facts)


def make_lion():
    tensors, facts = {}, {}
    for seed, (case, hyper) in enumerate(LION.items(), start=20):
        params, grads = draw(seed)
        facts[case] = {**hyper, "num_tensors": len(SHAPES), "num_steps": NUM_STEPS, "results_dtype": "float64"}
        tensors.update(with_inputs(case, run_lion(hyper, params, grads), params, grads))
    save("lion", tensors, facts)


def save(name, tensors, facts):
    safetensors.torch.save_file(tensors, HERE / f"{name}.safetensors", metadata={"format": "pt"})
    write_json(f"{name}.json", {"made_by": "tests/golden/optim/make_optim.py", "versions": versions(), "cases": facts})


def library_factors(make, steps):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return factors


def library_schedule(optimizer, warmup, total, min_ratio):
    if min_ratio == 0:
        return transformers.get_cosine_schedule_with_warmup(optimizer, warmup, total)
    return transformers.get_cosine_with_min_lr_schedule_with_warmup(optimizer, warmup, total, min_lr_rate=min_ratio)


def our_factor(step, warmup, total, min_ratio):
    """warmup_cosine: linear from 0, then cosine from 1 down to min_ratio, which holds after `total` steps."""
    if step < warmup:
        return step / max(1, warmup)
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress))


def make_schedule():
    cases = []
    for warmup, total in [(0, 10), (1, 10), (10, 100), (7, 8), (5, 5), (100, 333), (0, 1)]:
        for min_ratio in (0.0, 0.1, 0.5):
            library = library_factors(lambda o: library_schedule(o, warmup, total, min_ratio), total + 1)
            ours = [our_factor(step, warmup, total, min_ratio) for step in range(total + 21)]
            # the library never holds: past `total` its cosine rises again, so only steps 0..total are shared
            gap = max(abs(library[s] - ours[s]) for s in range(total + 1))
            assert gap < 1e-12, (warmup, total, min_ratio, gap)
            cases.append({"warmup_steps": warmup, "total_steps": total, "min_ratio": min_ratio,
                          "transformers": library, "mortise": ours, "largest_gap": gap})
    write_json("schedule.json", {
        "made_by": "tests/golden/optim/make_optim.py", "versions": versions(),
        "notes": "factor at step s (0-based, before the optimizer step s). `transformers` covers 0..total, `mortise` "
                 "goes 20 steps beyond and holds min_ratio there.", "cases": cases}, indent=None)


def write_json(name, value, indent=1):
    (HERE / name).write_text(json.dumps(value, indent=indent) + "\n")


def versions():
    return {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
            "safetensors": safetensors.__version__, "python": platform.python_version()}


def main():
    torch.set_num_threads(1)
    print(versions())
    make_adamw()
    make_lion()
    make_schedule()
    for path in sorted(HERE.glob("*.[js]*")):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
