"""Makes tests/golden/optimizers.json and optimizers.safetensors: SGD and Muon by torch.optim, Adafactor by `transformers`,
schedules by torch.optim.lr_scheduler and `transformers`.

Every optimizer case runs twice: with the library as it is on fp32 parameters, and on float64 parameters. The float64 results are
what tests compare with; the script asserts that both agree, and records how far they differ. Muon's library casts the matrix to
bfloat16 inside Newton-Schulz: `muon.*` replaces that one cast (the iteration stays the library's), `muon.*.bf16` keeps it.
Tensor names: CASE.INDEX.{param0, gradK, paramK}, K = 1..NUM_STEPS, after step K. 1-d tensors are absent from Muon's cases.

    python tests/golden/optimizers.py
"""

import inspect
import json
import platform
import warnings
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
import transformers
from torch.optim import _muon
from transformers.optimization import Adafactor, get_wsd_schedule

HERE = Path(__file__).resolve().parent
NUM_STEPS = 6
SHAPES = [(7,), (3, 5), (1,), (9, 4), (2, 3, 4), (1, 6), (33,)]
MATRICES = [(3, 5), (9, 4), (1, 6), (8, 8), (5, 17)]

SGD = {
    "plain": dict(),
    "momentum": dict(momentum=0.9),
    "decay_dampening": dict(momentum=0.8, dampening=0.3, weight_decay=0.1),
    "nesterov": dict(momentum=0.95, nesterov=True, weight_decay=0.05),
}
ADAFACTOR = {
    "absolute": dict(relative_step=False, scale_parameter=False),
    "scaled": dict(relative_step=False, scale_parameter=True, weight_decay=0.1),
    "momentum": dict(relative_step=False, scale_parameter=False, beta1=0.9, clip_threshold=0.5, weight_decay=0.02),
    "slow_decay": dict(relative_step=False, scale_parameter=True, decay_rate=-0.5, eps=(1e-20, 1e-2)),
    "relative": dict(relative_step=True, scale_parameter=True),  # its lr is min(1e-2, 1/sqrt(step))
}
MUON = {
    "original": dict(),
    "match_rms": dict(adjust_lr_fn="match_rms_adamw", weight_decay=0.0),
    "heavy_ball": dict(nesterov=False, momentum=0.8, weight_decay=0.3, ns_steps=3),
    "coefficients": dict(ns_coefficients=(2.0, -1.5, 0.5), ns_steps=7),
}
RATES = [0.02, 0.03, 0.01, 0.0, 0.05, 0.02]


def draw(shapes, seed):
    """Draws parameters and gradients; some are large, some small, some entries zero."""
    rng = np.random.default_rng(seed)
    params = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    grads = []
    for _ in range(NUM_STEPS):
        step = [(rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 2)).astype(np.float32) for shape in shapes]
        step[-1].flat[:3] = 0
        grads.append(step)
    return params, grads


def run(make, params, grads, dtype, sets_rate=True):
    weights = [torch.nn.Parameter(torch.tensor(p, dtype=dtype)) for p in params]
    optimizer = make(weights)
    out = {}
    for k, (rate, step) in enumerate(zip(RATES, grads), start=1):
        if sets_rate:
            optimizer.param_groups[0]["lr"] = rate
        for weight, grad in zip(weights, step):
            weight.grad = torch.tensor(grad, dtype=dtype)
        optimizer.step()
        for i, weight in enumerate(weights):
            out[f"{i}.param{k}"] = weight.detach().clone()
    return out


def gap(one, two):
    return max(((one[k].double() - two[k].double()).abs() / (1e-2 + two[k].double().abs())).max().item() for k in two)


def with_inputs(case, out, params, grads):
    named = {f"{case}.{key}": value for key, value in out.items()}
    for i, param in enumerate(params):
        named[f"{case}.{i}.param0"] = torch.tensor(param)
        for k in range(NUM_STEPS):
            named[f"{case}.{i}.grad{k + 1}"] = torch.tensor(grads[k][i])
    return named


def make_optimizers(tensors):
    facts = {"sgd": {}, "adafactor": {}, "muon": {}}
    seed = 40
    kinds = [("sgd", SGD, SHAPES, lambda w, h: torch.optim.SGD(w, lr=1.0, foreach=False, **h)),
             ("adafactor", ADAFACTOR, SHAPES, lambda w, h: Adafactor(w, lr=None if h["relative_step"] else 1.0, **h)),
             ("muon", MUON, MATRICES, lambda w, h: torch.optim.Muon(w, lr=1.0, **h))]
    library_newton_schulz = _muon._zeropower_via_newtonschulz
    for kind, cases, shapes, make in kinds:
        for name, hyper in cases.items():
            seed += 1
            params, grads = draw(shapes, seed)
            case = f"{kind}.{name}"
            sets_rate = not hyper.get("relative_step", False)
            single = run(lambda w: make(w, hyper), params, grads, torch.float32, sets_rate)
            if kind == "muon":
                tensors.update(with_inputs(case + ".bf16", single, params, grads))
                _muon._zeropower_via_newtonschulz = without_cast(library_newton_schulz)
                single = run(lambda w: make(w, hyper), params, grads, torch.float32)
            exact = run(lambda w: make(w, hyper), params, grads, torch.float64, sets_rate)
            _muon._zeropower_via_newtonschulz = library_newton_schulz
            distance = gap(single, exact)
            assert distance < 2e-4, (case, distance)
            tensors.update(with_inputs(case, exact, params, grads))
            facts[kind][name] = {**hyper, "lr": RATES if sets_rate else [1e-2] * NUM_STEPS, "num_tensors": len(shapes),
                                 "num_steps": NUM_STEPS, "fp32_rel": distance}
            print(case, f"{distance:.1e}")
    return facts


def without_cast(function):
    """The library's own iteration, in the precision of its argument."""
    source = inspect.getsource(function)
    assert source.count("grad.bfloat16()") == 1
    space = dict(vars(_muon))
    exec(source.replace("grad.bfloat16()", "grad.clone()"), space)
    return space[function.__name__]


def rates_of(make, steps, scores=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    out = []
    for step in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if scores is None else schedule.step(scores[step])
    return out


def make_schedules():
    lr = torch.optim.lr_scheduler
    out = {"cosine_restarts": [], "cyclic": [], "wsd": [], "plateau": []}
    for cycle, mult, floor in [(5, 1, 0.0), (4, 2, 0.1), (1, 3, 0.0), (7, 2, 0.5)]:
        out["cosine_restarts"].append({"cycle": cycle, "mult": mult, "min_ratio": floor, "factors": rates_of(
            lambda o: lr.CosineAnnealingWarmRestarts(o, cycle, mult, floor), 60)})
    for up, down, mode, gamma, floor in [(5, 0, "triangular", 1.0, 0.1), (3, 7, "triangular2", 1.0, 0.0),
                                         (4, 2, "exp_range", 0.97, 0.2), (1, 1, "triangular", 1.0, 0.5)]:
        out["cyclic"].append({"up": up, "down": down, "mode": mode, "gamma": gamma, "min_ratio": floor, "factors": rates_of(
            lambda o: lr.CyclicLR(o, floor, 1.0, up, down or None, mode, gamma, cycle_momentum=False), 60)})
    for warmup, decay, total, shape, floor in [(5, 10, 40, "linear", 0.0), (0, 12, 30, "cosine", 0.1), (3, 9, 12, "1-sqrt", 0.05),
                                               (4, 1, 20, "1-sqrt", 0.0), (6, 0, 20, "linear", 1.0)]:
        out["wsd"].append({"warmup": warmup, "decay": decay, "total": total, "shape": shape.replace("1-", ""), "min_ratio": floor,
                           "factors": rates_of(lambda o: get_wsd_schedule(o, warmup, decay, total, decay_type=shape,
                                                                          min_lr_ratio=floor), total + 1)})
    rng = np.random.default_rng(7)
    for mode, kind, threshold, patience, cooldown, factor, floor in [
            ("min", "rel", 1e-4, 2, 0, 0.5, 0.0), ("max", "rel", 0.05, 1, 2, 0.3, 0.01), ("min", "abs", 0.1, 0, 1, 0.1, 1e-3),
            ("max", "abs", 0.02, 3, 0, 0.7, 0.2), ("min", "rel", 1e-4, 0, 0, 0.01, 0.0)]:
        scores = np.cumsum(rng.standard_normal(40) * 0.2) + 3 + (-0.05 if mode == "min" else 0.05) * np.arange(40)
        scores = [float(s) for s in scores]
        out["plateau"].append({"mode": mode, "threshold_mode": kind, "threshold": threshold, "patience": patience,
                               "cooldown": cooldown, "factor": factor, "min_factor": floor, "scores": scores,
                               "factors": rates_of(lambda o: lr.ReduceLROnPlateau(
                                   o, mode, factor, patience, threshold, kind, cooldown, floor), 40, scores)})
    return out


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
                "safetensors": safetensors.__version__, "python": platform.python_version()}
    tensors = {}
    facts = make_optimizers(tensors)
    safetensors.torch.save_file(tensors, HERE / "optimizers.safetensors", metadata={"format": "pt"})
    text = json.dumps({"made_by": "tests/golden/optimizers.py", "versions": versions, **facts, "schedules": make_schedules()})
    (HERE / "optimizers.json").write_text(text.replace('"sgd"', '\n"sgd"').replace('{"cycle"', '\n{"cycle"') + "\n")


if __name__ == "__main__":
    main()
