#!/usr/bin/env bash
# Tests the bootstrap without a network, without root and without a change to the machine: what it says when it cannot
# work, and that nothing half-written is left.  apt, dpkg, id, sudo and df are stand-ins in a folder put first in PATH; pip
# is the real one, fed with three tiny wheels made here.
set -euo pipefail
bootstrap=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../sdk/bootstrap" && pwd)
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
export XDG_CACHE_HOME=$box/cache MORTISE_TORCH_LOCK=$box/torch.lock PIP_RETRIES=1 PIP_DISABLE_PIP_VERSION_CHECK=1
unset MORTISE_TORCH_DIR MORTISE_SKIP_APT PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null
num_failed=0

# --- small tools ------------------------------------------------------------------------------------------------------

report() { # report OK SENTENCE [DETAIL]
  if (($1)); then
    echo "ok      $2"
  else
    echo "FAILED  $2"
    [[ -z ${3:-} ]] || printf '        | %s\n' "${3//$'\n'/$'\n'        | }"
    num_failed=$((num_failed + 1))
  fi
}

# Runs a command that must fail with exactly one "error:" line, which must match REGEX.
fails_with() { # fails_with SENTENCE REGEX COMMAND...
  local sentence=$1 regex=$2 output rc=0 lines
  shift 2
  output=$("$@" 2>&1) || rc=$?
  lines=$(grep -c 'error: ' <<<"$output" || true)
  report $((rc != 0 && lines == 1)) "$sentence: one error" "rc $rc: $output"
  report "$(grep -qE "error: .*$regex" <<<"$output" && echo 1 || echo 0)" "$sentence: says /$regex/" "$output"
}

succeeds() { # succeeds SENTENCE COMMAND...
  local sentence=$1 output rc=0
  shift
  output=$("$@" 2>&1) || rc=$?
  report $((rc == 0)) "$sentence" "rc $rc: $output"
}

# Nothing but the lock file may be left in the cache.
nothing_left() {
  local left
  left=$(find "$XDG_CACHE_HOME" -mindepth 2 -not -name .torch.lock 2>/dev/null || true)
  report $((${#left} == 0)) "$1: nothing is left in the cache" "$left"
}

stub() { # stub NAME BODY: a stand-in program
  printf '#!/bin/bash\n%s\n' "$2" >"$box/bin/$1"
  chmod +x "$box/bin/$1"
}

fresh_stubs() {
  rm -rf "${box:?}/bin"
  mkdir "$box/bin"
}

with_stubs() { PATH="$box/bin:$PATH" "$@"; }

# Makes the three tiny wheels and a lock for them.  FAULT: none, record (a file that differs from RECORD), big (1 MiB file).
make_wheels() {
  rm -rf "$box/wheels" "$XDG_CACHE_HOME"
  mkdir "$box/wheels"
  python3 - "$box/wheels" "$box/torch.lock" "$1" <<'PYTHON'
import base64, hashlib, pathlib, sys, zipfile
folder, lock, fault = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
VERSION = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n"
ABI = "_ZN3c106detail14torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_string"
WHEELS = [
    ("torch", "2.11.0", "cp311-cp311-manylinux_2_28_x86_64", {
        "torch/lib/libtorch_cpu.so": "\0" * (1 << 20) if fault == "big" else "cpu", "torch/lib/libc10.so": ABI,
        "torch/lib/libtorch_cuda.so": "cuda", "torch/include/ATen/core/Tensor.h": "tensor",
        "torch/include/torch/headeronly/version.h": VERSION}),
    ("nvidia-cuda-runtime", "13.0.96", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64",
        {"nvidia/cu13/lib/libcudart.so.13": "cudart"}),
    ("nvidia-cuda-cupti", "13.0.85", "py3-none-manylinux_2_25_x86_64", {"nvidia/cu13/lib/libcupti.so.13": "cupti"}),
]
rows = []
for name, version, tags, files in WHEELS:
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = files | {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                     f"{info}/WHEEL": "Wheel-Version: 1.0\n" + "".join(f"Tag: {t}\n" for t in [tags])}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    if fault == "record" and name == "torch":
        files["torch/include/ATen/core/Tensor.h"] = "TENSOR"
    file = folder / f"{stem}-{tags}.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    data = file.read_bytes()
    rows.append(f"{name} {version} {hashlib.sha256(data).hexdigest()} {len(data)} {file.name}\n")
lock.write_text("# made by a test\n" + "".join(rows))
PYTHON
}

torch() { PIP_NO_INDEX=1 PIP_FIND_LINKS=$box/wheels "$bootstrap/torch.sh" "$@"; }
torch_with_small_files() { (ulimit -f 256 && torch); }
torch_offline() { PIP_INDEX_URL=http://127.0.0.1:9/simple "$bootstrap/torch.sh"; } # port 9: nobody listens
apt() { with_stubs env MORTISE_OS_RELEASE="$box/os-release" "$bootstrap/apt.sh" "$box/packages.txt"; }

# --- LibTorch: fetched ------------------------------------------------------------------------------------------------

test_fetch() {
  make_wheels none
  fails_with "--print before the fetch" "not there yet; run sdk/bootstrap/bootstrap.sh" torch --print
  succeeds "LibTorch is fetched and unpacked" torch
  local tree
  tree=$(torch --print)
  report $(($(find "$tree" -name '*.so' | wc -l) == 2)) "only what a CPU build links is unpacked" "$(find "$tree")"
  succeeds "the unpacked tree passes the check of a given folder" torch --check "$tree"
  succeeds "a second call needs no index" torch_offline
  succeeds "the tree matches RECORD" python3 "$bootstrap/unpack.py" --verify "$tree/.."
  echo tampered >"$tree/include/ATen/core/Tensor.h"
  fails_with "a changed file" "Tensor.h has another size" python3 "$bootstrap/unpack.py" --verify "$tree/.."
}

test_race() {
  make_wheels none
  torch >"$box/one" 2>&1 &
  local first=$!
  succeeds "a second build at the same time waits" torch
  local rc=0
  wait "$first" || rc=$?
  report $((rc == 0)) "the first build is not disturbed" "$(cat "$box/one")"
  report $(($(grep -c "unpacked and checked" "$box/one") <= 1 && $(find "$XDG_CACHE_HOME/mortise" -maxdepth 1 -name 'torch-*' | wc -l) == 1)) \
    "two builds make one tree" "$(ls -A "$XDG_CACHE_HOME/mortise")"
}

test_broken_wheels() {
  make_wheels none
  truncate -s -40 "$box/wheels/nvidia_cuda_cupti"*
  fails_with "a truncated wheel" "cut short|pip did not deliver" torch
  nothing_left "a truncated wheel"
  make_wheels none
  sed -i '/^torch/s/ [0-9a-f]\{64\} / 0000000000000000000000000000000000000000000000000000000000000000 /' "$box/torch.lock"
  fails_with "a wheel with another sha256" "sha256 [0-9a-f]{64} instead of 0000.*nothing was kept" torch
  nothing_left "a wheel with another sha256"
  make_wheels record
  fails_with "a file that RECORD contradicts" "Tensor.h differs from its RECORD" torch
  nothing_left "a file that RECORD contradicts"
  make_wheels none
  sed -i '/^torch/s/2\.11\.0 /2.99.0 /' "$box/torch.lock"
  fails_with "a version that the index lacks" "pip did not deliver the wheels of torch.lock" torch
  nothing_left "a version that the index lacks"
}

test_no_disk() {
  make_wheels big
  fresh_stubs
  stub df 'printf "Filesystem 1M-blocks Used Available Capacity Mounted\nx 10 3 7 30%% /\n"'
  fails_with "too little room" "out of disk: LibTorch needs [0-9]+ MiB under .* only 7 MiB are free" with_stubs torch
  nothing_left "too little room"
  fails_with "a disk that fills up while unpacking" "out of disk while unpacking LibTorch" torch_with_small_files
  nothing_left "a disk that fills up while unpacking"
}

test_offline() {
  make_wheels none
  fails_with "pip offline" "offline: pip cannot reach its package index; .*MORTISE_TORCH_DIR" torch_offline
  nothing_left "pip offline"
}

test_interrupted() {
  make_wheels none
  fresh_stubs
  stub python3 '[[ $* == *--version* ]] && exit 0; echo $$ >"'"$box"'/pip_pid"; exec sleep 30'
  rm -f "$box/pip_pid"
  PATH="$box/bin:$PATH" "$bootstrap/torch.sh" >"$box/log" 2>&1 &
  local pid=$! rc=0 tries=100
  until [[ -s $box/pip_pid ]] || ((--tries == 0)); do sleep 0.05; done
  kill -TERM "$pid"
  wait "$pid" || rc=$?
  report $((rc != 0)) "an interrupted fetch fails" "rc $rc: $(cat "$box/log")"
  nothing_left "an interrupted fetch"
  report "$(kill -0 "$(cat "$box/pip_pid")" 2>/dev/null && echo 0 || echo 1)" "an interrupted fetch ends its pip"
}

# --- LibTorch: given --------------------------------------------------------------------------------------------------

given() { MORTISE_TORCH_DIR=$box/given "$bootstrap/torch.sh"; }

make_given() {
  rm -rf "$box/given"
  mkdir -p "$box/given/lib" "$box/given/include/ATen/core" "$box/given/include/torch/headeronly"
  touch "$box/given/lib/libtorch_cpu.so" "$box/given/include/ATen/core/Tensor.h"
  echo torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_string >"$box/given/lib/libc10.so"
  printf '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n' >"$box/given/include/torch/headeronly/version.h"
}

test_given() {
  make_wheels none
  make_given
  succeeds "MORTISE_TORCH_DIR with the right LibTorch" given
  report "$([[ $(cd "$box" && MORTISE_TORCH_DIR=given "$bootstrap/torch.sh" --print) == "$box/given" ]] && echo 1 || echo 0)" \
    "--print makes MORTISE_TORCH_DIR absolute"
  sed -i s/11/12/ "$box/given/include/torch/headeronly/version.h"
  fails_with "MORTISE_TORCH_DIR with another version" "holds LibTorch 2.12, but Mortise is built for 2.11" given
  make_given
  echo torchCheckFailEPKcS2_jRKSs >"$box/given/lib/libc10.so"
  fails_with "MORTISE_TORCH_DIR with the old ABI" "old C\+\+ ABI" given
  make_given
  fresh_stubs
  stub ldd 'echo "  libcudart.so.13 => not found"'
  fails_with "MORTISE_TORCH_DIR without libcudart" "needs libcudart.so.13 and does not find it" with_stubs given
  rm -r "$box/given/include"
  fails_with "MORTISE_TORCH_DIR without headers" "is no LibTorch: it must hold" given
  nothing_left "MORTISE_TORCH_DIR"
}

# --- Debian packages --------------------------------------------------------------------------------------------------

debian() { printf 'ID=debian\nVERSION_ID="12"\n' >"$box/os-release"; }

# A machine where nothing of packages.txt is installed, as root; apt-get prints APT_SAYS and exits APT_RC.
bare_machine() {
  debian
  printf 'libone-dev  # a comment\nlibtwo-dev\n' >"$box/packages.txt"
  fresh_stubs
  stub dpkg-query 'exit 1'
  stub id 'echo 0'
  stub apt-get "$1"
}

test_apt() {
  bare_machine 'echo "$*" >>'"$box"'/apt_calls'
  rm -f "$box/apt_calls"
  succeeds "missing packages are installed" apt
  report "$(grep -vE 'update|assume-no' "$box/apt_calls" | grep -cvE -- '--no-remove --no-install-recommends' | sed 's/^0$/yes/; s/^[0-9]*$/0/; s/yes/1/')" \
    "every install is --no-remove --no-install-recommends" "$(cat "$box/apt_calls")"
  stub dpkg-query 'printf "installed libone-dev\ninstalled libtwo-dev\n"'
  stub apt-get 'exit 9'
  succeeds "nothing is done when all packages are there" apt
  stub dpkg-query 'printf "installed libone-dev\nconfig-files libtwo-dev\n"'
  fails_with "only what is missing is asked for" "apt cannot install: libtwo-dev;" apt
}

test_apt_failures() {
  # shellcheck disable=SC2016 # expanded by the stand-in
  bare_machine '[[ $1 == update ]] || { echo "E: Unable to locate package libone-dev"; exit 100; }
    echo "W: Failed to fetch x  Temporary failure resolving the mirror"'
  fails_with "apt offline" "offline: the Debian mirror cannot be reached; .*libone-dev libtwo-dev" apt

  bare_machine 'case "$*" in
      *--simulate*--no-remove*) echo "E: Packages need to be removed but remove is disabled."; exit 100 ;;
      *--simulate*) echo "Remv libboost1.74-dev [1.74.0]"; echo "Remv libboost-dev [1.74]" ;;
    esac'
  fails_with "a conflict" "conflict: libboost1.74-dev libboost-dev would have to go, and nothing is removed .*Boost 1.81.*'apt-get remove libboost1.74-dev libboost-dev'" apt

  bare_machine '[[ $* != *--assume-no* ]] || echo "After this operation, 1,234 MB of additional disk space will be used."'
  stub df 'printf "Filesystem 1M-blocks Used Available Capacity Mounted\nx 10 3 7 30%% /\n"'
  fails_with "too little room for packages" "out of disk: installing 2 packages needs 1542 MiB" apt

  bare_machine '[[ $* != *install* || $* == *--simulate* || $* == *--assume-no* ]] || { echo "No space left on device"; exit 100; }'
  fails_with "a disk that fills up while installing" "out of disk while installing" apt

  bare_machine 'exit 0'
  stub id 'echo 1000'
  stub sudo 'exit 1'
  fails_with "no root" "run this as root, .*: apt-get update && apt-get install --no-remove --no-install-recommends libone-dev libtwo-dev" \
    apt </dev/null

  printf 'ID=fedora\nVERSION_ID=40\n' >"$box/os-release"
  fails_with "another distribution" "this is 'fedora 40'.*MORTISE_SKIP_APT=1: libone-dev libtwo-dev" apt
  succeeds "another distribution with MORTISE_SKIP_APT=1" env MORTISE_SKIP_APT=1 MORTISE_OS_RELEASE="$box/os-release" "$bootstrap/apt.sh"
}

# --- all --------------------------------------------------------------------------------------------------------------

test_fetch
test_race
test_broken_wheels
test_no_disk
test_offline
test_interrupted
test_given
test_apt
test_apt_failures
((num_failed == 0)) || { echo "$num_failed checks failed"; exit 1; }
echo "all checks passed"
