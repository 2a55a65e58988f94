#!/usr/bin/env bash
# How much can nsm watch without missing a packet? A capture is replayed through a pair of virtual interfaces at rising rates;
# the other end is watched by tcpdump, which only copies, and by nsm, in turn. Prints a Markdown table, and how nsm does at the
# highest rate that tcpdump sustains.
#
#   benches/live.sh [NSM] [CAPTURE]     NSM      the binary, built with --features live; target/release/nsm by default
#                                       CAPTURE  what is replayed; by default the first two million packets of M, made by
#                                                bench-captures, which is looked for in the examples beside NSM
#
# Needs root, ip, tcpdump, tcpreplay and python3, and 5 GB of disk. Takes about five minutes on a machine that does nothing else;
# a measurement in which others took a part of the machine is made again, up to three times, and the table says what they took.
# The sender runs on the same machine and takes a core of its own, and the kernel copies each packet to the watcher on the
# sender's time: on two cores, one is left for who watches. Both watchers have a ring of 64 MiB, nsm's default.
#
# Exit code: 0 measured (or no namespaces here), 1 something failed, 2 wrong use.
set -euo pipefail

readonly untried='NOTHING WAS MEASURED'
readonly hosts=(sender sensor)
# shellcheck source=tests/namespaces.sh
source "$(dirname "$0")/../tests/namespaces.sh"

arguments "${1:-}"
given=${2:+$(realpath "$2")}
need ip tcpdump tcpreplay python3 timeout
set_up

# Packets a second; 0 is as fast as the sender can.
readonly rates=(100000 200000 300000 400000 500000 0)
readonly span=4 packets=2000000

build() {
  ip netns add "$name-sender"
  ip netns add "$name-sensor"
  ip link add eth0 netns "$name-sender" type veth peer name eth0 netns "$name-sensor"
  # Nobody else speaks there.
  ip netns exec "$name-sender" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  ip netns exec "$name-sensor" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  ip -n "$name-sender" link set eth0 up
  ip -n "$name-sensor" link set eth0 up promisc on
}
network build

# --- what is sent ----------------------------------------------------------------------------------------------------

find_stream() {
  local maker
  if [[ -n $given ]]; then
    stream=$given
    return
  fi
  for maker in "$(dirname "$nsm")"/{examples/,}bench-captures; do
    [[ -x $maker ]] || continue
    "$maker" "$work" --only M
    stream=$work/stream.pcap
    tcpdump -Z root -n -r M.pcap -c "$packets" -w "$stream" 2> tcpdump.log
    rm M.pcap
    return
  done
  skip_all 'no capture is given and there are no bench-captures (cargo build --release --examples makes it)'
}

# send RATE: sets sent (packets), took (seconds) and bytes, and others: the processors that neither sender nor watcher had, on
# average.
send() {
  local speed=(--topspeed) limit=$packets before
  if (($1)); then
    speed=("--pps=$1")
    limit=$(($1 * span < packets ? $1 * span : packets))
  fi
  before=$(used)
  local TIMEFORMAT='%U %S'
  { time as sender 120 tcpreplay -q --preload-pcap --no-flow-stats "${speed[@]}" "--limit=$limit" -i eth0 "$stream" > sent.log 2>&1; } 2> time.log
  others=$(python3 -c '
import sys
before, after, own = ([float(word) for word in text.split()] for text in sys.argv[1:])
elapsed, used, watcher = (b - a for a, b in zip(before, after))
print(f"{max(used - watcher - sum(own), 0) / elapsed:.2f}")' "$before" "$(used)" "$(cat time.log)")
  sent=$(sed -nE 's/^\s*Successful packets:\s*([0-9]+)$/\1/p' sent.log)
  read -r took bytes <<< "$(sed -nE 's/^Actual: [0-9]+ packets \(([0-9]+) bytes\) sent in ([0-9.]+) seconds.*/\2 \1/p' sent.log)"
}

# The time, the seconds that all processors have worked (or were taken by other machines), and those that the watcher has.
used() {
  python3 -c '
import os, sys, time
ticks = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
idle = ticks[3] + ticks[4]
own = open(f"/proc/{sys.argv[1]}/stat").read().rpartition(")")[2].split()
per_second = os.sysconf("SC_CLK_TCK")
print(time.monotonic(), (sum(ticks) - idle) / per_second, (int(own[11]) + int(own[12])) / per_second)' "$watcher"
}

# --- who watches -----------------------------------------------------------------------------------------------------

readonly ring_kib=65536
watchers=('tcpdump, thrown away' 'tcpdump, to a file' 'nsm' 'nsm, to a file too')

# watch NAME: begins it, and waits until it listens; sets watcher to its process.
watch() {
  local what
  case $1 in
    'tcpdump, thrown away') what=(tcpdump -Z root -n -B "$ring_kib" -i eth0 -w /dev/null) ;;
    'tcpdump, to a file') what=(tcpdump -Z root -n -B "$ring_kib" -i eth0 -w copy.pcap) ;;
    nsm) what=("$nsm" analyze --live eth0 --output reports) ;;
    'nsm, to a file too') what=("$nsm" analyze --live eth0 --output reports --write copy.pcapng) ;;
  esac
  begin sensor 180 "${what[@]}" > watcher.log 2>&1
  for _ in {1..50}; do
    # A socket for packets; the first line is the heading.
    if (($(inside sensor cat /proc/net/packet | wc -l) > 1)); then
      watcher=$(pgrep -P "$started")
      return 0
    fi
    kill -0 "$started" 2> /dev/null || break
    sleep 0.1
  done
  printf '%s does not listen: %s\n' "$1" "$(tail -n 3 watcher.log | tr '\n' ' ')" >&2
  exit 1
}

# Ends it; sets received and dropped (what it says itself), cpu and peak (until here), and ending, the seconds that it took then.
end_watch() {
  local since=$EPOCHREALTIME status=0
  read -r cpu peak <<< "$(python3 -c '
import os, re, sys
stat = open(f"/proc/{sys.argv[1]}/stat").read().rpartition(")")[2].split()
peak = re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{sys.argv[1]}/status").read())[1]
print((int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), int(peak) // 1024)' "$watcher")"
  kill -INT "$watcher"
  wait "$started" || status=$?
  ending=$(python3 -c 'import sys; print(f"{float(sys.argv[2]) - float(sys.argv[1]):.1f}")' "$since" "$EPOCHREALTIME")
  if [[ -d reports ]]; then
    read -r received dropped <<< "$(python3 -c '
import glob, json
captures = [json.load(open(path))["capture"] for path in glob.glob("reports/live-*/*/summary.json")]
print(sum(c["frames"] for c in captures), sum(c["dropped_by_capture"] for c in captures))')"
  else
    received=$(sed -nE 's/^([0-9]+) packets captured$/\1/p' watcher.log)
    dropped=$(sed -nE 's/^([0-9]+) packets dropped by kernel$/\1/p' watcher.log)
  fi
  ((status == 0)) || printf 'exit code %d: %s\n' "$status" "$(tail -n 3 watcher.log | tr '\n' ' ')" >&2
  rm -rf reports copy.pcap copy.pcapng
}

# --- the run ---------------------------------------------------------------------------------------------------------

find_stream
# Into the page cache.
cat "$stream" > /dev/null
printf '%s cores (%s), Linux %s; %s; load before: %s\n\n' "$(nproc)" "$(sed -nE 's|^model name\s*: (.*)|\1|p' /proc/cpuinfo | head -n 1)" \
  "$(uname -r)" "$(tcpdump --version 2>&1 | head -n 1)" "$(cut -d ' ' -f 1 /proc/loadavg)"
printf '| asked packets/s | sent packets/s | Mbit/s | watched by | received | missing | dropped, it says | CPU s | CPU µs a packet | peak MB | ending s | cores of others |\n'
printf '|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n'
: > results
for rate in "${rates[@]}"; do
  for watched in "${watchers[@]}"; do
    for _ in {1..3}; do
      watch "$watched"
      send "$rate"
      # What waits in the ring.
      sleep 1
      end_watch
      [[ $others > 0.15 ]] || break
    done
    printf '%s\t' "$rate" "$watched" "$sent" "$took" "$bytes" "$received" "$dropped" "$cpu" "$peak" "$ending" >> results
    printf '%s\n' "$others" >> results
    python3 - << 'PYTHON'
rate, watched, sent, took, size, received, dropped, cpu, peak, ending, others = open("results").read().splitlines()[-1].split("\t")
sent, received, took, cpu = int(sent), int(received), float(took), float(cpu)
asked = f"{int(rate):,}" if int(rate) else "all it can"
cells = [asked, f"{sent / took:,.0f}", f"{int(size) * 8 / took / 1e6:,.0f}", watched, f"{received:,}", f"{sent - received:,}", f"{int(dropped):,}",
         f"{cpu:.2f}", f"{cpu / max(received, 1) * 1e6:.2f}", peak, ending, others]
print("| " + " | ".join(cells) + " |", flush=True)
PYTHON
  done
done

python3 - << 'PYTHON'
rows = [line.split("\t") for line in open("results")]
of = lambda name: [row for row in rows if row[1] == name]
missing = lambda row: int(row[2]) - int(row[5])
speed = lambda row: f"{int(row[2]) / float(row[3]):,.0f} packets/s"
simplest, *others = dict.fromkeys(row[1] for row in rows)
sustained = [row for row in of(simplest) if missing(row) == 0]
if sustained:
    asked = sustained[-1][0]
    print(f"\nThe highest rate at which \"{simplest}\" misses nothing: {speed(sustained[-1])}" + (", all that the sender can" if asked == "0" else "") + ".")
    there = (next(row for row in of(name) if row[0] == asked) for name in others)
    print("The same was asked for with " + "; ".join(f"\"{row[1]}\": {missing(row):,} missing at {speed(row)}" for row in there) + ".")
else:
    print(f"\n\"{simplest}\" misses packets at every rate that was tried.")
PYTHON
finished=1
