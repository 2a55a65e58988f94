#!/usr/bin/env bash
# Are real attacks found, and is ordinary use left alone? Three hosts on a bridge, each a network namespace without a way
# out, are attacked with nmap, hping3, hydra, sshpass, iodine and arpspoof, one tool after another. The victim's side is
# recorded with tcpdump, each recording is analysed, and every expected alert must be there, name the right host and be
# severe enough; anything else at medium or above is a false alarm.
#
#   tests/real-tools.sh [NSM] [KEEP]     NSM   the binary, target/release/nsm by default
#                                        KEEP  a directory that receives the captures and the alerts
#
# Needs root, ip, tcpdump and python3; a case whose tools are not installed is skipped, and says so. Takes about three
# minutes. Nothing is left behind: namespaces, processes and the temporary directory go when it ends, however it ends, and
# the accounts that are attacked exist only in the mount namespaces of their servers.
#
# Exit code: 0 all found (or no namespaces here), 1 something was missed or falsely alarmed about, 2 wrong use.
set -euo pipefail

readonly hosts=(attacker victim neighbour) untried='NO REAL TOOL WAS TRIED'
# shellcheck source=tests/namespaces.sh
source "$(dirname "$0")/namespaces.sh"

arguments "$@"
need ip tcpdump python3 timeout
set_up
mkdir captures reports

readonly attacker=$net.66 attacker6=${net6}66 neighbour=$net.20
readonly attacker_mac=$mac:66
readonly dns_zone=t.nsm.example

build() {
  build_switch
  plug_in attacker 66
  plug_in victim 10
  plug_in neighbour 20
  # Answers to forged addresses have somewhere to go, and end there.
  ip -n "$name-victim" route add default via "$neighbour"
  build_behind_victim
  reach_behind_victim attacker
}
network build

# --- one case --------------------------------------------------------------------------------------------------------

# What the report says, held against what is expected. Prints "ok|MISSED|FALSE ALARM <tab> found".
write_judge() {
  cat > judge.py << 'PYTHON'
import json
import sys

SEVERITIES = ["info", "low", "medium", "high", "critical"]
path, expected, least, who, also = sys.argv[1:6]
role, _, address = who.partition("=")
names = set(address.split(","))
alerts = [json.loads(line) for line in open(path)]


def bad(alert, floor="medium"):
    return SEVERITIES.index(alert["severity"]) >= SEVERITIES.index(floor)


def named(alert):
    return role != "" and not names.isdisjoint(alert[role])


hit = expected == "nothing" or any(a["type"] == expected and named(a) and bad(a, least) for a in alerts)
false = [a for a in alerts if bad(a) and not (a["type"] in [expected, *also.split(",")] and named(a))]
words = lambda found: "; ".join(f'{a["severity"]} {a["type"]}: {a["message"]}' for a in found) or "nothing"
if not hit:
    print("MISSED", words(alerts), sep="\t")
elif false:
    print("FALSE ALARM", words(false), sep="\t")
else:
    print("ok", words([a for a in alerts if bad(a)]), sep="\t")
PYTHON
}

cases=()
failed=0

record() {
  tcpdump_log=captures/$1.log
  begin victim 120 tcpdump -Z root -n -U -B 16384 -i eth0 -w "captures/$1.pcap" 2> "$tcpdump_log"
  recorder=$started
  for _ in {1..50}; do
    grep -q 'listening on' "$tcpdump_log" && return 0
    sleep 0.1
  done
  printf 'tcpdump does not record: %s\n' "$(cat "$tcpdump_log")" >&2
  exit 1
}

# try CASE TOOLS TYPE SEVERITY ROLE=ADDRESS ALSO COMMAND...: TOOLS and ALSO (other types the attack may rightly be called)
# are lists with commas, TYPE may be "nothing", COMMAND may be a function.
try() {
  local case=$1 tools=$2 type=$3 severity=$4 who=$5 also=$6 tool file alerts began=$SECONDS status=0 verdict found expected
  shift 6
  expected="$type${severity:+, $severity or more}"
  for tool in ${tools//,/ }; do
    if ! have "$tool"; then
      printf 'SKIPPED %s: %s is not installed\n' "$case" "$tool" >&2
      return 0
    fi
  done
  file=$(tr -cs 'a-zA-Z0-9\n' - <<< "$case")
  file=${file#-} file=${file%-}

  record "$file"
  "$@" > "captures/$file.out" 2>&1 || status=$?
  # tcpdump is handed what arrived once a second. (Its immediate mode has room for a few dozen frames only.)
  sleep 1.3
  stop "$recorder"
  timeout -k 3 60 "$nsm" analyze --quiet --hash none --format json -o "reports/$file" "captures/$file.pcap" > nsm.log 2>&1 ||
    { printf 'nsm failed on %s: %s\n' "$case" "$(cat nsm.log)" >&2; failed=1; }
  mkdir -p "reports/$file"
  alerts=$(find "reports/$file" -name alerts.jsonl)
  if [[ -n $keep ]]; then
    cp "captures/$file.pcap" "captures/$file.out" "$keep/"
    [[ -z $alerts ]] || cp "$alerts" "$keep/$file.jsonl"
  fi
  python3 judge.py "${alerts:-/dev/null}" "$type" "$severity" "$who" "$also" > judgement
  IFS=$'\t' read -r verdict found < judgement
  # Silence proves nothing where nothing happened.
  if [[ $type == nothing && $verdict == ok ]] && { ((status)) || ! grep -qE '^[0-9]{2,} packets captured' "$tcpdump_log"; }; then
    verdict='NOT DONE'
    found=$(tail -n 2 "captures/$file.out" | tr '\n' ' ')
  fi
  [[ $verdict == ok ]] || failed=1
  # Many tools say by their status what they found, not whether they ran: it only explains a miss.
  [[ $verdict == ok ]] || found+=" (exit status of the tool: $status, $(grep -E '^[0-9]+ packets (captured|dropped)' "$tcpdump_log" | paste -s -d , || true))"
  cases+=("$case"$'\t'"$expected"$'\t'"$verdict"$'\t'"$found")
  printf '%-12s %-28s %3d s\n' "$verdict" "$case" $((SECONDS - began))
}

# --- the attacks -----------------------------------------------------------------------------------------------------

scan() { as attacker 40 nmap -n -Pn "$@"; }

hping() { as attacker 15 hping3 -q -n "$@" "$victim"; }

guess() {
  local service=$1 port=$2 user=$3 words=$4
  as attacker 60 hydra -I -f -t 4 -w 5 -l "$user" -P "$words" -s "$port" "$service://$victim"
}

guess_with_ssh() {
  local word
  while read -r word; do
    as attacker 10 sshpass -p "$word" ssh "${ssh_options[@]}" -o NumberOfPasswordPrompts=1 -o PubkeyAuthentication=no \
      "$account@$victim" 'head -c 3000 /etc/passwd'
  done < "$1"
}

tunnel() {
  local client
  begin attacker 25 iodine -f -r -P secret "$victim" "$dns_zone"
  client=$started
  for _ in {1..80}; do
    inside attacker ip -4 addr show dev dns0 2> /dev/null | grep -q 10.213.9 && break
    sleep 0.1
  done
  as attacker 12 curl -sS -o /dev/null --max-time 10 http://10.213.9.1:8080/small
  stop "$client"
}

spoof() {
  local spoofer
  as victim 5 python3 ping.py "$neighbour" 2
  begin attacker 13 arpspoof -i eth0 -t "$victim" "$neighbour"
  spoofer=$started
  for _ in {1..12}; do
    as victim 2 python3 ping.py "$neighbour" 1
    sleep 1
  done
  stop "$spoofer"
}

mistype_once() {
  printf 'corect-horse-7\n%s\n' "$password" > typed
  guess_with_ssh typed
}

# --- the run ---------------------------------------------------------------------------------------------------------

write_judge
write_clients
# Beyond the documented thresholds: 20 failures of one known user (login.one_user) or inferred (login.inferred), 30 for high.
# hydra stops while its other three connections still wait for the answer to their last guess.
for i in {1..36}; do printf 'wrong-%02d\n' "$i"; done > words-in-vain
{ head -n 29 words-in-vain; printf '%s\n' "$password"; } > words-right-at-last

try 'nmap -sS' nmap port_scan high "attackers=$attacker" '' scan -sS -p 1-200 "$victim"
try 'nmap -sT' nmap port_scan high "attackers=$attacker" '' scan -sT -p 1-200 "$victim"
try 'nmap -sF' nmap port_scan high "attackers=$attacker" '' scan -sF -p 1-200 "$victim"
try 'nmap -sU' nmap port_scan medium "attackers=$attacker" '' scan -sU --max-retries 1 -p 1000-1023 "$victim"
try 'nmap -6 -sS' nmap port_scan high "attackers=$attacker6" '' scan -6 -sS -p 1-200 "$victim6"
try 'nmap slow' nmap port_scan medium "attackers=$attacker" '' scan -sS --scan-delay 0.5s --max-retries 1 -p 100-139 "$victim"
try 'nmap -sn, ping sweep' nmap host_discovery medium "attackers=$attacker" host_sweep as attacker 30 nmap -n -sn 10.213.2.0/27
try 'nmap -sn, ARP sweep' nmap host_discovery medium "attackers=$attacker,$attacker_mac" '' as attacker 30 nmap -n -sn 10.213.1.0/25

try 'hping3 SYN flood' hping3 syn_flood high "victims=$victim" '' hping -S -p 80 --rand-source -i u1000 -c 4000
try 'hping3 UDP flood' hping3 udp_flood medium "attackers=$attacker" '' hping --udp -p 9999 -i u150 -c 20000
try 'hping3 ICMP flood' hping3 icmp_flood medium "attackers=$attacker" '' hping --icmp -i u1000 -c 4000

if have sshd && have ssh-keygen && have openssl && have unshare; then
  if serve_ssh; then
    try 'hydra, ssh' hydra brute_force high "attackers=$attacker" '' guess ssh 2222 nobody-here words-in-vain
    try 'sshpass, right at last' sshpass,ssh brute_force critical "attackers=$attacker" '' guess_with_ssh words-right-at-last
    try 'ordinary: ssh with a key' ssh nothing '' '' '' log_in attacker
    try 'ordinary: one typing error' sshpass,ssh nothing '' '' '' mistype_once
  else
    skip 'ssh cases' 'sshd does not run here'
  fi
else
  skip 'ssh cases' 'sshd, ssh-keygen, openssl or unshare is not installed'
fi

if have vsftpd && have openssl && have unshare; then
  if serve_ftp; then
    try 'hydra, ftp, right at last' hydra brute_force critical "attackers=$attacker" '' guess ftp 2121 "$account" words-right-at-last
  else
    skip 'hydra, ftp' 'vsftpd does not run here'
  fi
else
  skip 'hydra, ftp' 'vsftpd, openssl or unshare is not installed'
fi

if serve_http; then
  try 'ordinary: downloads' curl nothing '' '' '' download attacker
fi

if have iodined && have iodine && have curl; then
  if serve udp 53 iodined.log iodined -f -l "$victim" -P secret 10.213.9.1/27 "$dns_zone"; then
    try 'iodine' iodine dns_tunnel medium "attackers=$attacker" '' tunnel
    stop "$server"
  else
    skip iodine 'iodined does not run here (is there a /dev/net/tun?)'
  fi
else
  skip iodine 'iodine, iodined or curl is not installed'
fi

if serve_dns; then
  try 'ordinary: lookups' python3 nothing '' '' '' look_up attacker
fi
try 'ordinary: ping' python3 nothing '' '' '' as attacker 20 python3 ping.py "$victim" 10

try 'arpspoof' arpspoof arp_spoof medium "attackers=$attacker,$attacker_mac" '' spoof

# --- the result ------------------------------------------------------------------------------------------------------

finished=1
if ((failed)); then
  printf '\n%-28s %-34s %-12s %s\n' case expected verdict found
  for row in "${cases[@]}"; do
    IFS=$'\t' read -r case expected verdict found <<< "$row"
    printf '%-28s %-34s %-12s %s\n' "$case" "$expected" "$verdict" "$found"
  done
  exit 1
fi
printf '\nall %d cases as expected, %d s\n' "${#cases[@]}" "$SECONDS"
