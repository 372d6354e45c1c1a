#!/usr/bin/env bash
# consumer.sh BUILD SOURCE: find_package(mortise) without components builds a plain plugin where no LibTorch can be found,
# the installed program sees it on --plugin-path, and a hash written at install is checked.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" --component sdk > "$work/install.log" || { cat "$work/install.log"; exit 1; }
export XDG_DATA_HOME=$work/data
cmake -S "$source/examples/custom_plugin/metric" -B "$work/build" -G Ninja -Dmortise_DIR="$work/prefix/lib/cmake/mortise" -DMORTISE_TORCH_DIR=/nowhere ${CXXFLAGS_EXTRA:+-DCMAKE_CXX_FLAGS="$CXXFLAGS_EXTRA"} > /dev/null
cmake --build "$work/build" > /dev/null
"$work/prefix/bin/mortise" inspect metric/token_f1 --plugin-path "$work/build/lib/mortise/plugins" | grep 'F1 of the words shared'
cmake --install "$work/build" --prefix "$work/prefix" > /dev/null
manifest=$work/prefix/lib/mortise/plugins/org.example.token_f1/plugin.toml
grep -q '^sha256 = "[0-9a-f]\{64\}"$' "$manifest" || { echo "no sha256 in $manifest"; exit 1; }
"$work/prefix/bin/mortise" inspect | grep 'org.example.token_f1 1.0.0'
"$work/prefix/bin/mortise" conform "$work/prefix/lib/mortise/plugins/org.example.token_f1/token_f1.so" --only 'plugin:'
