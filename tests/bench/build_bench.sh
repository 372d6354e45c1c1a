#!/usr/bin/env bash
# Build times of everything, as JSON: clean, one plugin edited (to its test's end), and clean again on a warm ccache.
# Usage: tests/bench/build_bench.sh [PRESET]     builds into build/bench with a ccache of its own
set -euo pipefail
cd "$(dirname "$0")/../.."
preset=${1:-ci}
export CCACHE_DIR=$PWD/build/bench-ccache
folder=build/bench
jobs=$(nproc)

seconds() {  # seconds LABEL COMMAND…
  local label=$1 start=$EPOCHREALTIME
  shift
  "$@" >"build/bench-$label.log" 2>&1 || { tail -20 "build/bench-$label.log" >&2; exit 1; }
  printf '  "%s_s": %.1f,\n' "$label" "$(bc <<<"$EPOCHREALTIME - $start")"
}
build() { cmake --preset "$preset" -B "$folder" && cmake --build "$folder" --parallel "$jobs"; }
edit() {
  touch_source=plugins/optimizer/lion/lion.cpp
  printf '\n' >>"$touch_source"
  cmake --build "$folder" --parallel "$jobs" --target plugin_optimizer_lion plugin_optimizer_lion_test && "$folder/tests/plugin_optimizer_lion_test"
}

mkdir -p build
rm -rf "$folder" "$CCACHE_DIR"
printf '{\n  "bench": "build", "preset": "%s", "jobs": %d,\n' "$preset" "$jobs"
seconds clean build
trap 'git checkout -q -- plugins/optimizer/lion/lion.cpp' EXIT
seconds one_plugin_edit edit
git checkout -q -- plugins/optimizer/lion/lion.cpp
rm -rf "$folder"
seconds warm_ccache build
printf '  "ccache": "own, removed before the clean build"\n}\n'
