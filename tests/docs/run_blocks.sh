#!/usr/bin/env bash
# Runs every ```sh block of a Markdown page, in order, in one shell and an empty folder that holds a copy of configs/.
# Usage: run_blocks.sh PAGE.md BUILD_DIR [--installed]
# PATH starts with the programs of BUILD_DIR, or of a fresh installation of it, as for a reader who has Mortise.
set -euo pipefail
page=$(realpath "$1")
prefix=$(realpath "$2")
root=$(cd "$(dirname "$0")/../.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ ${3:-} == --installed ]]; then
  cmake --install "$prefix" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log" >&2; exit 1; }
  prefix=$work/prefix
fi
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >"$work/blocks.sh"
if ! [[ -s $work/blocks.sh ]]; then
  echo "no \`\`\`sh block in $page" >&2
  exit 1
fi
mkdir "$work/reader"
cp -r "$root/configs" "$work/reader/configs"
cd "$work/reader"
export PATH="$prefix/bin:$PATH" XDG_DATA_HOME="$work/data" MORTISE_PREFIX="$prefix"
bash -euo pipefail -x "$work/blocks.sh"
