#!/usr/bin/env bash
# Tests everything, from a fresh machine on: installs what is missing, builds all, runs the plain tier and the fuzzers under
# AddressSanitizer and UndefinedBehaviorSanitizer (a minute each fuzzer), then every test; CTest's summary comes last.
#
#   ./test.sh [--slow]        --slow: also the tests with the label "slow" (a minimal Debian, an old CPU)
#
# Idempotent.  Exit 0 only if all of it passed.  Environment: see sdk/bootstrap/{apt,torch}.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=sdk/bootstrap/say.sh
source sdk/bootstrap/say.sh
jobs=$(num_jobs)
# Tests make plugins crash on purpose: the signal itself is what the host must see.
export ASAN_OPTIONS=handle_segv=0:handle_abort=0
export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0
export OMP_WAIT_POLICY=passive # tests share the cores: threads that wait must not spin
failed=() torch_dir=''

main() {
  local lists=(sdk/bootstrap/packages-test.txt) labels=(-LE slow)
  case ${1:-} in
    --slow) lists+=(sdk/bootstrap/packages-slow.txt) labels=() ;;
    "") ;;
    *) fail "unknown option '$1'; there is --slow" ;;
  esac
  shopt -s nullglob
  lists+=(plugins/*/*/packages.txt)
  sdk/bootstrap/bootstrap.sh "${lists[@]}"
  need_space . 8000 "building and testing everything"
  torch_dir=$(sdk/bootstrap/torch.sh --print)

  build ci
  build asan_plain
  build fuzz --target fuzzers
  run_tests asan_plain --label-regex "unit|conform" "${labels[@]}" # recipes and packaging need the tensor tier
  run_tests fuzz
  ((${#failed[@]} == 0)) || say "FAILED before the main tests: ${failed[*]}; its output stands above"
  say "bootstrap, builds and sanitizers took $(took 0); now the tests"
  run_tests ci "${labels[@]}"
  ((${#failed[@]} == 0)) || fail "these failed: ${failed[*]}"
}

# Configures and builds one preset (further words: arguments of cmake --build) into build/<preset>; ninja shows its progress on a terminal, only failures in a pipe.
build() {
  local preset=$1 start=$SECONDS quiet=()
  shift
  [[ -t 1 ]] || quiet=(-- --quiet)
  say "building preset $preset with $jobs jobs"
  cmake --preset "$preset" --log-level=WARNING -DMORTISE_TORCH_DIR="$torch_dir" >/dev/null
  cmake --build "build/$preset" --parallel "$jobs" "$@" "${quiet[@]}"
  say "preset $preset built in $(took "$start")"
}

# Runs the tests of one preset and remembers a failure, so that one run tells all.
run_tests() {
  local preset=$1 start=$SECONDS
  shift
  say "testing preset $preset"
  ctest --test-dir "build/$preset" --parallel "$jobs" --output-on-failure --no-label-summary --no-tests=error "$@" || failed+=("$preset")
  [[ $preset == ci ]] || say "preset $preset tested in $(took "$start")"
}

main "$@"
