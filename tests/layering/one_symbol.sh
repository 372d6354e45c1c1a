#!/usr/bin/env bash
# one_symbol.sh BUILD: every plugin exports mortise_plugin_entry and nothing else, and has no runpath.
set -uo pipefail
status=0 count=0
for library in "$1"/lib/mortise/plugins/*/*.so; do
  count=$((count + 1))
  symbols=$(nm -D --defined-only "$library" | awk '{print $3}' | grep -vE '^(__asan|__odr_asan|__ubsan)')
  [ "$symbols" = mortise_plugin_entry ] || { printf '%s exports:\n%s\n' "$library" "$symbols"; status=1; }
  if readelf -d "$library" | grep -qE 'RPATH|RUNPATH'; then echo "$library has a runpath"; status=1; fi
done
[ $count -gt 0 ] || { echo "no plugin is built in $1"; status=1; }
echo "$count plugins"
exit $status
