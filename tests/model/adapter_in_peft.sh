#!/bin/sh
# adapter_in_peft.sh SOURCE BUILD: a folder that Mortise wrote gives Mortise's logits in Python's peft: every kind of adapter, then
# those over other architectures.  Two limits that their pages tell: learned positions do not move (so neither prefix nor prompt over
# gpt2), and a sliding window never hides a prefix (so prefix over a model with one is compared on a text within the window).
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
MORTISE_ADAPTERS_OUT="$work/adapters" "$build/tests/model_test" -tc="what is written again*,adapters over models of every architecture*" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
# same BASE_FOLDER NAME [IDS]
same() {
  "$build/bin/mortise" score --model "$1" --adapter "$work/adapters/$2" --ids "${3:-5,17,3,40,22,9,31,8}" --logits "$work/$2.safetensors" > /dev/null
  printf '%-28s' "$2"
  "$python" -W ignore "$source/tests/golden/adapters.py" --check "$1" "$work/adapters/$2" "$work/$2.safetensors"
}
for name in lora rslora dora ia3 prefix prefix_projection prompt; do
  base=$(sed -n 's/.*"base": "\(.*\)",/\1/p' "$source/tests/golden/adapters/$name/expected.json")
  same "$source/tests/golden/llama/$base" "$name"
done
for folder in "$work"/adapters/*_over_*/; do
  name=$(basename "$folder")
  ids=
  case $name in
    prefix_over_gpt2 | prompt_over_gpt2) continue ;;
    prefix_over_mistral | prefix_over_qwen[23]) ids=5,17 ;;
  esac
  base="$source/tests/golden/architectures/${name#*_over_}"
  [ -d "$base" ] || base="$source/tests/golden/mixtral/${name#*_over_}"
  same "$base" "$name" $ids
done
