#!/usr/bin/env bash
# templates.sh BUILD SOURCE: installs the SDK into a fresh folder, scaffolds one plugin of every kind there, and builds,
# tests and conform-runs them and the examples out of tree, in one configuration.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" --component sdk > "$work/install.log" || { cat "$work/install.log"; exit 1; }
# Some components use others (a layer its feed-forward part): those of the build serve.
export MORTISE_PLUGIN_PATH=$build/lib/mortise/plugins XDG_DATA_HOME=$work/data

torch=""
[ -e "$work/prefix/lib/mortise/engine.toml" ] && torch="COMPONENTS torch"
{
  echo 'cmake_minimum_required(VERSION 3.25)'
  echo 'project(all_templates LANGUAGES CXX)'
  echo 'enable_testing()'
  echo "find_package(mortise CONFIG REQUIRED $torch)"
} > "$work/CMakeLists.txt"
for folder in "$source"/sdk/templates/*/; do
  kind=$(basename "$folder")
  [ "$kind" = common ] && continue
  if [ -z "$torch" ] && grep -q 'mortise/torch/' "$folder/plugin.cpp"; then continue; fi
  "$work/prefix/bin/mortise" new-plugin "$kind" "my_$kind" --id org.example --dir "$work/$kind" > /dev/null
  echo "add_subdirectory($kind)" >> "$work/CMakeLists.txt"
done
for example in metric optimizer; do
  if [ -z "$torch" ] && [ "$example" = optimizer ]; then continue; fi
  cp -r "$source/examples/custom_plugin/$example" "$work/example_$example"
  echo "add_subdirectory(example_$example)" >> "$work/CMakeLists.txt"
done
cmake -S "$work" -B "$work/build" -G Ninja -Dmortise_DIR="$work/prefix/lib/cmake/mortise" -DCMAKE_BUILD_TYPE=Release ${CXXFLAGS_EXTRA:+-DCMAKE_CXX_FLAGS="$CXXFLAGS_EXTRA"}
cmake --build "$work/build" -- -k 0
ctest --test-dir "$work/build" --output-on-failure
