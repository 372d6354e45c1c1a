#!/usr/bin/env bash
# old_cpu_test.sh BUILD SOURCE: on a processor of 2008 (x86-64-v2: no AVX, no FMA) a tiny model, trained here, loads,
# generates, and scores as it does here.  qemu-x86_64 plays the processor; a newer instruction would be SIGILL.
set -euo pipefail
build=$1 source=$2
qemu=$(command -v qemu-x86_64-static || command -v qemu-x86_64 || true)
if [ -z "$qemu" ]; then
  echo "skipped: qemu-x86_64 is not installed (apt-get install qemu-user-static)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_DATA_HOME=$work OMP_WAIT_POLICY=passive
mortise=$build/bin/mortise
old() { "$qemu" -cpu Nehalem "$mortise" "$@"; }

"$mortise" run "$source/tests/recipes/tiny.toml" --set run.steps=10 --set run.dir="$work/run" --quiet

old doctor > "$work/doctor" || true
grep '^machine' "$work/doctor"
if grep -q 'avx' "$work/doctor"; then
  echo "the emulated processor has AVX: this tests nothing"
  exit 1
fi

old generate --model "$work/run" --prompt "the old" --max-new-tokens 8 --threads 1 > "$work/said"
cat "$work/said"
grep -q '^the old.' "$work/said"

perplexity() { sed -n 's/.*perplexity //p' "$1"; }
old score --model "$work/run" --text "the old man went home" --threads 1 > "$work/old"
"$mortise" score --model "$work/run" --text "the old man went home" --threads 1 > "$work/new"
echo "perplexity $(perplexity "$work/old") on the old processor, $(perplexity "$work/new") here"
awk -v a="$(perplexity "$work/old")" -v b="$(perplexity "$work/new")" \
  'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 1 && d <= 1e-4 * b) }'
