#!/bin/sh
# tensorboard_read_back.sh SOURCE BUILD: a run's event files, and those of a resumed run, are read back by the tensorboard package.
# Exit code 77 (skipped) when no Python with the golden requirements is named.
set -eu
source=$1 build=$2
if [ -z "${MORTISE_GOLDEN_PYTHON:-}" ] || ! "$MORTISE_GOLDEN_PYTHON" -c 'import tensorboard' 2>/dev/null; then
  echo "skipped: MORTISE_GOLDEN_PYTHON names no Python with tests/golden/requirements.txt (see tests/golden/README.md)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/mortise" run "$source/tests/recipes/tiny.toml" --set run.dir="$work/run" --set 'tracker.tb={type="tensorboard"}' \
  --set run.steps=12 --set checkpoint.every=6 --set eval.dev.every=4 --set generate.every=5 > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
printf 'a whole run      '
"$MORTISE_GOLDEN_PYTHON" "$source/tests/e2e/tensorboard_read_back.py" "$work/run"
# As if the process had died after the checkpoint of step 6: the resumed run opens a second file, which hides the end of the first.
rm -r "$work/run/ckpt/step-12"
echo step-6 > "$work/run/ckpt/latest"
"$build/bin/mortise" run --resume "$work/run" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
[ "$(ls "$work/run/tb" | wc -l)" = 2 ]
printf 'a resumed run    '
"$MORTISE_GOLDEN_PYTHON" "$source/tests/e2e/tensorboard_read_back.py" "$work/run"
