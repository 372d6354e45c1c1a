#!/usr/bin/env bash
# templates.sh BUILD SOURCE: installs the SDK into a fresh folder, scaffolds one plugin of every kind there, builds, tests
# and conform-runs them and the examples out of tree, in one configuration, and runs the recipe that each scaffold brings.
set -euo pipefail
build=$(realpath "$1") source=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for component in sdk engine; do
  cmake --install "$build" --prefix "$work/prefix" --component $component > "$work/install.log" || { cat "$work/install.log"; exit 1; }
done
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

[ -n "$torch" ] && [ -e /usr/share/wordnet/data.noun ] || exit 0
echo '{"prediction": "a small bird", "references": ["a small bird"]}' > "$work/predictions.jsonl"
for i in $(seq 300); do echo "the bird number $i follows the clock number $((i * 7))"; done > "$work/train.txt"
small=(--set run.steps=2 --set batch.micro=2 --set batch.global=2
  --set eval.dev.limit=2 --set eval.test.limit=2 --set generate.max_new_tokens=2)
for recipe in "$work"/*/recipe.toml; do
  kind=$(basename "$(dirname "$recipe")")
  [[ $kind != example_* ]] || continue # they are at home in the source tree
  sets=("${small[@]}")
  [ "$kind" = metric ] && sets=()
  verb=run # but an architecture of one tensor writes no whole model
  [ "$kind" = architecture ] && verb=validate
  [ "$kind" = data_source ] || [ "$kind" = metric ] || sets+=(--set 'data.train.wordnet.pos=["adv"]')
  [ "$kind" = tokenizer ] || [ "$kind" = metric ] || sets+=(--set tokenizer.vocab=512)
  (cd "$work" && "$work/prefix/bin/mortise" $verb "$recipe" --plugin-path "$work/build/lib/mortise/plugins" \
    --set "run.dir=$work/run_$kind" "${sets[@]}" > "$work/run_$kind.log" 2>&1) ||
    { echo "FAILED  the recipe of the scaffold $kind"; tail -n 20 "$work/run_$kind.log"; exit 1; }
  echo "$verb     the recipe of the scaffold $kind"
done
