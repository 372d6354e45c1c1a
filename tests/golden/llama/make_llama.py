"""Makes the LLaMA parity goldens with the real `transformers` library.

Per case a folder: config.json, model.safetensors (or shards + index), expected.safetensors (ids [B,T], logits [B,T,V],
loss = mean next-token cross-entropy over all B*(T-1) shifted targets, grad.<parameter name>) and expected.json (greedy
continuation, versions, how much the library differs from itself). Every parameter is random: default initialisation
(norms of ones, zero biases, std 0.02) hides bugs. The model is reloaded from the files as written before it is
evaluated, so config.json is what the numbers belong to.

    python tests/golden/llama/make_llama.py            # rewrites the folders beside this script
"""

import json
import platform
import shutil
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).resolve().parent
BATCH = 2
NUM_NEW = 64
MIN_MARGIN = 1e-3  # a greedy step closer than this could legally differ between implementations

LLAMA3_ROPE = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)

# `rope`: None or the scaling parameters without theta. `dialect`: how config.json spells it.
CASES = {
    "gqa_head_dim": dict(
        doc="6 query heads on 2 kv heads, head_dim 8 although hidden/heads is 4, vocab 97, T 13, untied head",
        dialect="v4", T=13, theta=20000.0, rope=None, omit=(),
        sizes=dict(vocab_size=97, hidden_size=24, intermediate_size=56, num_hidden_layers=3, num_attention_heads=6,
                   num_key_value_heads=2, head_dim=8, rms_norm_eps=3e-4, tie_word_embeddings=False)),
    "tied_mha": dict(
        doc="tied embeddings; num_key_value_heads and head_dim absent from config.json (they default)",
        dialect="v4", T=11, theta=5000.0, rope=None, omit=("num_key_value_heads", "head_dim"),
        sizes=dict(vocab_size=101, hidden_size=36, intermediate_size=52, num_hidden_layers=2, num_attention_heads=3,
                   num_key_value_heads=3, head_dim=12, rms_norm_eps=1e-3, tie_word_embeddings=True)),
    "llama3_rope_bias": dict(
        doc="llama3 rope scaling, T beyond the original context, attention_bias and mlp_bias",
        dialect="v4", T=40, theta=500.0, rope=dict(rope_type="llama3", **LLAMA3_ROPE), omit=(),
        sizes=dict(vocab_size=67, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=2, head_dim=16, rms_norm_eps=2e-4, tie_word_embeddings=False,
                   attention_bias=True, mlp_bias=True)),
    "llama3_rope_v5": dict(
        doc="llama3 rope scaling in the transformers 5 dialect (rope_parameters, dtype), tied, one kv head",
        dialect="v5", T=40, theta=2000.0, rope=dict(rope_type="llama3", **{**LLAMA3_ROPE, "factor": 4.0}), omit=(),
        sizes=dict(vocab_size=71, hidden_size=40, intermediate_size=60, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=1, head_dim=16, rms_norm_eps=4e-4, tie_word_embeddings=True)),
    "linear_rope": dict(
        doc="linear rope scaling, written with the old key `type`; factor is not an integer",
        dialect="v4_type", T=19, theta=10000.0, rope=dict(rope_type="linear", factor=2.5), omit=("head_dim",),
        sizes=dict(vocab_size=89, hidden_size=30, intermediate_size=41, num_hidden_layers=2, num_attention_heads=5,
                   num_key_value_heads=5, head_dim=6, rms_norm_eps=1e-4, tie_word_embeddings=False)),
    "sharded": dict(
        doc="config.json, shards and index exactly as save_pretrained(max_shard_size=...) writes them",
        dialect="library", T=9, theta=10000.0, rope=None, omit=(),
        sizes=dict(vocab_size=83, hidden_size=20, intermediate_size=36, num_hidden_layers=3, num_attention_heads=4,
                   num_key_value_heads=2, head_dim=10, rms_norm_eps=5e-4, tie_word_embeddings=False)),
}


def make_config(case):
    rope = {"rope_type": "default", **(case["rope"] or {}), "rope_theta": case["theta"]}
    return LlamaConfig(**case["sizes"], rope_parameters=rope, max_position_embeddings=128, bos_token_id=1,
                       eos_token_id=2, attn_implementation="eager")


def draw_parameters(model, seed):
    """Draws every parameter: norms around 1, biases around 0 (std 0.2), weights so that logits have std of about 2."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            z = torch.randn(p.shape, generator=generator)
            if name.endswith("norm.weight") or name.endswith("layernorm.weight"):
                p.copy_(1 + 0.2 * z)
            elif name.endswith(".bias"):
                p.copy_(0.2 * z)
            elif "embed_tokens" in name:
                p.copy_(0.4 * z)
            else:
                gain = 1.6 if any(k in name for k in ("q_proj", "k_proj", "lm_head")) else 1.0
                p.copy_(gain / p.shape[1] ** 0.5 * z)


def write_config(case, config, folder):
    """Writes config.json in the dialect of the case; `library` leaves what save_pretrained wrote."""
    if case["dialect"] == "library":
        return
    keys = dict(architectures=["LlamaForCausalLM"], model_type="llama", **case["sizes"], hidden_act="silu",
                max_position_embeddings=128, attention_dropout=0.0, initializer_range=0.02, pretraining_tp=1,
                bos_token_id=1, eos_token_id=2, use_cache=True)
    keys.setdefault("attention_bias", False)
    keys.setdefault("mlp_bias", False)
    if case["dialect"] == "v5":
        keys.update(dtype="float32", rope_parameters={"rope_theta": case["theta"], **case["rope"]})
    else:
        scaling = dict(case["rope"]) if case["rope"] else None
        if case["dialect"] == "v4_type":
            scaling["type"] = scaling.pop("rope_type")
        keys.update(torch_dtype="float32", rope_theta=case["theta"], rope_scaling=scaling)
    for key in case["omit"]:
        del keys[key]
    (folder / "config.json").write_text(json.dumps(keys, indent=2, sort_keys=True) + "\n")


def evaluate(model, ids_BT):
    model.zero_grad(set_to_none=True)
    logits_BTV = model(input_ids=ids_BT, use_cache=False).logits
    loss = F.cross_entropy(logits_BTV[:, :-1].reshape(-1, logits_BTV.shape[-1]), ids_BT[:, 1:].reshape(-1))
    loss.backward()
    grads = {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
    return {"logits": logits_BTV.detach().clone(), "loss": loss.detach().clone(), **grads}


@torch.no_grad()
def greedy(model, prompt):
    """Returns NUM_NEW greedy tokens (no stop at eos) and the smallest gap between the best two logits."""
    ids, margin = list(prompt), float("inf")
    for _ in range(NUM_NEW):
        last = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        top = last.topk(2).values
        margin = min(margin, (top[0] - top[1]).item())
        ids.append(int(last.argmax()))
    return ids[len(prompt):], margin


def largest_difference(a, b):
    """Compares two evaluations: absolute for logits and loss, relative to the largest entry for gradients."""
    grads = [((a[k] - b[k]).abs().max() / a[k].abs().max()).item() for k in a if k.startswith("grad.")]
    return {"logits_abs": (a["logits"] - b["logits"]).abs().max().item(),
            "loss_abs": (a["loss"] - b["loss"]).abs().item(), "grad_rel_to_max": max(grads)}


@torch.no_grad()
def change_if_ignored(case, model, ids_BT, logits_BTV):
    """Returns how far the logits move when a reader ignores one key of config.json: the golden must notice each."""
    sizes = case["sizes"]
    variants = {"rms_norm_eps": dict(rms_norm_eps=1e-6),
                "rope_theta": dict(theta=500.0 if case["theta"] == 10000.0 else 10000.0)}
    if case["rope"]:
        variants["rope_scaling"] = dict(rope=None)
    moves = {}
    for key, change in variants.items():
        changed = {**case, **{k: v for k, v in change.items() if k in case},
                   "sizes": {**sizes, **{k: v for k, v in change.items() if k in sizes}}}
        other = LlamaForCausalLM(make_config(changed)).float().eval()
        other.load_state_dict(model.state_dict())
        moves[key] = (other(input_ids=ids_BT, use_cache=False).logits - logits_BTV).abs().max().item()
        assert moves[key] > 1e-3, (key, moves)
    return moves


def make_case(name, case, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = LlamaForCausalLM(make_config(case)).float()
    draw_parameters(model, seed)
    model.save_pretrained(folder, max_shard_size="40KB" if name == "sharded" else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_config(case, model.config, folder)

    model = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    ids_BT = torch.randint(0, case["sizes"]["vocab_size"], (BATCH, case["T"]), generator=generator)
    prompt = ids_BT[0, :5].tolist()
    tokens, margin = greedy(model, prompt)
    if margin < MIN_MARGIN or len(set(tokens)) < 12:
        return False
    expected = evaluate(model, ids_BT)
    other = LlamaForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32).eval()
    safetensors.torch.save_file({"ids": ids_BT, **expected}, folder / "expected.safetensors", metadata={"format": "pt"})
    facts = {
        "case": name, "notes": case["doc"], "config_dialect": case["dialect"], "seed": seed,
        "made_by": "tests/golden/llama/make_llama.py", "versions": versions(),
        "greedy": {"prompt": prompt, "tokens": tokens, "smallest_margin": margin, "stops_at_eos": False},
        "loss": expected["loss"].item(), "logits_std": expected["logits"].std().item(),
        "logits_move_if_ignored": change_if_ignored(case, model, ids_BT, expected["logits"]),
        "library_against_itself_eager_vs_sdpa": largest_difference(expected, evaluate(other, ids_BT)),
    }
    (folder / "expected.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def versions():
    return {"torch": torch.__version__, "transformers": transformers.__version__,
            "safetensors": safetensors.__version__, "python": platform.python_version()}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(versions())
    for index, (name, case) in enumerate(CASES.items()):
        facts = next(filter(None, (make_case(name, case, seed) for seed in range(1000 * index, 1000 * index + 100))))
        sizes = {p.name: p.stat().st_size for p in sorted((HERE / name).iterdir())}
        print(name, "seed", facts["seed"], "loss %.4f" % facts["loss"], "logits std %.2f" % facts["logits_std"],
              facts["library_against_itself_eager_vs_sdpa"],
              facts["logits_move_if_ignored"], "margin %.1e" % facts["greedy"]["smallest_margin"], sizes)


if __name__ == "__main__":
    main()
