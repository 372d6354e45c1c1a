#!/usr/bin/env bash
# reference_pages.sh BUILD SOURCE: docs/reference is what `mortise inspect --markdown` writes for the plugins of this tree;
# compatibility.md beside it is the work of tests/matrix.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
XDG_DATA_HOME=$work MORTISE_PLUGIN_PATH='' "$1/bin/mortise" inspect --markdown "$work/reference"
diff -r --exclude=compatibility.md "$work/reference" "$2/docs/reference" || {
  echo "docs/reference is stale.  fix: build everything, then  mortise inspect --markdown docs/reference"
  exit 1
}
