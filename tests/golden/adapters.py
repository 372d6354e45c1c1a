"""Adapters by the real `peft` library, over the golden models of llama/.

    python tests/golden/adapters.py                      writes tests/golden/adapters/
    python tests/golden/adapters.py --check BASE ADAPTER LOGITS.safetensors

Per case: what `save_pretrained` writes (adapter_config.json, adapter_model.safetensors) and expected.safetensors (`ids` [B,T],
`logits` [B,T,V], the logits of the base as `base`, and for lora, rslora, dora and ia3 those of merge_and_unload as `merged`). All
fp32, eager attention. Every tensor of the adapter is drawn anew with std 0.3, so that nothing hides behind a zero start.
With --check it goes the other way: loads ADAPTER (written by Mortise) over BASE and compares with LOGITS (`ids` [T], `logits` [T,V]);
exit code 0 = equal.
"""

import argparse
import json
import os
import shutil
import sys

import peft
import safetensors.torch
import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "adapters")
LLAMA = os.path.join(HERE, "llama")
CASES = {
    # name: (base, config)
    "lora": ("gqa_head_dim", peft.LoraConfig(r=4, lora_alpha=10, target_modules=["q_proj", "v_proj", "down_proj"], rank_pattern={
        "layers.1.self_attn.q_proj": 2}, alpha_pattern={"v_proj": 3}, task_type="CAUSAL_LM")),
    "rslora": ("llama3_rope_bias", peft.LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=["k_proj", "o_proj", "up_proj"],
                                                   task_type="CAUSAL_LM")),
    "dora": ("llama3_rope_bias", peft.LoraConfig(r=3, lora_alpha=6, use_dora=True, target_modules=["q_proj", "o_proj", "gate_proj"],
                                                 task_type="CAUSAL_LM")),
    "ia3": ("llama3_rope_bias", peft.IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"],
                                               task_type="CAUSAL_LM")),
    "prefix": ("gqa_head_dim", peft.PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM")),
    "prefix_projection": ("gqa_head_dim", peft.PrefixTuningConfig(num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=7,
                                                                  task_type="CAUSAL_LM")),
    "prompt": ("gqa_head_dim", peft.PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")),
}


def load_base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def logits_of(model, ids_BT):
    with torch.no_grad():
        out = model(input_ids=ids_BT, attention_mask=torch.ones_like(ids_BT), use_cache=False).logits
    return out[:, out.shape[1] - ids_BT.shape[1]:].contiguous()  # virtual tokens of prompt tuning stand before them


def make(name, base_name, config):
    torch.manual_seed(sum(map(ord, name)))
    folder = os.path.join(OUT, name)
    shutil.rmtree(folder, ignore_errors=True)
    base = load_base(os.path.join(LLAMA, base_name))
    ids_BT = torch.randint(0, base.config.vocab_size, (2, 13))
    expected = {"ids": ids_BT, "base": logits_of(base, ids_BT)}
    model = peft.get_peft_model(base, config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn_like(parameter) * 0.3
            parameter.copy_(parameter + noise if "magnitude" in parameter_name or "ia3" in parameter_name else noise)
    expected["logits"] = logits_of(model, ids_BT)
    moved = (expected["logits"] - expected["base"]).abs().max().item()
    assert moved > 0.05, (name, moved)
    model.save_pretrained(folder)
    for leftover in ("README.md",):
        path = os.path.join(folder, leftover)
        if os.path.exists(path):
            os.remove(path)
    if name in ("lora", "rslora", "dora", "ia3"):
        expected["merged"] = logits_of(model.merge_and_unload(), ids_BT)
    path = os.path.join(folder, "adapter_config.json")
    with open(path) as f:
        saved = json.load(f)
    saved["base_model_name_or_path"] = f"../../llama/{base_name}"
    for key in ("target_modules", "feedforward_modules"):
        if isinstance(saved.get(key), list):
            saved[key].sort()
    with open(path, "w") as f:
        json.dump(saved, f, indent=2, sort_keys=True)
        f.write("\n")
    safetensors.torch.save_file(expected, os.path.join(folder, "expected.safetensors"))
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"base": base_name, "moved": moved, "peft": peft.__version__, "torch": torch.__version__,
                   "transformers": transformers.__version__}, f, indent=2)
        f.write("\n")
    print(f"{name}: logits move by {moved:.3g}; {sorted(safetensors.torch.load_file(os.path.join(folder, 'adapter_model.safetensors')))[:2]}")


def check(base, adapter, logits):
    ours = safetensors.torch.load_file(logits)
    model = peft.PeftModel.from_pretrained(load_base(base), adapter).eval()
    theirs_TV = logits_of(model, ours["ids"].long()[None])[0]
    difference = (ours["logits"].float() - theirs_TV).abs()
    excess = difference - (1e-5 + 1e-5 * theirs_TV.abs())
    print(f"peft {peft.__version__}: {difference.numel()} logits, largest |difference| {difference.max():.3g}")
    sys.exit(0 if bool((excess <= 0).all()) else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", nargs=3, metavar=("BASE", "ADAPTER", "LOGITS"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.check:
        check(*args.check)
    for name, (base, config) in CASES.items():
        make(name, base, config)


if __name__ == "__main__":
    main()
