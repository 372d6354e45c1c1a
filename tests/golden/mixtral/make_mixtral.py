"""Makes the Mixtral parity goldens with the real `transformers` library: as tests/golden/llama, and the routed experts.

Per case a folder: config.json, model.safetensors as save_pretrained writes them (experts one by one), and
expected.safetensors: ids [B,T], logits [B,T,V], loss, routes.N [B*T,k] (experts of each token in layer N, ascending) and
grad.<our parameter name>, the gradients of the library's packed gate_up_proj cut into gate_proj and up_proj.
expected.json: greedy continuation, versions, and the margin of the closest routing decision: ties may legally differ, so
a seed whose margin is small is skipped. Every parameter is random, and there are more than two experts per choice.

    python tests/golden/mixtral/make_mixtral.py        # rewrites the folders beside this script
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
from transformers import MixtralConfig, MixtralForCausalLM

HERE = Path(__file__).resolve().parent
NUM_NEW = 64
MIN_MARGIN = 1e-3  # of greedy steps
MIN_ROUTE_MARGIN = 2e-4  # between the last chosen and the first left out, in router logits

CASES = {
    "mixtral_top2": dict(
        doc="5 experts, 2 a token, 6 query heads on 2 kv heads, head_dim 8, vocab 97, T 13",
        T=13, theta=20000.0,
        sizes=dict(vocab_size=97, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=6,
                   num_key_value_heads=2, head_dim=8, rms_norm_eps=3e-4, tie_word_embeddings=False,
                   num_local_experts=5, num_experts_per_tok=2)),
    "mixtral_window": dict(
        doc="7 experts, 3 a token, tied, a sliding window shorter than the text, three layers",
        T=17, theta=1e6,
        sizes=dict(vocab_size=83, hidden_size=20, intermediate_size=12, num_hidden_layers=3, num_attention_heads=4,
                   num_key_value_heads=1, head_dim=10, rms_norm_eps=5e-4, tie_word_embeddings=True,
                   num_local_experts=7, num_experts_per_tok=3, sliding_window=6)),
}


def draw_parameters(model, seed):
    """Norms around 1; weights so that logits have std of about 2 and router logits of about 1.5."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            z = torch.randn(p.shape, generator=generator)
            if name.endswith("norm.weight") or name.endswith("layernorm.weight"):
                p.copy_(1 + 0.2 * z)
            elif "embed_tokens" in name:
                p.copy_(0.4 * z)
            else:
                gain = 1.6 if any(k in name for k in ("q_proj", "k_proj", "lm_head", "gate.weight")) else 1.0
                p.copy_(gain / p.shape[-1] ** 0.5 * z)


def our_gradients(model):
    """The library's gradients under our names: its packed gate_up_proj [E,2F,D] holds gate, then up."""
    grads = {}
    for name, p in model.named_parameters():
        if name.endswith("mlp.experts.gate_up_proj"):
            gate, up = p.grad.chunk(2, dim=1)
            stem = name.removesuffix("gate_up_proj")
            grads[f"grad.{stem}gate_proj.weight"] = gate.clone().contiguous()
            grads[f"grad.{stem}up_proj.weight"] = up.clone().contiguous()
        elif name.endswith("mlp.experts.down_proj"):
            grads[f"grad.{name}.weight"] = p.grad.clone()
        else:
            grads[f"grad.{name}"] = p.grad.clone()
    return grads


def evaluate(model, ids_BT):
    model.zero_grad(set_to_none=True)
    out = model(input_ids=ids_BT, use_cache=False, output_router_logits=True)
    k = model.config.num_experts_per_tok
    routes, margin = {}, float("inf")
    for layer, logits in enumerate(out.router_logits):
        top = logits.detach().float().topk(k + 1, dim=-1)
        margin = min(margin, (top.values[:, k - 1] - top.values[:, k]).min().item())
        routes[f"routes.{layer}"] = top.indices[:, :k].sort(dim=-1).values.contiguous()
    loss = F.cross_entropy(out.logits[:, :-1].reshape(-1, out.logits.shape[-1]), ids_BT[:, 1:].reshape(-1))
    loss.backward()
    return {"logits": out.logits.detach().clone(), "loss": loss.detach().clone(), **routes, **our_gradients(model)}, margin


@torch.no_grad()
def greedy(model, prompt):
    ids, margin = list(prompt), float("inf")
    for _ in range(NUM_NEW):
        last = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        top = last.topk(2).values
        margin = min(margin, (top[0] - top[1]).item())
        ids.append(int(last.argmax()))
    return ids[len(prompt):], margin


def make_case(name, case, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    config = MixtralConfig(**case["sizes"], rope_parameters={"rope_type": "default", "rope_theta": case["theta"]},
                           max_position_embeddings=128, attn_implementation="eager", experts_implementation="eager")
    model = MixtralForCausalLM(config).float()
    draw_parameters(model, seed)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = MixtralForCausalLM.from_pretrained(folder, attn_implementation="eager", experts_implementation="eager",
                                               dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    ids_BT = torch.randint(0, case["sizes"]["vocab_size"], (2, case["T"]), generator=generator)
    expected, route_margin = evaluate(model, ids_BT)
    prompt = ids_BT[0, :5].tolist()
    tokens, margin = greedy(model, prompt)
    if margin < MIN_MARGIN or route_margin < MIN_ROUTE_MARGIN or len(set(tokens)) < 12:
        return None
    safetensors.torch.save_file({"ids": ids_BT, **expected}, folder / "expected.safetensors", metadata={"format": "pt"})
    facts = {
        "case": name, "notes": case["doc"], "seed": seed, "made_by": "tests/golden/mixtral/make_mixtral.py",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "safetensors": safetensors.__version__, "python": platform.python_version()},
        "greedy": {"prompt": prompt, "tokens": tokens, "smallest_margin": margin, "stops_at_eos": False},
        "smallest_route_margin": route_margin, "loss": expected["loss"].item(),
        "logits_std": expected["logits"].std().item(),
    }
    (folder / "expected.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for index, (name, case) in enumerate(CASES.items()):
        facts = next(filter(None, (make_case(name, case, seed) for seed in range(1000 * index, 1000 * index + 200))))
        print(name, "seed", facts["seed"], "loss %.4f" % facts["loss"], "logits std %.2f" % facts["logits_std"],
              "margins %.1e %.1e" % (facts["greedy"]["smallest_margin"], facts["smallest_route_margin"]))


if __name__ == "__main__":
    main()
