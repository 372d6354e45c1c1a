#!/usr/bin/env bash
# Tests quickstart.sh alone, in a scratch tree with stand-ins for the bootstrap, cmake and the CLI: that it builds what the CLI
# reports as missing, and only that, installs those folders' packages first, hands its arguments on, and stops when a
# component has no plugin.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
log=$box/log
num_failed=0

check() { # check SENTENCE COMMAND...
  local sentence=$1
  shift
  if "$@"; then
    echo "ok      $sentence"
  else
    echo "FAILED  $sentence"
    sed 's/^/        | /' "$log" "$box/output"
    num_failed=$((num_failed + 1))
  fi
}

program() { # program PATH BODY
  mkdir -p "$(dirname "$box/$1")"
  printf '#!/bin/bash\n%s\n' "$2" >"$box/$1"
  chmod +x "$box/$1"
}

# A tree in which the recipe needs a tokenizer, and that tokenizer a data_source with packages of its own.
make_tree() {
  mkdir -p "$box/sdk/bootstrap" "$box/plugins/data_source/wordnet" "$box/configs/recipes"
  cp "$root/quickstart.sh" "$box/"
  cp "$root/sdk/bootstrap/say.sh" "$box/sdk/bootstrap/"
  echo wordnet-base >"$box/plugins/data_source/wordnet/packages.txt"
  program sdk/bootstrap/bootstrap.sh "echo bootstrap >>$log"
  program sdk/bootstrap/torch.sh 'echo /some/torch'
  program sdk/bootstrap/apt.sh "echo apt \"\$@\" >>$log"
  program bin/cmake "echo cmake \"\$@\" >>$log; touch $box/built; [[ \$* != *--target* ]] || echo \"\$@\" >>$box/built"
  program build/quickstart/bin/mortise "
    case \$1 in
      show) grep -q tokenizer_byte_bpe $box/built || { echo tokenizer/byte_bpe; exit; }
            grep -q data_source_wordnet $box/built || echo data_source/wordnet ;;
      run) echo mortise \"\$@\" >>$log; mkdir -p runs/q; echo html >runs/q/report.html ;;
    esac"
}

quickstart() {
  : >"$log"
  rm -f "$box/built"
  PATH="$box/bin:$PATH" "$box/quickstart.sh" "$@" >"$box/output" 2>&1
}

line() { grep -nE -m 1 "$1" "$log" | cut -d: -f1; }

make_tree
check "the quick start succeeds" quickstart --set run.steps=5
check "it starts with the bootstrap" test "$(head -n 1 "$log")" = bootstrap
check "the CLI and the engine are built first" test "$(line 'target mortise_cli mortise_engine')" -lt "$(line plugin_)"
check "a missing plugin is built" grep -q -- '--target plugin_tokenizer_byte_bpe' "$log"
check "what that one needs is built next" grep -q -- '--target plugin_data_source_wordnet' "$log"
check "packages of a plugin are installed before it is built" \
  test "$(line '^apt plugins/data_source/wordnet/packages.txt')" -lt "$(line plugin_data_source_wordnet)"
check "nothing else is built" test "$(grep -c -- --target "$log")" = 3
check "arguments reach mortise run" grep -qx 'mortise run configs/recipes/quickstart.toml --set run.steps=5' "$log"
check "the report is named" grep -q 'The report: *runs/q/report.html' "$box/output"

# shellcheck disable=SC2016 # expanded by the stand-in
program build/quickstart/bin/mortise '[[ $1 != show ]] || echo router/nowhere'
quickstart_stops() { ! quickstart --set run.steps=5; }
check "a component without a plugin stops it" quickstart_stops
check "and is named" grep -q 'error: no plugin of this tree provides: router/nowhere' "$box/output"
((num_failed == 0)) || { echo "$num_failed checks failed"; exit 1; }
echo "all checks passed"
