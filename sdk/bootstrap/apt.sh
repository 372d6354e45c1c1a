#!/usr/bin/env bash
# Installs the Debian packages named in the given lists, and only those that are missing.
#
#   sdk/bootstrap/apt.sh LIST...        (default: packages.txt beside this script)
#
# It never removes a package (--no-remove), never pulls in recommended ones, and ends with one sentence when it cannot
# work: another distribution, no root, no network, no disk, a conflict.
# Environment: MORTISE_SKIP_APT=1 leaves the packages to you.  MORTISE_OS_RELEASE is for the tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=say.sh
source "$here/say.sh"
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
options=(--yes --no-remove --no-install-recommends -o DPkg::Lock::Timeout=120)

main() {
  (($#)) || set -- "$here/packages.txt"
  local packages missing
  mapfile -t packages < <(read_packages "$@")
  if [[ ${MORTISE_SKIP_APT:-} == 1 ]]; then
    say "skipped (MORTISE_SKIP_APT=1)"
    return
  fi
  check_distribution
  mapfile -t missing < <(not_installed "${packages[@]}")
  if ((${#missing[@]} == 0)); then
    say "all ${#packages[@]} packages are there"
    return
  fi
  install_packages
}

# Stops on anything but Debian 12, naming what to install by hand.
check_distribution() {
  local file=${MORTISE_OS_RELEASE:-/etc/os-release} name=unknown
  if [[ -r $file ]]; then
    # shellcheck disable=SC1090
    name=$(source "$file" && echo "${ID:-} ${VERSION_ID:-}")
  fi
  if [[ $name != "debian 12" ]] || ! command -v apt-get >/dev/null; then
    fail "this is '$name', and packages are installed on Debian 12 only; install the counterparts of these" \
      "yourself, then run again with MORTISE_SKIP_APT=1: ${packages[*]}"
  fi
}

# Prints those of the given packages that dpkg does not hold as installed.
not_installed() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

# Installs ${missing[@]}: refresh the index, try it dry, look at the disk, then do it.
install_packages() {
  local start=$SECONDS as_root=() log
  find_root
  say "installing ${#missing[@]} packages: ${missing[*]}"
  log=$(mktemp)
  # shellcheck disable=SC2064
  trap "rm -f '$log'" EXIT
  "${as_root[@]}" apt-get update -q >"$log" 2>&1 || true # a broken third-party source may not stop us; the dry run decides
  if ! apt-get --simulate "${options[@]}" install "${missing[@]}" >>"$log" 2>&1; then
    explain_and_fail "$log"
  fi
  check_disk
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "${options[@]}" install "${missing[@]}" >>"$log" 2>&1; then
    explain_and_fail "$log"
  fi
  say "${#missing[@]} packages installed in $(took "$start")"
}

# Fills as_root with what turns a command into root's: nothing, or sudo.
find_root() {
  [[ $(id -u) != 0 ]] || return 0
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    as_root=(sudo)
    return
  fi
  fail "${#missing[@]} packages are missing and installing them needs root; run this as root, then run again:" \
    "apt-get update && apt-get install --no-remove --no-install-recommends ${missing[*]}"
}

# Asks apt how much the packages will take and compares it with what is free.
check_disk() {
  local words number unit
  words=$(apt-get --assume-no --no-remove --no-install-recommends install "${missing[@]}" 2>/dev/null |
    sed -n 's/^After this operation, \([0-9.,]* [kMG]*B\) of additional.*/\1/p' || true)
  [[ -n $words ]] || return 0
  read -r number unit <<<"$words"
  number=${number//,/}
  number=${number%.*}
  case $unit in
    GB) number=$((number * 1024 + 1024)) ;;
    MB) ;;
    *) number=1 ;;
  esac
  need_space /usr $((number + number / 4)) "installing ${#missing[@]} packages" # a quarter more: the fetched archives
}

# Boost is the conflict to expect: Debian lets only one version of its headers in.
boost_note() { [[ $1 != *libboost* ]] || printf ' (Mortise needs Boost 1.81, and Debian lets only one libboost*-dev version in)'; }

# Turns apt's output into one sentence.  The order matters: an offline machine also "cannot locate" packages.
explain_and_fail() {
  local log=$1 removed
  if grep -qE 'removed but remove is disabled|held broken packages|unmet dependencies' "$log"; then
    removed=$(apt-get --simulate --yes --no-install-recommends install "${missing[@]}" 2>/dev/null |
      sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ' || true)
    [[ -z $removed ]] ||
      fail "conflict: ${removed% } would have to go, and nothing is removed for you$(boost_note "$removed"); if you can do" \
        "without them, run 'apt-get remove ${removed% }', then run again"
  fi
  if grep -qiE 'no space left|enough free space' "$log"; then
    fail "out of disk while installing ${#missing[@]} packages; free some space and run again"
  fi
  if grep -qiE 'could not resolve|temporary failure|unable to connect|could not connect|connection (timed out|refused|failed)|network is unreachable|failed to fetch' "$log"; then
    fail "offline: the Debian mirror cannot be reached; connect, or install these yourself, and run again: ${missing[*]}"
  fi
  sed 's/^/  apt| /' "$log" | tail -n 20 >&2
  fail "apt cannot install: ${missing[*]}; its last words stand above"
}

main "$@"
