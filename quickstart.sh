#!/usr/bin/env bash
# The first run on a fresh machine: installs what is missing, builds the CLI, the engine and only the plugins that the
# quick-start recipe asks for, trains and evaluates a small model, and says where the report is.
#
#   ./quickstart.sh [ARGUMENTS FOR 'mortise run']        e.g. ./quickstart.sh --set run.steps=20
#
# Idempotent: a second call builds nothing and starts a new run.  Environment: see sdk/bootstrap/{apt,torch}.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=sdk/bootstrap/say.sh
source sdk/bootstrap/say.sh
recipe=configs/recipes/quickstart.toml
build=build/quickstart
mortise=$build/bin/mortise

main() {
  local start=$SECONDS
  sdk/bootstrap/bootstrap.sh
  need_space . 1500 "the quick-start build"
  configure
  build_targets mortise_cli mortise_engine
  build_missing_plugins
  run_recipe "$@"
  say "everything took $(took "$start")"
  suggest
}

configure() {
  local torch_dir
  torch_dir=$(sdk/bootstrap/torch.sh --print)
  say "configuring $build"
  cmake --preset quickstart --log-level=WARNING -DMORTISE_TORCH_DIR="$torch_dir" >/dev/null
}

# Builds targets; ninja shows its progress on a terminal and only failures in a pipe.
build_targets() {
  local start=$SECONDS quiet=()
  [[ -t 1 ]] || quiet=(--quiet)
  say "building $*"
  cmake --build "$build" --parallel "$(num_jobs)" --target "$@" -- "${quiet[@]}"
  say "built in $(took "$start")"
}

# Asks the CLI which components of the recipe no plugin provides, builds those, and asks again, for a new plugin may need
# others in turn.
build_missing_plugins() {
  local previous='' missing components lists
  while true; do
    missing=$("$mortise" show --missing "$recipe") || fail "'mortise show --missing $recipe' failed; its message stands above"
    [[ -n $missing ]] || break
    [[ $missing != "$previous" ]] || fail "no plugin of this tree provides: ${missing//$'\n'/, } (asked for by $recipe)"
    previous=$missing
    mapfile -t components <<<"$missing"
    mapfile -t lists < <(package_lists "${components[@]}")
    if ((${#lists[@]})); then
      sdk/bootstrap/apt.sh "${lists[@]}"
      configure # a package that was missing before may be found now
    fi
    mapfile -t components < <(printf 'plugin_%s\n' "${components[@]//\//_}")
    build_targets "${components[@]}"
  done
}

# Prints the packages.txt of the given <kind>/<name>s that have one.
package_lists() {
  local component
  for component in "$@"; do
    [[ ! -e plugins/$component/packages.txt ]] || echo "plugins/$component/packages.txt"
  done
}

run_recipe() {
  local start=$SECONDS
  say "running $recipe $*"
  "$mortise" run "$recipe" "$@"
  say "the job took $(took "$start")"
}

suggest() {
  local report
  report=$(find runs -name report.html -printf '%T@ %p\n' | sort -rn | sed -n '1s/^[^ ]* //p')
  cat <<TEXT

The report:  $report

Three things to try next:
  $mortise generate --model ${report%/report.html} --prompt "cat (noun):"
  ninja -C $build plugin_optimizer_lion && $mortise run $recipe --set optimizer.type=lion --set optimizer.lr=3e-4
  $mortise new-plugin optimizer my_optimizer --id org.acme
TEXT
}

main "$@"
