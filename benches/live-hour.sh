#!/usr/bin/env bash
# Does memory stay flat? Feeds an hour of packet time (bench capture M, 57 times as long: 268 million packets in 17
# million conversations, 74 000 packets a second) through the live path as fast as it takes them, and prints the memory
# of nsm for every two minutes of packet time.
#
#   cargo build --release --example bench-captures --bin nsm
#   benches/live-hour.sh [NSM] [BENCH_CAPTURES] [SCALE]
#
# Nothing is written but the reports, to a temporary directory that is removed. Takes about ten minutes on two cores.
set -euo pipefail

nsm=$(realpath "${1:-target/release/nsm}")
bench=$(realpath "${2:-target/release/examples/bench-captures}")
scale=${3:-57}
# Bytes of the capture at scale 1, and the minutes of packet time that it lasts at this scale.
readonly bytes_once=3123000000 seconds_once=63

work=$(mktemp -d)
children=()
clean_up() {
  local pid
  for pid in ${children[@]+"${children[@]}"}; do kill "$pid" 2> /dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkfifo "$work/M.pcap"
"$bench" "$work" --only M --scale "$scale" &
children+=($!)
"$nsm" analyze --live - --hash none --rotate hour -o "$work/reports" < "$work/M.pcap" 2> "$work/nsm.log" &
pid=$!
children+=("$pid")

printf '| packet time, min | read, GB | resident, MiB | peak, MiB | reports |\n|---:|---:|---:|---:|---:|\n'
next=0
while kill -0 "$pid" 2> /dev/null; do
  read -r read_bytes < <(awk '/^rchar/ { print $2 }' "/proc/$pid/io" 2> /dev/null || echo 0) || break
  minute=$((${read_bytes:-0} / 60 * seconds_once / bytes_once))
  if ((minute >= next)); then
    awk -v minute="$minute" -v gb="$((read_bytes / 1000000000))" -v reports="$(find "$work/reports" -name manifest.json 2> /dev/null | wc -l)" \
      '/^VmRSS/ { rss = $2 } /^VmHWM/ { peak = $2 } END { if (rss) printf "| %d | %d | %d | %d | %d |\n", minute, gb, rss / 1024, peak / 1024, reports }' \
      "/proc/$pid/status" 2> /dev/null || true
    next=$((minute + 2))
  fi
  sleep 0.5
done
code=0
wait "$pid" || code=$?
printf '\nexit code %d; frames in all reports: ' "$code"
find "$work/reports" -name summary.json -exec python3 -c '
import json, sys
print(sum(json.load(open(path))["capture"]["frames"] for path in sys.argv[1:]))' {} +
tail -n 12 "$work/nsm.log"
