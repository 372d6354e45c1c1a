#!/bin/sh
# Exports every golden model with `mortise export`, scores it with `mortise score --logits`, and lets transformers load
# the folder and compare.  Exit code 77 (skipped) when no Python with the golden requirements is named.
set -eu
source_dir=$1
build_dir=$2
if [ -z "${MORTISE_GOLDEN_PYTHON:-}" ]; then
  echo "skipped: MORTISE_GOLDEN_PYTHON names no Python with tests/golden/requirements.txt (see tests/golden/README.md)"
  exit 77
fi
mortise="$build_dir/bin/mortise"
if [ ! -x "$mortise" ]; then
  echo "skipped: $mortise is not built"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in "$source_dir"/tests/golden/llama/*/ "$source_dir"/tests/golden/architectures/*/ "$source_dir"/tests/golden/mixtral/*/; do
  case $folder in *__pycache__*) continue ;; esac
  name=$(basename "$folder")
  "$mortise" export "$folder" --to "$work/$name"
  "$mortise" score --model "$work/$name" --ids 1,2,3,5,8,13,21,34,55,60 --logits "$work/$name.safetensors" --json > "$work/$name.json"
  "$MORTISE_GOLDEN_PYTHON" "$source_dir/tests/golden/llama/check_export.py" "$work/$name" "$work/$name.safetensors"
done
