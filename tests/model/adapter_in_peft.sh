#!/bin/sh
# adapter_in_peft.sh SOURCE BUILD: a folder that Mortise wrote gives Mortise's logits in Python's peft.
# Exit code 77 (skipped) when no Python with the golden requirements is named.
set -eu
source=$1 build=$2
if [ -z "${MORTISE_GOLDEN_PYTHON:-}" ] || ! "$MORTISE_GOLDEN_PYTHON" -c 'import peft' 2>/dev/null; then
  echo "skipped: MORTISE_GOLDEN_PYTHON names no Python with tests/golden/requirements.txt (see tests/golden/README.md)"
  exit 77
fi
python=$MORTISE_GOLDEN_PYTHON
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/adapters"
MORTISE_ADAPTERS_OUT="$work/adapters" "$build/bin/model_test" -tc="what is written again is the same adapter, with peft's names" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for name in lora rslora dora ia3 prefix prefix_projection prompt; do
  base=$(sed -n 's/.*"base": "\(.*\)",/\1/p' "$source/tests/golden/adapters/$name/expected.json")
  "$build/bin/mortise" score --model "$source/tests/golden/llama/$base" --adapter "$work/adapters/$name" --ids 5,17,3,40,22,9,31,8 \
    --logits "$work/$name.safetensors" > /dev/null
  "$python" "$source/tests/golden/adapters.py" --check "$source/tests/golden/llama/$base" "$work/adapters/$name" "$work/$name.safetensors"
done
