"""Makes the parity goldens of every architecture beyond plain LLaMA with the real `transformers` library.

The files are those of ../llama (see make_llama.py, whose functions are used here): config.json, model.safetensors (or
shards + index), expected.safetensors and expected.json. Gradients carry the names and the layout that the tensors have on
disk. Every parameter is random, and for every key named under `ignored` the logits must move when a reader ignores it.

    python tests/golden/architectures/make_architectures.py [CASE...]     # rewrites the folders beside this script
"""

import json
import shutil
import sys
from pathlib import Path

import safetensors.torch
import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "llama"))
from make_llama import BATCH, MIN_MARGIN, NUM_NEW, evaluate, largest_difference, versions  # noqa: E402

COMMON = dict(bos_token_id=1, eos_token_id=2, max_position_embeddings=128)
YARN = dict(rope_type="yarn", original_max_position_embeddings=16, factor=4.0, beta_fast=4.0, beta_slow=0.25)

# family: prefix of the library's classes. dialect: how config.json spells rope and dtype ("library": as it is saved).
# ignored: config changes that stand for a reader which ignores a key.
CASES = {
    "gpt2": dict(
        doc="untied head, tanh gelu, inner width of its own, prefix `transformer.`", family="GPT2", T=17, dialect="library",
        config=dict(vocab_size=83, n_embd=30, n_layer=2, n_head=5, n_inner=52, n_positions=96, layer_norm_epsilon=3e-4,
                    tie_word_embeddings=False, bos_token_id=1, eos_token_id=2),
        ignored=dict(layer_norm_epsilon=dict(layer_norm_epsilon=1e-5), n_head=dict(n_head=3),
                     activation_function=dict(activation_function="relu"))),
    "gpt2_bare": dict(
        doc="no prefix, causal masks among the tensors (as in the original release), tied, exact gelu, n_inner null",
        family="GPT2", T=11, dialect="v4", bare=True,
        config=dict(vocab_size=71, n_embd=20, n_layer=3, n_head=2, n_inner=None, n_positions=80, layer_norm_epsilon=1e-3,
                    activation_function="gelu", bos_token_id=1, eos_token_id=2),
        ignored=dict(layer_norm_epsilon=dict(layer_norm_epsilon=1e-5),
                     activation_function=dict(activation_function="relu"))),
    "gpt_neox": dict(
        doc="parallel residual, a quarter of each head turned, keys of transformers 4", family="GPTNeoX", T=15, dialect="v4",
        config=dict(vocab_size=71, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52,
                    layer_norm_eps=4e-4, rope_parameters=dict(rope_type="default", rope_theta=500.0,
                                                              partial_rotary_factor=0.25), **COMMON),
        ignored=dict(rotary_pct=dict(rope_parameters=dict(rope_type="default", rope_theta=500.0,
                                                          partial_rotary_factor=0.5)),
                     rotary_emb_base=dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                               partial_rotary_factor=0.25)),
                     use_parallel_residual=dict(use_parallel_residual=False))),
    "gpt_neox_sequential": dict(
        doc="sequential residual, no attention biases, tanh gelu, tied, half of each head turned, two shards",
        family="GPTNeoX", T=13, dialect="library", shard="40KB",
        config=dict(vocab_size=67, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=41,
                    layer_norm_eps=4e-4, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new",
                    tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=2000.0,
                                                                   partial_rotary_factor=0.5), **COMMON),
        ignored=dict(use_parallel_residual=dict(use_parallel_residual=True), hidden_act=dict(hidden_act="relu"))),
    "mistral": dict(
        doc="sliding window of 6 under a text of 19, 6 query heads on 2 kv heads, head_dim of its own", family="Mistral",
        T=19, dialect="v4",
        config=dict(vocab_size=89, hidden_size=28, intermediate_size=45, num_hidden_layers=3, num_attention_heads=6,
                    num_key_value_heads=2, head_dim=10, rms_norm_eps=3e-4, sliding_window=6,
                    rope_parameters=dict(rope_type="default", rope_theta=700.0), **COMMON),
        ignored=dict(sliding_window=dict(sliding_window=None), wrong_by_one=dict(sliding_window=7))),
    "qwen2": dict(
        doc="biases on query, key, value; windows of 5 from layer 1 on (max_window_layers); tied", family="Qwen2", T=14,
        dialect="v4",
        config=dict(vocab_size=93, hidden_size=32, intermediate_size=44, num_hidden_layers=3, num_attention_heads=4,
                    num_key_value_heads=2, rms_norm_eps=3e-4, use_sliding_window=True, sliding_window=5,
                    max_window_layers=1, tie_word_embeddings=True,
                    rope_parameters=dict(rope_type="default", rope_theta=900.0), **COMMON),
        ignored=dict(use_sliding_window=dict(use_sliding_window=False, layer_types=None),
                     max_window_layers=dict(max_window_layers=0, layer_types=None))),
    "qwen3": dict(
        doc="norms on heads, head_dim of its own, layer_types that alternate, keys of transformers 5", family="Qwen3", T=13,
        dialect="library",
        config=dict(vocab_size=79, hidden_size=24, intermediate_size=39, num_hidden_layers=3, num_attention_heads=4,
                    num_key_value_heads=1, head_dim=10, rms_norm_eps=2e-3, use_sliding_window=True, sliding_window=4,
                    layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                    rope_parameters=dict(rope_type="default", rope_theta=1500.0), **COMMON),
        ignored=dict(layer_types=dict(layer_types=["full_attention"] * 3), rms_norm_eps=dict(rms_norm_eps=1e-6))),
    "llama_yarn": dict(
        doc="yarn scaling under a text beyond the original context, attention factor by default", family="Llama", T=40,
        dialect="v4",
        config=dict(vocab_size=67, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, head_dim=16, rms_norm_eps=2e-4,
                    rope_parameters=dict(rope_theta=500.0, **YARN), **COMMON),
        ignored=dict(rope_scaling=dict(rope_parameters=dict(rope_type="default", rope_theta=500.0)),
                     attention_factor=dict(rope_parameters=dict(rope_theta=500.0, attention_factor=1.0, **YARN)),
                     beta_slow=dict(rope_parameters=dict(rope_theta=500.0, **{**YARN, "beta_slow": 1.0})))),
    "llama_yarn_v5": dict(
        doc="yarn with mscale and mscale_all_dim, ramp not rounded to whole pairs, keys of transformers 5", family="Llama",
        T=33, dialect="library",
        config=dict(vocab_size=61, hidden_size=20, intermediate_size=44, num_hidden_layers=2, num_attention_heads=2,
                    num_key_value_heads=1, head_dim=18, rms_norm_eps=2e-4, tie_word_embeddings=True,
                    rope_parameters=dict(rope_theta=800.0, mscale=1.5, mscale_all_dim=0.4, truncate=False, **YARN),
                    **COMMON),
        ignored=dict(mscale=dict(rope_parameters=dict(rope_theta=800.0, truncate=False, **YARN)),
                     truncate=dict(rope_parameters=dict(rope_theta=800.0, mscale=1.5, mscale_all_dim=0.4, **YARN)))),
    "llama_dynamic": dict(
        doc="dynamic NTK scaling under a text beyond max_position_embeddings; greedy tokens through the library's cache",
        family="Llama", T=37, dialect="v4", greedy_cached=True,
        config=dict(vocab_size=73, hidden_size=28, intermediate_size=36, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, head_dim=12, rms_norm_eps=2e-4, bos_token_id=1, eos_token_id=2,
                    max_position_embeddings=24,
                    rope_parameters=dict(rope_type="dynamic", factor=3.0, rope_theta=600.0)),
        ignored=dict(rope_scaling=dict(rope_parameters=dict(rope_type="default", rope_theta=600.0)))),
}


def make_config(case, **changes):
    cls = getattr(transformers, case["family"] + "Config")
    return cls(**json.loads(json.dumps({**case["config"], **changes})), attn_implementation="eager")


def model_class(case):
    return getattr(transformers, case["family"] + ("LMHeadModel" if case["family"] == "GPT2" else "ForCausalLM"))


def is_norm(name):
    return any(part in name for part in ("norm", "ln_1", "ln_2", "ln_f"))


def draw_parameters(model, seed):
    """Norms around 1 and biases around 0 (std 0.2), embeddings 0.4, other weights so that logits have std of about 2."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            z = torch.randn(p.shape, generator=generator)
            if name.endswith(".bias"):
                p.copy_(0.2 * z)
            elif is_norm(name):
                p.copy_(1 + 0.2 * z)
            elif any(part in name for part in ("embed_tokens", "embed_in", "wte", "wpe")):
                p.copy_(0.4 * z)
            else:
                inputs = p.shape[0] if ".c_" in name else p.shape[1]
                gain = 1.6 if any(k in name for k in ("q_proj", "k_proj", "c_attn", "query_key_value", "lm_head")) else 1.0
                p.copy_(gain / inputs ** 0.5 * z)


def disk_name(case, name):
    """The name on disk of a parameter of the library's model."""
    if case["family"] == "GPTNeoX" and name == "lm_head.weight":
        return "embed_out.weight"
    return name.removeprefix("transformer.") if case.get("bare") else name


def rewrite_tensors(case, folder):
    """Removes the prefix and adds the causal masks that the original GPT-2 files hold."""
    if not case.get("bare"):
        return
    tensors = {disk_name(case, k): v for k, v in safetensors.torch.load_file(folder / "model.safetensors").items()}
    positions = case["config"]["n_positions"]
    for layer in range(case["config"]["n_layer"]):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, positions, positions).tril()[..., :4, :4].contiguous()
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def rewrite_config(case, folder):
    """Spells rope and dtype as transformers 4 did."""
    if case["dialect"] == "library":
        return
    path = folder / "config.json"
    keys = json.loads(path.read_text())
    keys["torch_dtype"] = keys.pop("dtype")
    del keys["transformers_version"]
    rope = keys.pop("rope_parameters", None)
    if rope is not None:
        theta, part = rope.pop("rope_theta"), rope.pop("partial_rotary_factor", None)
        keys["rope_scaling"] = None if rope["rope_type"] == "default" else rope
        if case["family"] == "GPTNeoX":
            keys.update(rotary_emb_base=theta, rotary_pct=part)
        else:
            keys["rope_theta"] = theta
    if case["family"] == "Qwen2":
        del keys["layer_types"]  # max_window_layers decides
    path.write_text(json.dumps(keys, indent=2, sort_keys=True) + "\n")


@torch.no_grad()
def greedy(model, prompt, cached):
    """Returns NUM_NEW greedy tokens (no stop at eos) and the smallest gap between the best two logits."""
    ids, margin, cache = list(prompt), float("inf"), None
    for _ in range(NUM_NEW):
        fed = ids if cache is None else ids[-1:]
        out = model(input_ids=torch.tensor([fed]), use_cache=cached, past_key_values=cache)
        cache = out.past_key_values if cached else None
        last = out.logits[0, -1]
        top = last.topk(2).values
        margin = min(margin, (top[0] - top[1]).item())
        ids.append(int(last.argmax()))
    return ids[len(prompt):], margin


@torch.no_grad()
def moves_if_ignored(case, model, ids_BT, logits_BTV):
    moves = {}
    for key, change in case["ignored"].items():
        other = model_class(case)(make_config(case, **change)).float().eval()
        other.load_state_dict(model.state_dict())
        moves[key] = (other(input_ids=ids_BT, use_cache=False).logits - logits_BTV).abs().max().item()
        assert moves[key] > 1e-3, (key, moves)
    return moves


def reload(folder, attention):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32)
    return model.eval()


def expected_of(case, model, ids_BT):
    found = evaluate(model, ids_BT)
    return {"grad." + disk_name(case, k[5:]) if k.startswith("grad.") else k: v for k, v in found.items()}


def make_case(name, case, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = model_class(case)(make_config(case)).float()
    draw_parameters(model, seed)
    model.save_pretrained(folder, max_shard_size=case.get("shard", "1GB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    rewrite_tensors(case, folder)
    rewrite_config(case, folder)

    model = reload(folder, "eager")
    generator = torch.Generator().manual_seed(seed + 1)
    ids_BT = torch.randint(0, case["config"]["vocab_size"], (BATCH, case["T"]), generator=generator)
    prompt = ids_BT[0, :5].tolist()
    cached = case.get("greedy_cached", False)
    tokens, margin = greedy(model, prompt, cached)
    if margin < MIN_MARGIN or len(set(tokens)) < 12:
        return None
    model = reload(folder, "eager")  # dynamic scaling remembers the longest text
    expected = expected_of(case, model, ids_BT)
    other = expected_of(case, reload(folder, "sdpa"), ids_BT)
    safetensors.torch.save_file({"ids": ids_BT, **expected}, folder / "expected.safetensors", metadata={"format": "pt"})
    facts = {
        "case": name, "notes": case["doc"], "config_dialect": case["dialect"], "seed": seed,
        "made_by": "tests/golden/architectures/make_architectures.py", "versions": versions(),
        "greedy": {"prompt": prompt, "tokens": tokens, "smallest_margin": margin, "stops_at_eos": False,
                   "through_cache": cached},
        "cached_equals_uncached": not cached,
        "loss": expected["loss"].item(), "logits_std": expected["logits"].std().item(),
        "logits_move_if_ignored": moves_if_ignored(case, model, ids_BT, expected["logits"]),
        "library_against_itself_eager_vs_sdpa": largest_difference(expected, other),
    }
    (folder / "expected.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(versions())
    for index, (name, case) in enumerate(CASES.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        first = 1000 * (index + 20)
        facts = next(filter(None, (make_case(name, case, seed) for seed in range(first, first + 200))))
        sizes = {p.name: p.stat().st_size for p in sorted((HERE / name).iterdir())}
        print(name, "seed", facts["seed"], "loss %.4f" % facts["loss"], "logits std %.2f" % facts["logits_std"],
              facts["library_against_itself_eager_vs_sdpa"],
              facts["logits_move_if_ignored"], "margin %.1e" % facts["greedy"]["smallest_margin"], sizes)


if __name__ == "__main__":
    main()
