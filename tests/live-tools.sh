#!/usr/bin/env bash
# Is an attack told while it happens, within a second of the packet that makes it one, and is ordinary use left alone? One live
# session of nsm watches a victim while nmap, hping3 and hydra attack it one after another, each from a host of its own, with
# ordinary use before and after. Every line of nsm is stamped with the wall clock when it comes. Which packet crossed a
# documented threshold is counted by tests/live_judge.py from what was recorded, not taken from nsm. In the end the report must
# be that of the recorded capture analysed as a file.
#
#   tests/live-tools.sh [NSM] [KEEP]     NSM   the binary, target/release/nsm by default
#                                        KEEP  a directory that receives the capture, what nsm said and both reports
#
# Needs root, ip, tshark and python3; a case whose tools are not installed is skipped, and says so. An nsm that was built without
# live capture follows tcpdump instead. Takes about two minutes. Nothing is left behind, however it ends.
#
# Exit code: 0 all told in time (or no namespaces here), 1 something was missed, late, falsely alarmed about or reported
# differently, 2 wrong use.
set -euo pipefail

here=$(realpath "$(dirname "$0")")
readonly here untried='NOTHING WAS TRIED LIVE'
# One attacker would be one event, or one incident: each case has its own. The number ends its addresses.
readonly -A attackers=(
  [scan-syn]=61 [scan-connect]=62 [sweep-arp]=63 [sweep-icmp]=64 [sweep-tcp]=65 [flood-syn]=66 [flood-udp]=67 [flood-icmp]=68
  [guess-ssh]=69 [guess-ftp]=70 [below]=71
)
readonly hosts=(victim client router "${!attackers[@]}")
# shellcheck source=tests/namespaces.sh
source "$here/namespaces.sh"

arguments "$@"
need ip tshark python3 timeout
set_up

build() {
  local host
  build_switch
  plug_in victim 10
  plug_in client 30
  plug_in router 20
  for host in "${!attackers[@]}"; do plug_in "$host" "${attackers[$host]}"; done
  # Answers to forged addresses have somewhere to go, and end there.
  ip -n "$name-victim" route add default via "$net.20"
  build_behind_victim
  reach_behind_victim below
  reach_behind_victim sweep-icmp
  reach_behind_victim sweep-tcp
}
network build

# --- the live session ------------------------------------------------------------------------------------------------

# A line of standard input, and before it the time at which it came.
write_stamp() {
  cat > stamp.py << 'PYTHON'
import sys
import time

for line in iter(sys.stdin.buffer.readline, b""):
    print(time.time_ns(), line.decode(errors="replace").rstrip("\n"), sep="\t", flush=True)
PYTHON
}

watching=(--jsonl --rotate none --hash none --format csv,json --output live)

# watch_live COMMAND...: begins it, its lines stamped into told (standard output) and said.log (the rest).
stamped() {
  mkfifo told.pipe said.pipe
  python3 stamp.py < told.pipe > told &
  stampers=($!)
  python3 stamp.py < said.pipe > said.log &
  stampers+=($!)
  "$@" > told.pipe 2> said.pipe
}

watch_interface() {
  capture=$work/capture.pcapng
  stamped begin victim "$limit" "$nsm" analyze --live eth0 --write "$capture" "${watching[@]}"
  watcher=$started
}

# The stand-in where nsm cannot capture: tcpdump does, keeps a copy, and hands on every packet at once. (Its immediate mode has
# room for few frames, unless they are short and the buffer is large.)
watch_tcpdump() {
  need tcpdump
  capture=$work/capture.pcap
  mkfifo frames.pipe copy.pipe
  tee "$capture" < copy.pipe > frames.pipe &
  begin victim "$limit" tcpdump -Z root -n -U --immediate-mode -s 65600 -B 262144 -i eth0 -w - > copy.pipe 2> tcpdump.log
  recorder=$started
  follow() { timeout -k 3 "$limit" "$nsm" analyze --live - "${watching[@]}" < frames.pipe & watcher=$!; }
  stamped follow
}

# Begins the live session, and waits until it watches.
watch_live() {
  local refusal
  refusal=$(timeout 5 "$nsm" analyze --live no-such-interface --output live 2>&1 || true)
  if [[ $refusal == *'--features live'* ]]; then
    printf 'NOTE: this nsm was built without live capture; it follows tcpdump instead.\n' >&2
    watch_tcpdump
  else
    watch_interface
  fi
  for _ in {1..50}; do
    as client 2 python3 ping.py "$victim" 1 || true
    ! grep -qs ' begins;' live/*/security_monitor.log || return 0
    kill -0 "$watcher" 2> /dev/null || break
    sleep 0.2
  done
  printf 'nsm does not watch: %s\n' "$(tail -n 3 said.log)" >&2
  exit 1
}

# Ends it as Ctrl-C does (the stand-in: as the end of its input), and waits for its report; sets ended to its exit code.
end_live() {
  if [[ -n ${recorder:-} ]]; then stop "$recorder"; else kill -INT "$(pgrep -P "$watcher")"; fi
  ended=0
  wait "$watcher" || ended=$?
  wait "${stampers[@]}"
}

# --- one case --------------------------------------------------------------------------------------------------------

# note CASE BEGAN STATUS TYPE ALSO ATTACKERS VICTIMS CROSSINGS: what the judge needs to know of it.
note() {
  local IFS=$'\t'
  printf '%s\n' "$*" >> cases
}

# try CASE TOOLS TYPE ALSO ATTACKERS VICTIMS CROSSINGS COMMAND...: TOOLS and ALSO (other types the attack may rightly be called)
# are lists with commas; ATTACKERS and VICTIMS are those the alert must name one of; CROSSINGS is a list of
# severity=what:number, the packet from which on the alert must have this severity. TYPE may be "nothing".
try() {
  local case=$1 tools=$2 tool began=$EPOCHREALTIME status=0 since=$SECONDS
  for tool in ${tools//,/ }; do
    if ! have "$tool"; then
      skip "$case" "$tool is not installed"
      return 0
    fi
  done
  printf '== %s\n' "$case" >> tools.log
  "${@:8}" >> tools.log 2>&1 || status=$?
  # A second is what nsm has; half a second more shows who is late and not missing.
  sleep 1.5
  note "$case" "$began" "$status" "${@:3:5}"
  printf 'done         %-28s %3d s\n' "$case" $((SECONDS - since))
}

address() { printf '%s.%s' "$net" "${attackers[$1]}"; }

# --- ordinary use and attacks ----------------------------------------------------------------------------------------

ordinary() {
  download client && log_in client && look_up client &&
    as client 20 python3 ping.py "$victim" 5
}

# nmap -n HOST OPTIONS...
map() { as "$1" 30 nmap -n "${@:2}"; }

# hping HOST OPTIONS...: while somebody else uses the victim as always, and is not to be blamed.
hping() {
  local bystanders=()
  begin client 10 python3 ping.py "$victim" 4
  bystanders+=("$started")
  begin client 10 python3 lookup.py "$victim" www.example.com example.org docs.example.org
  bystanders+=("$started")
  as "$1" 15 hping3 -q -n "${@:2}" "$victim"
  stop "${bystanders[@]}"
}

# guess HOST SERVICE PORT USER WORDS
guess() { as "$1" 60 hydra -I -f -t 4 -w 5 -l "$4" -P "$5" -s "$3" "$2://$victim"; }

# --- the run ---------------------------------------------------------------------------------------------------------

readonly limit=280
write_stamp
write_clients
for i in {1..36}; do printf 'wrong-%02d\n' "$i"; done > words-in-vain
{ head -n 29 words-in-vain; printf '%s\n' "$password"; } > words-right-at-last

has_ssh=0 has_ftp=0
if have sshd && have ssh && have ssh-keygen && have openssl && have unshare && serve_ssh; then
  has_ssh=1
  tail -n +1 -f sshd.log | python3 stamp.py > sshd-stamped.log &
else
  skip 'ssh cases' 'sshd does not run here, or ssh, ssh-keygen, openssl or unshare is not installed'
fi
if have vsftpd && have openssl && have unshare && serve_ftp; then
  has_ftp=1
else
  skip 'ftp cases' 'vsftpd does not run here, or openssl or unshare is not installed'
fi
serve_http
serve_dns

watch_live
printf 'watching\n'

((!has_ssh)) || try 'ordinary use' curl nothing '' "$net.30" "$victim" '' ordinary
# Some 230 a second: no flood (256), though two seconds of it hold more than a burst of one must.
try 'hping3, below a flood' hping3 nothing '' "$(address below)" 10.213.2.7 '' \
  as below 15 hping3 -q -n --icmp -i u4200 -c 1200 10.213.2.7
# Together fewer SYNs than a flood has in two seconds: a minute later they would be its beginning.
try 'nmap -sS' nmap port_scan '' "$(address scan-syn)" "$victim" 'medium=ports:15,high=ports:100' \
  map scan-syn -Pn -sS -p 1-120 "$victim"
try 'nmap -sT' nmap port_scan '' "$(address scan-connect)" "$victim" 'medium=ports:15,high=ports:100' \
  map scan-connect -Pn -sT -p 1-120 "$victim"
try 'nmap -sn, ARP sweep' nmap host_discovery '' "$(address sweep-arp),$mac:${attackers[sweep-arp]}" '' 'medium=arp:30' \
  map sweep-arp -sn 10.213.1.0/25
try 'nmap -sn, ping sweep' nmap host_discovery host_sweep "$(address sweep-icmp)" '' 'medium=echo:12' \
  map sweep-icmp -sn 10.213.2.0/27
try 'nmap -p 445, sweep' nmap host_sweep '' "$(address sweep-tcp)" '' 'medium=hosts:25' \
  map sweep-tcp -Pn -sS -p 445 10.213.2.0/27
try 'hping3 SYN flood' hping3 syn_flood '' '' "$victim" 'high=syn:256' \
  hping flood-syn -S -p 80 --rand-source -i u1000 -c 4000
try 'hping3 UDP flood' hping3 udp_flood '' "$(address flood-udp)" "$victim" 'medium=udp:2000' \
  hping flood-udp --udp -p 9999 -i u150 -c 20000
try 'hping3 ICMP flood' hping3 icmp_flood '' "$(address flood-icmp)" "$victim" 'medium=icmp:256' \
  hping flood-icmp --icmp -i u1000 -c 4000
((!has_ssh)) || try 'hydra, ssh' hydra brute_force '' "$(address guess-ssh)" "$victim" 'medium=ssh:20,high=ssh:30' \
  guess guess-ssh ssh 2222 nobody-here words-in-vain
((!has_ftp)) || try 'hydra, ftp, right at last' hydra brute_force '' "$(address guess-ftp)" "$victim" \
  'medium=ftp:20,critical=ftp-success:1' guess guess-ftp ftp 2121 "$account" words-right-at-last
((!has_ssh)) || try 'ordinary use again' curl nothing '' "$net.30" "$victim" '' ordinary

load=$(cut -d ' ' -f 1 /proc/loadavg)
end_live

# --- the result ------------------------------------------------------------------------------------------------------

offline=0
timeout -k 3 60 "$nsm" analyze --quiet --hash none --format csv,json --output offline "$capture" 2> offline.log || offline=$?
timeout -k 3 60 tshark -n -r "$capture" -d tcp.port==2121,ftp -T fields -E occurrence=f -e frame.number -e frame.time_epoch \
  -e ip.src -e ip.dst -e ip.proto -e tcp.srcport -e tcp.dstport -e tcp.flags -e tcp.len -e icmp.type -e arp.opcode \
  -e arp.src.proto_ipv4 -e arp.dst.proto_ipv4 -e ftp.response.code > packets 2> tshark.log
[[ -z $keep ]] || cp -r "$capture" told packets cases live offline "$keep/"
printf '\n'
failed=0
python3 "$here/live_judge.py" "$ended" "$offline" || failed=$?
# Who is late on a machine that is busy with something else has an excuse.
printf '%s cores, load average %s\n' "$(nproc)" "$load"
finished=1
((!failed)) || exit 1
printf '\nall as expected, %d s\n' "$SECONDS"
