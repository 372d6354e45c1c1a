#!/usr/bin/env bash
# Runs every ```sh block of a Markdown page, in order, in one shell and an empty folder that holds a copy of configs/.
# Usage: run_blocks.sh PAGE.md BUILD_DIR [INSTALL_PREFIX]
# PATH starts with the programs of INSTALL_PREFIX (or of BUILD_DIR), as for a reader who installed Mortise.
set -euo pipefail
page=$(realpath "$1")
prefix=$(realpath "${3:-$2}")
root=$(cd "$(dirname "$0")/../.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" > "$work/blocks.sh"
if ! [ -s "$work/blocks.sh" ]; then
  echo "no \`\`\`sh block in $page" >&2
  exit 1
fi
mkdir "$work/reader"
cp -r "$root/configs" "$work/reader/configs"
cd "$work/reader"
export PATH="$prefix/bin:$PATH" XDG_DATA_HOME="$work/data" MORTISE_PREFIX="$prefix"
bash -euo pipefail -x "$work/blocks.sh"
