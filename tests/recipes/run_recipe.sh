#!/usr/bin/env bash
# run_recipe.sh MORTISE RECIPE STEPS: runs a recipe for a few steps in a folder of its own.  Exit 77 (skipped) without WordNet.
set -euo pipefail
mortise=$1 recipe=$2 steps=$3
[ -e /usr/share/wordnet/data.noun ] || { echo "SKIPPED: the recipe reads WordNet; apt-get install wordnet-base"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$mortise" run "$recipe" --set run.dir="$work/run" --set run.steps="$steps" --set eval.dev.limit=20 --set generate.max_new_tokens=4
grep -q '"status": *"done"' "$work/run/status.json" || { cat "$work/run/status.json"; exit 1; }
