#!/usr/bin/env bash
# zero_edits.sh SOURCE: a new component is five files in one new folder and no edit elsewhere: scaffolds one into a copy of
# the tree, builds it and runs its test.
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
for item in CMakeLists.txt CMakePresets.json sdk core plugins; do cp -r "$source/$item" "$work/tree/"; done
mkdir -p "$work/tree/tests"
cp -r "$source/tests/support" "$work/tree/tests/"
echo '' > "$work/tree/tests/CMakeLists.txt"
(cd "$work/tree" && find . -type f -exec sha256sum {} + | sort) > "$work/before"

folder=$work/tree/plugins/metric/probe
mkdir "$folder"
fill() { sed -e 's/@NAME@/probe/g; s/@CLASS@/Probe/g; s/@ID@/org.mortise.metric.probe/g'; }
fill < "$source/sdk/templates/metric/plugin.cpp" > "$folder/probe.cpp"
fill < "$source/sdk/templates/metric/test.cpp" > "$folder/probe_test.cpp"
echo '// The declarations of probe.cpp are its own.' > "$folder/probe.hpp"
echo '# metric/probe' > "$folder/README.md"
echo 'mortise_add_plugin(metric_probe SOURCES probe.cpp TESTS probe_test.cpp LINK mortise::sdk)' > "$folder/CMakeLists.txt"

cmake -S "$work/tree" -B "$work/build" -G Ninja -DMORTISE_TORCH=OFF -DCMAKE_BUILD_TYPE=Release > "$work/log" || { cat "$work/log"; exit 1; }
ninja -C "$work/build" plugin_metric_probe plugin_metric_probe_test > "$work/log" || { cat "$work/log"; exit 1; }
"$work/build/tests/plugin_metric_probe_test"
grep -q 'id = "org.mortise.metric.probe"' "$work/build/lib/mortise/plugins/org.mortise.metric.probe/plugin.toml"
rm -r "$folder"
(cd "$work/tree" && find . -type f -exec sha256sum {} + | sort) > "$work/after"
cmp "$work/before" "$work/after" # the build wrote nothing into the tree
