#!/usr/bin/env bash
# Every C and C++ file (but the scaffolds, whose @NAMES@ are no C++) reads as clang-format 14 writes it: one hand for the whole tree (conventions: .clang-format).
#   format.sh SOURCE_DIR [--fix]
set -euo pipefail
cd "$1"
mode=(--dry-run --Werror)
[[ ${2:-} == --fix ]] && mode=(-i)
find sdk core plugins tests examples -regex '.*\.\(cpp\|hpp\|h\|c\|cu\|cuh\)' -not -path '*/build/*' -not -path 'sdk/templates/*' -print0 |
  xargs -0 -P "$(nproc)" -n 32 clang-format-14 "${mode[@]}"
