# Shared by the bootstrap scripts, quickstart.sh and test.sh: one voice for what happens, how long it took, and for
# the one sentence with which a script stops.  Sourced, never run.  Needs bash 5 (Debian 12 has 5.2).
# shellcheck shell=bash

speaker=${0##*/}
speaker=${speaker%.sh}

# Says one line.  The script's name comes first, so that a reader of a long log knows which script speaks.
say() { printf '%s: %s\n' "$speaker" "$*"; }

# Stops the script with one sentence on stderr.
fail() {
  printf '%s: error: %s\n' "$speaker" "$*" >&2
  exit 1
}

# Prints the time since START (a value of $SECONDS): "21 s" or "3 min 05 s".
took() {
  local seconds=$((SECONDS - $1))
  if ((seconds < 60)); then
    printf '%d s' "$seconds"
  else
    printf '%d min %02d s' $((seconds / 60)) $((seconds % 60))
  fi
}

# Prints the free MiB on the disk that holds PATH (or will hold it: the nearest existing parent counts).
free_mib() {
  local path=$1
  while [[ ! -e $path ]]; do path=$(dirname "$path"); done
  df -Pm "$path" | awk 'NR == 2 { print $4 }'
}

# Stops if the disk that holds PATH has less than NEEDED MiB free; WHAT completes the sentence.
need_space() {
  local path=$1 needed=$2 what=$3 free
  free=$(free_mib "$path")
  ((free >= needed)) ||
    fail "out of disk: $what needs $needed MiB under $path, but only $free MiB are free there; free some space and run again"
}

# Prints the package names in the given lists, one a line; '#' starts a comment.
read_packages() { cat /dev/null "$@" | sed 's/#.*//' | tr -s ' \t\r' '\n' | sed '/^$/d' | sort -u; }

# Prints how many compilers may run at once: one a core, but no more than memory bears (1.3 GB for the worst source).
num_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1300000) }' /proc/meminfo)
  echo $((memory < 1 ? 1 : memory < cores ? memory : cores))
}
