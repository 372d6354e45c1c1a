#!/bin/sh
# whole.sh BUILD RECIPE.toml DIR [SCORE OP NUMBER|SCORE]...: runs a recipe at its full length in the new folder DIR and prints one line of JSON:
# seconds, the largest peak of tensor memory, every score.  Fails when the run does, when it takes longer than MORTISE_RECIPE_LIMIT seconds
# (180 unless set: two idle cores are meant), or when a comparison of its scores does not hold ("dev.accuracy > dev.majority").
set -eu
build=$1 recipe=$2 dir=$3
shift 3
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
begin=$(date +%s)
OMP_WAIT_POLICY=passive "$build/bin/mortise" run "$recipe" --set run.dir="$dir" > "$dir.log" 2>&1 || { tail -n 40 "$dir.log"; exit 1; }
seconds=$(($(date +%s) - begin))
# "NAME":VALUE of every score, from status.json; a pipeline's own file has those of its stages, a sweep's runs have files of their own.
scores_in() { sed -n '/"scores": {/,/}/p' "$1" | sed '1d;$d' | tr -d ' \n,' | sed 's/"\([^"]*\)":\([^"]*\)/"\1":\2,/g; s/,$//'; }
scores=
if [ -n "$(scores_in "$dir/status.json" 2>/dev/null)" ]; then
  scores=$(scores_in "$dir/status.json")
else
  for file in $(find "$dir" -mindepth 2 -name status.json | sort); do
    name=$(basename "$(dirname "$file")")
    scores="$scores${scores:+,}$(scores_in "$file" | sed "s/\"\([^\"]*\)\":/\"$name.\1\":/g")"
  done
fi
peak=$(find "$dir" -name status.json -exec sed -n 's/.*"peak_mib": *\([0-9.]*\).*/\1/p' {} + | sort -n | tail -n 1)
echo "{\"recipe\":\"$(basename "$recipe" .toml)\",\"seconds\":$seconds,\"peak_mib\":${peak:-0},\"scores\":{$scores}}"
status=0
[ "$seconds" -le "${MORTISE_RECIPE_LIMIT:-180}" ] || { echo "took $seconds s, more than ${MORTISE_RECIPE_LIMIT:-180}"; status=1; }
# value WORD: a number as it is, a score by its name, or FACTOR*SCORE
value() {
  case $1 in
    *\**) factor=${1%%\**} name=${1#*\*} ;;
    [0-9.-]*) echo "$1"; return ;;
    *) factor=1 name=$1 ;;
  esac
  found=$(echo "$scores" | tr ',' '\n' | sed -n "s/^\"$name\"://p")
  [ -n "$found" ] || { echo "there is no score $name" >&2; exit 1; }
  awk "BEGIN { printf \"%.10g\", $factor * $found }"
}
while [ $# -ge 3 ]; do
  left=$(value "$1") right=$(value "$3")
  awk "BEGIN { exit !($left $2 $right) }" || { echo "$1 $2 $3 does not hold: $left, $right"; status=1; }
  shift 3
done
exit $status
