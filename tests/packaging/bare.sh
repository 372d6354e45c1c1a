#!/usr/bin/env bash
# Tries the quick start on a minimal Debian 12: debootstrap makes one in a temporary folder, a clean copy of this commit goes
# inside, and ./quickstart.sh runs there with an empty cache (CTest label "slow": it fetches about 1 GB).
#
#   tests/packaging/bare.sh [COMMAND...]     default: ./quickstart.sh --set run.steps=5
#
# Exit 77 (skipped) with the reason if it cannot be tried here: no root, no debootstrap, no network, no mounts.
# The Debian mirror, proxies, certificates and pip's settings are this machine's.  The mounts live in a private mount
# namespace and end with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=../../sdk/bootstrap/say.sh
source sdk/bootstrap/say.sh
(($#)) || set -- ./quickstart.sh --set run.steps=5

skip() {
  say "SKIPPED: $*"
  exit 77
}

check_machine() {
  [[ $(id -u) == 0 ]] || skip "needs root (debootstrap and chroot)"
  command -v debootstrap >/dev/null || skip "needs debootstrap: apt-get install debootstrap"
  unshare --mount --pid --fork true 2>/dev/null || skip "this container may not unshare namespaces"
  # shellcheck disable=SC2016 # apt expands these
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^bookworm //p' | head -n 1)
  [[ -n $mirror ]] || skip "apt names no mirror of bookworm; run apt-get update"
  git rev-parse HEAD >/dev/null 2>&1 || skip "this is no git checkout"
  (($(free_mib "${TMPDIR:-/tmp}") >= 8000)) || skip "needs 8000 MiB free under ${TMPDIR:-/tmp}"
}

# Debian, this machine's ways to the network, and the commit.
make_root() {
  local log=$root.log
  chmod 755 "$root" # mktemp makes it 700, and inside it is "/"
  if ! debootstrap --variant=minbase bookworm "$root" "$mirror" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    ! grep -qiE 'failed getting release|resolve|connect' "$log" || skip "the Debian mirror cannot be reached"
    fail "debootstrap failed; its last words stand above"
  fi
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  apt-config dump Acquire::http Acquire::https >"$root/etc/apt/apt.conf.d/90host" || true
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/host-ca.crt" 2>/dev/null || true
  cp /etc/pip.conf "$root/etc/pip.conf" 2>/dev/null || true
  mkdir "$root/root/mortise"
  git archive HEAD | tar -x -C "$root/root/mortise"
}

# Runs the command inside, with an environment as bare as the machine but for the network settings.
run_inside() {
  local settings=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb)
  [[ ! -e $root/etc/host-ca.crt ]] || settings+=(PIP_CERT=/etc/host-ca.crt)
  local name
  for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_PROXY http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || settings+=("$name=${!name}")
  done
  # shellcheck disable=SC2016 # expanded inside
  unshare --mount --pid --fork --kill-child bash -c '
    root=$1 && shift
    mount -t proc proc "$root/proc" && mount -t sysfs -o ro sysfs "$root/sys"
    mkdir -p "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm"
    exec chroot "$root" env -i "$@"' bare "$root" "${settings[@]}" \
    bash -c 'cd /root/mortise && exec "$@"' bare "${command[@]}"
}

command=("$@")
check_machine
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT
trap 'exit 143' INT TERM
start=$SECONDS
make_root
say "a minimal Debian stands after $(took "$start"); inside: $*"
start=$SECONDS
run_inside
say "passed in $(took "$start")"
