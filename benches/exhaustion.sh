#!/usr/bin/env bash
# Can a capture exhaust nsm? Each case of examples/hostile-captures is made in two sizes, one and four, and analysed with the
# default settings; prints a Markdown table. Time has to grow as the input does (about 4), memory has to stay below what
# `--max-memory` and the fixed parts beside it allow, and the report below its bound (see THREAT_MODEL.md).
#
#   cargo build --release --example hostile-captures --bin nsm
#   benches/exhaustion.sh [-n NSM] [-m MAKER] [-t SECONDS] [-d] [CASE[:SCALE]...]
#
#   -n NSM      the binary; target/release/nsm by default
#   -m MAKER    the maker of captures; target/release/examples/hostile-captures by default
#   -t SECONDS  a run that takes longer is killed, and fails; 600 by default
#   -d          `--format csv,json` besides, where the default formats may differ much
#   CASE:SCALE  only this case, in this size; without a scale in sizes one and four
#
# Needs GNU time, and disk for the largest capture and its report (a few GB). Captures and reports are removed.
#
# Columns: bytes of the file, and decompressed; seconds on the wall and of the processors; peak resident memory; bytes of the
# report; exit code (0 done, 1 not analysed, 3 damaged input, 124 killed for its time); `x` is processor time at four times
# the size by that at one, of which 0.2 s are not the capture's.
#
# Exit code: 0 all within their bounds, 1 something is not, 2 wrong use.
set -euo pipefail

nsm=target/release/nsm maker=target/release/examples/hostile-captures limit=600 both=0
while getopts 'n:m:t:d' option; do
  case $option in
    n) nsm=$OPTARG ;;
    m) maker=$OPTARG ;;
    t) limit=$OPTARG ;;
    d) both=1 ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
nsm=$(realpath "$nsm") maker=$(realpath "$maker")

# MiB: --max-memory, an eighth of it for conversations that are followed, and what stands beside: the program, blocks that are
# read ahead, the guard against floods, tables while they are turned into columns, charts, the page.
readonly most_memory=$((1024 + 128 + 640))
# Times of processor time, for four times the input.
readonly most_ratio=5.5

work=$(mktemp -d)
child=
clean_up() {
  [[ -z $child ]] || kill "$child" 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mapfile -t cases < <(if (($#)); then printf '%s\n' "$@"; else "$maker" | awk '{ print $1 }'; fi)

decompressed() {
  case $1 in
    # One small frame, and then nothing.
    members-*) echo 87 ;;
    *-gzip) gzip -dc < "$work/capture" 2> /dev/null | wc -c ;;
    *-zstd) zstd -dc --long=27 < "$work/capture" 2> /dev/null | wc -c ;;
    *-lz4) lz4 -dc < "$work/capture" 2> /dev/null | wc -c ;;
    *) stat -c %s "$work/capture" ;;
  esac
}

# run CASE SCALE FORMATS: sets cpu, and prints a row without its end.
run() {
  local name=$1 scale=$2 formats=$3 code=0 wall peak size whole report
  [[ $made == "$name:$scale" ]] || "$maker" "$name" "$scale" > "$work/capture"
  made=$name:$scale
  size=$(stat -c %s "$work/capture")
  whole=$(decompressed "$name" || echo 0)
  rm -rf "$work/reports"
  command time -o "$work/time" -f '%e %U %S %M' timeout -s KILL "$limit" \
    "$nsm" analyze "$work/capture" -o "$work/reports" -q --format "$formats" > "$work/log" 2>&1 &
  child=$!
  wait "$child" || code=$?
  child=
  read -r wall user sys peak < <(tail -n 1 "$work/time")
  report=$(du -sb "$work/reports" 2> /dev/null | cut -f 1 || true)
  cpu=$(awk -v user="$user" -v sys="$sys" 'BEGIN { printf "%.2f", user + sys }')
  printf '| %s | %s | %d | %d | %d | %s | %s | %.0f | %d | %d | %d ' "$name" "$formats" "$scale" "$size" "$whole" "$wall" "$cpu" \
    "$(awk -v whole="$whole" -v wall="$wall" 'BEGIN { print whole / 1e6 / (wall > 0 ? wall : 0.01) }')" "$((peak / 1024))" "${report:-0}" "$code"
  case $code in
    0 | 1 | 3) ;;
    *) bad+=("$name at $scale: exit code $code: $(tail -n 1 "$work/log")") ;;
  esac
  ((peak / 1024 <= most_memory)) || bad+=("$name at $scale: $((peak / 1024)) MiB")
}

bad=() made=
printf '| case | formats | size | bytes | decompressed | s | CPU s | MB/s | peak MiB | report bytes | exit code | x |\n'
printf '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n'
for word in "${cases[@]}"; do
  kinds=(csv,json,png,html,parquet)
  ((!both)) || kinds+=(csv,json)
  for formats in "${kinds[@]}"; do
    name=${word%%:*}
    if [[ $word == *:* ]]; then
      run "$name" "${word#*:}" "$formats"
      printf '| |\n'
      continue
    fi
    run "$name" 1 "$formats"
    printf '| |\n'
    before=$cpu
    run "$name" 4 "$formats"
    ratio=$(awk -v a="$before" -v b="$cpu" 'BEGIN { a -= 0.2; b -= 0.2; printf "%.1f", b / (a > 0.1 ? a : 0.1) }')
    printf '| %s |\n' "$ratio"
    awk -v ratio="$ratio" -v most="$most_ratio" -v b="$cpu" 'BEGIN { exit !(b > 2 && ratio > most) }' && bad+=("$name: $ratio times the time for 4 times the input")
  done
done
if ((${#bad[@]})); then
  printf '\nOut of bounds:\n'
  printf -- '- %s\n' "${bad[@]}"
  exit 1
fi
