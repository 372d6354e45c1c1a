#!/usr/bin/env bash
# Provides LibTorch: fetches the wheels of torch.lock, checks and unpacks them into a cache folder that all builds of
# this user share, or checks the LibTorch that MORTISE_TORCH_DIR names.
#
#   sdk/bootstrap/torch.sh            make it ready (a second call does nothing)
#   sdk/bootstrap/torch.sh --print    print the folder that holds lib/ and include/: CMake's MORTISE_TORCH_DIR
#   sdk/bootstrap/torch.sh --check D  check folder D (pip's torch folder or an unpacked LibTorch zip)
#   sdk/bootstrap/torch.sh --all      unpack also what only Python and CUDA need (1.2 GB instead of 0.5)
#
# The tree becomes visible by one rename, under a lock: a broken download or a second build leaves nothing half done.
# Layout as pip's (torch/lib, nvidia/cu13/lib), for libtorch_cpu.so looks for $ORIGIN/../../nvidia/cu13/lib.
# Environment: MORTISE_TORCH_DIR, XDG_CACHE_HOME, pip's own variables.  MORTISE_TORCH_LOCK is for the tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=say.sh
source "$here/say.sh"
lock=${MORTISE_TORCH_LOCK:-$here/torch.lock}
cache=${XDG_CACHE_HOME:-${HOME:?torch: error: neither HOME nor XDG_CACHE_HOME is set}/.cache}/mortise
version=$(awk '$1 == "torch" { print $2 }' "$lock")
lock_lines() { sed '/^#/d; /^$/d' "$lock"; }
tree=$cache/torch-$version-$(lock_lines | sha256sum | head -c 12)
work='' pip_pid=''

main() {
  local all=
  case ${1:-} in
    --print) print_folder; return ;;
    --check) check_folder "${2:?torch: error: --check needs a folder}"; return ;;
    --all) all=--all tree+=-all ;;
    "") ;;
    *) fail "unknown option '$1'; there are --print, --check DIR, --all" ;;
  esac
  if [[ -n ${MORTISE_TORCH_DIR:-} ]]; then
    check_folder "$MORTISE_TORCH_DIR"
    say "using MORTISE_TORCH_DIR=$MORTISE_TORCH_DIR"
  elif [[ -d $tree || -d $tree-all ]]; then
    say "LibTorch $version is in $(dirname "$(print_folder)")"
  else
    [[ $(uname -m) == x86_64 ]] || fail "the pinned LibTorch is for x86_64, and this is $(uname -m); set MORTISE_TORCH_DIR to a LibTorch $version"
    mkdir -p "$cache" || fail "the cache folder $cache cannot be made; set XDG_CACHE_HOME to one that can"
    exec 9>"$cache/.torch.lock"
    flock -n 9 || { say "waiting for another bootstrap that is at work"; flock 9; }
    [[ -d $tree ]] || provide "$all"
  fi
}

# Prints the folder for CMake, or says on stderr what to run.
print_folder() {
  if [[ -n ${MORTISE_TORCH_DIR:-} ]]; then
    check_folder "$MORTISE_TORCH_DIR"
    (cd "$MORTISE_TORCH_DIR" && pwd)
  elif [[ -d $tree/torch ]]; then
    printf '%s\n' "$tree/torch"
  elif [[ -d $tree-all/torch ]]; then
    printf '%s\n' "$tree-all/torch"
  else
    fail "LibTorch $version is not there yet; run sdk/bootstrap/bootstrap.sh, or set MORTISE_TORCH_DIR"
  fi
}

# Checks a LibTorch that was not unpacked here: files, version, C++ ABI, the libraries it names.
check_folder() {
  local dir=$1 found major minor missing
  [[ -e $dir/lib/libtorch_cpu.so && -e $dir/lib/libc10.so && -e $dir/include/ATen/core/Tensor.h ]] ||
    fail "$dir is no LibTorch: it must hold lib/libtorch_cpu.so, lib/libc10.so and include/ATen (pip's is .../site-packages/torch)"
  read -r major minor < <(cat "$dir"/include/torch/headeronly/version.h "$dir"/include/torch/csrc/api/include/torch/version.h 2>/dev/null |
    awk '$2 == "TORCH_VERSION_MAJOR" { a = $3 } $2 == "TORCH_VERSION_MINOR" { b = $3 } END { print a, b }')
  found=${major:-unknown}.${minor:-}
  [[ $found == "${version%.*}" ]] ||
    fail "$dir holds LibTorch ${found%.}, but Mortise is built for ${version%.*}; install torch $version there, or unset MORTISE_TORCH_DIR to let bootstrap fetch it"
  grep -aqF 'torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_string' "$dir/lib/libc10.so" ||
    fail "$dir is built with the old C++ ABI (_GLIBCXX_USE_CXX11_ABI=0); Mortise needs the C++11 ABI: take torch $version from pip or the 'cxx11-abi' LibTorch zip"
  missing=$(ldd "$dir/lib/libtorch_cpu.so" 2>/dev/null | awk '/not found/ { printf "%s ", $1 }' || true)
  [[ -z $missing ]] ||
    fail "$dir/lib/libtorch_cpu.so needs ${missing}and does not find it; install the wheels nvidia-cuda-runtime and nvidia-cuda-cupti beside torch, or unset MORTISE_TORCH_DIR"
}

# Fetches, checks, unpacks, checks again, renames.
provide() {
  local all=$1 start=$SECONDS mib files
  mib=$(lock_lines | awk '{ bytes += $4 } END { print int(bytes / 1048576) + 1 }')
  need_space "$cache" $((mib * (${#all} > 0 ? 4 : 2) + 50)) "LibTorch"
  rm -rf "$cache"/.torch-work-* # of a bootstrap that was killed; the lock is ours
  work=$(mktemp -d "$cache/.torch-work-XXXXXX")
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir "$work/tmp" "$work/wheels" "$work/tree"
  find_pip
  say "fetching LibTorch $version ($mib MiB)"
  fetch
  check_wheels
  say "$mib MiB fetched in $(took "$start"); unpacking"
  start=$SECONDS
  # shellcheck disable=SC2086
  files=$("$python" "$here/unpack.py" $all "$work/tree" "$work"/wheels/*.whl) || exit 1 # it has said why
  mv -T "$work/tree" "$tree"
  say "$files files unpacked and checked in $(took "$start"): $tree"
}

clean_up() {
  [[ -z $pip_pid ]] || kill "$pip_pid" 2>/dev/null || true
  rm -rf "$work"
}

# Sets python to an interpreter that has pip; a private one in front of Debian's may lack it.
find_pip() {
  for python in python3 /usr/bin/python3; do
    ! "$python" -m pip --version >/dev/null 2>&1 || return 0
  done
  fail "no python3 with pip was found; install python3-pip (it only fetches LibTorch)"
}

# Fetches the wheels with pip, without their dependencies, for the tags in their file names (this machine's Python does
# not matter).  pip's temporary files stay in the work folder: /tmp may be small.
fetch() {
  local log=$work/pip.log rc=0 wheels platforms
  mapfile -t wheels < <(lock_lines | awk '{ print $1 "==" $2 }')
  mapfile -t platforms < <(lock_lines | sed 's/.*-\([^-]*\)\.whl$/\1/; s/\..*//; s/^/--platform=/')
  TMPDIR=$work/tmp PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip download --no-deps --only-binary=:all: --no-cache-dir \
    --progress-bar off --python-version 3.11 --implementation cp --abi cp311 "${platforms[@]}" \
    --dest "$work/wheels" "${wheels[@]}" >"$log" 2>&1 9>&- &
  pip_pid=$!
  show_progress
  wait "$pip_pid" || rc=$?
  pip_pid=''
  ((rc == 0)) || explain_pip "$log"
}

# On a terminal, counts the MiB while pip works.
show_progress() {
  while kill -0 "$pip_pid" 2>/dev/null; do
    [[ ! -t 1 ]] || printf '\r%s MiB ' "$(du -sm "$work" 2>/dev/null | cut -f1)"
    sleep 0.2 9>&-
  done
  [[ ! -t 1 ]] || printf '\r            \r'
}

# Turns pip's output into one sentence.
explain_pip() {
  local log=$1
  if grep -qi 'no space left' "$log"; then
    fail "out of disk while fetching LibTorch into $cache; free some space (or set XDG_CACHE_HOME) and run again; nothing was kept"
  fi
  if grep -qiE 'new connection|name resolution|name or service not known|timed out|connection (refused|reset|aborted|broken)|unreachable|proxyerror|max retries|incompleteread' "$log"; then
    fail "offline: pip cannot reach its package index; connect and run again, or set MORTISE_TORCH_DIR to an installed torch $version," \
      "or put the wheels of torch.lock into a folder DIR and set PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR"
  fi
  sed 's/^/  pip| /' "$log" | tail -n 15 >&2
  fail "pip did not deliver the wheels of torch.lock; its last words stand above; nothing was kept"
}

# Compares the fetched wheels with torch.lock.
check_wheels() {
  local sha256 bytes file got
  while read -r _ _ sha256 bytes file; do
    [[ -e $work/wheels/$file ]] ||
      fail "pip fetched $(cd "$work/wheels" && echo *), but torch.lock pins $file; nothing was kept"
    got=$(stat -c %s "$work/wheels/$file")
    [[ $got == "$bytes" ]] ||
      fail "$file has $got bytes instead of $bytes: the download was cut short or changed; nothing was kept, run again"
    got=$(sha256sum "$work/wheels/$file" | cut -d' ' -f1)
    [[ $got == "$sha256" ]] ||
      fail "$file has sha256 $got instead of $sha256 (torch.lock): the index delivers another file; nothing was kept"
  done < <(lock_lines)
}

main "$@"
