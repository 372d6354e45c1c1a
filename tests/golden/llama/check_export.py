"""Checks a folder exported by Mortise against the real `transformers` library.

    mortise score --model DIR --ids 1,2,3 --logits F.safetensors
    python tests/golden/llama/check_export.py DIR F.safetensors

Loads DIR with transformers (fp32, eager attention), refuses missing, unexpected or misshapen tensors, runs `ids` [T]
of F and asserts |logits - theirs| <= 1e-5 + 1e-5*|theirs| for every entry of `logits` [T,V]. Exit code 0 = equal, 1 = not.
"""

import argparse
import sys

import safetensors.torch
import torch
import transformers
from transformers import AutoModelForCausalLM


def load_strictly(folder):
    model, info = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32,
                                                       output_loading_info=True)
    problems = {k: sorted(map(str, v)) for k, v in info.items()
                if k in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs") and v}
    if problems:
        sys.exit(f"check_export: {folder} does not load cleanly: {problems}")
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="exported Hugging Face folder")
    parser.add_argument("logits", help="safetensors file with ids [T] and logits [T,V]")
    parser.add_argument("--rtol", type=float, default=1e-5)
    parser.add_argument("--atol", type=float, default=1e-5)
    args = parser.parse_args()

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    ours = safetensors.torch.load_file(args.logits)
    for key, rank in (("ids", 1), ("logits", 2)):
        if key not in ours or ours[key].dim() != rank:
            sys.exit(f"check_export: {args.logits}: expected tensor '{key}' of rank {rank}, got "
                     f"{ {k: list(v.shape) for k, v in ours.items()} }")
    ids_T, logits_TV = ours["ids"].long(), ours["logits"].float()
    with torch.no_grad():
        theirs_TV = load_strictly(args.folder)(input_ids=ids_T[None], use_cache=False).logits[0]
    if logits_TV.shape != theirs_TV.shape:
        sys.exit(f"check_export: logits have shape {list(logits_TV.shape)}, transformers gives {list(theirs_TV.shape)}")

    difference_TV = (logits_TV - theirs_TV).abs()
    excess_TV = difference_TV - (args.atol + args.rtol * theirs_TV.abs())
    # not (excess <= 0): a NaN on either side must fail too
    num_bad = int((~(excess_TV <= 0)).sum())
    row, column = divmod(int(difference_TV.argmax()), difference_TV.shape[1])
    print(f"torch {torch.__version__} transformers {transformers.__version__}: {difference_TV.numel()} logits, "
          f"largest |difference| {difference_TV.max():.3g} at [{row},{column}] "
          f"(ours {logits_TV[row, column]:.9g}, transformers {theirs_TV[row, column]:.9g}), {num_bad} outside tolerance")
    sys.exit(1 if num_bad else 0)


if __name__ == "__main__":
    main()
