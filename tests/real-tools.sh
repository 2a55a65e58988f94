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

nsm=${1:-$(dirname "$0")/../target/release/nsm}
keep=${2:-}
[[ -x $nsm && ! -d $nsm ]] || { printf 'not a program: %s (cargo build --release makes it)\n' "$nsm" >&2; exit 2; }
nsm=$(realpath "$nsm")
if [[ -n $keep ]]; then
  mkdir -p "$keep"
  keep=$(realpath "$keep")
fi

readonly name="nsm$$"
readonly hosts=(attacker victim neighbour)
readonly attacker=10.213.1.66 victim=10.213.1.10 neighbour=10.213.1.20
readonly attacker6=fd00:213::66 victim6=fd00:213::10 neighbour6=fd00:213::20
readonly attacker_mac=02:00:00:d5:01:66
readonly account=tester password=correct-horse-7
readonly dns_zone=t.nsm.example

skip_all() {
  printf 'SKIPPED: NO REAL TOOL WAS TRIED: %s\n' "$1" >&2
  exit 0
}

PATH=$PATH:/usr/sbin:/sbin
have() { command -v "$1" > /dev/null; }

for tool in ip tcpdump python3 timeout; do
  have "$tool" || skip_all "$tool is not installed"
done

work=$(mktemp -d)
cd "$work"
mkdir captures reports

# TERM first, so that tcpdump completes its file and hydra its line; a process that stays is killed.
stop() {
  local pid
  for pid in "$@"; do kill "$pid" 2> /dev/null || true; done
  for pid in "$@"; do
    for _ in {1..30}; do kill -0 "$pid" 2> /dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
  done
}

clean_up() {
  local code=$? host pid running
  trap '' INT TERM HUP
  # The shell knows which of its processes still run; a number noted down might be another's by now.
  jobs -pr > "$work/running"
  mapfile -t running < "$work/running"
  stop ${running[@]+"${running[@]}"}
  for host in "${hosts[@]}" switch; do
    # What a server left running, by the namespace that only this process uses.
    for pid in $(ip netns pids "$name-$host" 2> /dev/null); do kill -KILL "$pid" 2> /dev/null || true; done
    ip netns del "$name-$host" 2> /dev/null || true
  done
  cd /
  [[ -z $keep ]] || cp "$work"/*.log "$keep/" || true
  rm -rf "$work"
  ((finished || code == 130)) || printf 'the script itself failed, code %d\n' "$code" >&2
}
finished=0
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- the network -----------------------------------------------------------------------------------------------------

inside() {
  local host=$1
  shift
  ip netns exec "$name-$host" "$@"
}

# as HOST SECONDS COMMAND...: never longer than the seconds; in the foreground, where Ctrl-C reaches it.
as() {
  local host=$1 seconds=$2
  shift 2
  timeout --foreground -k 3 "$seconds" ip netns exec "$name-$host" "$@" < /dev/null
}

# begin HOST SECONDS COMMAND...: the same, but goes on at once; sets started. Not a call of `as`, whose process would be the
# subshell and not the command.
begin() {
  local host=$1 seconds=$2
  shift 2
  timeout -k 3 "$seconds" ip netns exec "$name-$host" "$@" < /dev/null &
  started=$!
}

plug_in() {
  local host=$1 address=$2 address6=$3 mac=$4
  ip netns add "$name-$host"
  ip link add eth0 netns "$name-$host" address "$mac" type veth peer name "to-$host" netns "$name-switch"
  ip -n "$name-switch" link set "to-$host" master bridge up
  ip -n "$name-$host" link set lo up
  ip -n "$name-$host" link set eth0 up
  ip -n "$name-$host" addr add "$address/24" dev eth0
  ip -n "$name-$host" addr add "$address6/64" dev eth0 nodad
}

build_network() {
  ip netns add "$name-switch"
  ip -n "$name-switch" link add bridge type bridge mcast_snooping 0
  ip -n "$name-switch" link set bridge up
  plug_in attacker "$attacker" "$attacker6" "$attacker_mac"
  plug_in victim "$victim" "$victim6" 02:00:00:d5:01:10
  plug_in neighbour "$neighbour" "$neighbour6" 02:00:00:d5:01:20
  # Answers to forged addresses have somewhere to go, and end there.
  ip -n "$name-victim" route add default via "$neighbour"
  # A network behind the victim, in which three addresses live: ICMP reaches it without ARP for each address.
  ip -n "$name-attacker" route add 10.213.2.0/27 via "$victim"
  local last
  for last in 1 7 20; do ip -n "$name-victim" addr add "10.213.2.$last/32" dev lo; done
}

# On the left of || the first failure would not end it.
set +e
(set -e; build_network) 2> network.log
made=$?
set -e
if ((made)); then
  finished=1
  skip_all "network namespaces cannot be made here: $(tail -n 1 network.log)"
fi

# --- servers of the victim -------------------------------------------------------------------------------------------

# serve tcp|udp PORT LOG COMMAND...: starts it in the victim's namespace and waits until the port is open; sets server.
serve() {
  local protocol=$1 port=$2 log=$3
  shift 3
  begin victim 240 "$@" > "$log" 2>&1
  server=$started
  for _ in {1..50}; do
    inside victim python3 -c '
import sys
table, port = sys.argv[1], int(sys.argv[2])
rows = [line.split() for line in open(f"/proc/net/{table}").readlines()[1:]]
sys.exit(not any(int(row[1].split(":")[1], 16) == port and row[3] in ("0A", "07") for row in rows))' "$protocol" "$port" && return 0
    kill -0 "$server" 2> /dev/null || break
    sleep 0.1
  done
  printf '%s does not serve %s port %s: %s\n' "$1" "$protocol" "$port" "$(tail -n 3 "$log" | tr '\n' ' ')" >&2
  return 1
}

# A mount namespace in which the account exists and in which logs, PAM and /run are its own.
write_enclosure() {
  local hash
  hash=$(openssl passwd -6 "$password")
  mkdir -p pam.d
  { cat /etc/passwd; printf '%s:x:61999:65534::/run/home:/bin/sh\n' "$account"; } > passwd
  printf 'root:*:19000:0:99999:7:::\n%s:%s:19000:0:99999:7:::\n' "$account" "$hash" > shadow
  chmod 644 passwd
  chmod 600 shadow
  printf 'auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n' > pam.d/ftp
  cat > enclosed << SCRIPT
#!/bin/sh
set -eu
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/sshd /run/home /run/empty
chown 61999 /run/home
[ ! -f '$work/key.pub' ] || cp '$work/key.pub' /run/keys
mount --bind '$work/passwd' /etc/passwd
mount --bind '$work/shadow' /etc/shadow
mount --bind '$work/pam.d' /etc/pam.d
exec "\$@"
SCRIPT
  chmod +x enclosed
}

serve_ssh() {
  ssh-keygen -q -t ed25519 -N '' -f host_key
  ssh-keygen -q -t ed25519 -N '' -f key
  write_enclosure
  cat > sshd_config << CONFIG
ListenAddress $victim:2222
HostKey $work/host_key
PidFile none
AuthorizedKeysFile /run/keys
StrictModes no
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
MaxStartups 100
CONFIG
  serve tcp 2222 sshd.log unshare --mount ./enclosed "$(command -v sshd)" -D -e -f "$work/sshd_config"
}

serve_ftp() {
  write_enclosure
  cat > vsftpd.conf << 'CONFIG'
listen=YES
listen_port=2121
background=NO
anonymous_enable=NO
local_enable=YES
pam_service_name=ftp
secure_chroot_dir=/run/empty
xferlog_enable=NO
seccomp_sandbox=NO
CONFIG
  serve tcp 2121 vsftpd.log unshare --mount ./enclosed "$(command -v vsftpd)" "$work/vsftpd.conf"
}

serve_http() {
  mkdir -p www
  head -c 2000000 /dev/urandom > www/large
  head -c 20000 /dev/urandom > www/small
  serve tcp 8080 http.log python3 -m http.server --directory www 8080
}

# Answers every question with the victim's own address.
serve_dns() {
  cat > dns.py << 'PYTHON'
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    query, client = server.recvfrom(512)
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(sys.argv[1])
    server.sendto(query[:2] + b"\x85\x80\0\1\0\1\0\0\0\0" + query[12:] + answer, client)
PYTHON
  serve udp 53 dns.log python3 dns.py "$victim"
}

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

skip() { printf 'SKIPPED %s: %s\n' "$1" "$2" >&2; }

# --- the attacks -----------------------------------------------------------------------------------------------------

scan() { as attacker 40 nmap -n -Pn "$@"; }

hping() { as attacker 15 hping3 -q -n "$@" "$victim"; }

guess() {
  local service=$1 port=$2 user=$3 words=$4
  as attacker 60 hydra -I -f -t 4 -w 5 -l "$user" -P "$words" -s "$port" "$service://$victim"
}

ssh_options=(-F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o ConnectTimeout=5 -p 2222)

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

# --- ordinary use ----------------------------------------------------------------------------------------------------

write_ping() {
  cat > ping.py << 'PYTHON'
import socket
import struct
import sys
import time

target, count = sys.argv[1], int(sys.argv[2])
ping = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ping.settimeout(0.3)
for sequence in range(1, count + 1):
    body = struct.pack("!HH", 4711, sequence) + bytes(range(56))
    total = sum(struct.unpack("!30H", body)) + 0x0800
    total = (total & 0xFFFF) + (total >> 16)
    ping.sendto(struct.pack("!BBH", 8, 0, ~(total + (total >> 16)) & 0xFFFF) + body, (target, 0))
    try:
        ping.recv(2000)
    except TimeoutError:
        pass
    if sequence < count:
        time.sleep(0.5)
PYTHON
}

write_lookup() {
  cat > lookup.py << 'PYTHON'
import socket
import struct
import sys
import time

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
for number, name in enumerate(sys.argv[2:], 1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    client.sendto(struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1", (sys.argv[1], 53))
    client.recv(512)
    time.sleep(0.2)
PYTHON
}

download() {
  local fetch
  for fetch in small large small; do
    as attacker 10 curl -sS -o /dev/null "http://$victim:8080/$fetch" || return
    sleep 0.7
  done
  ! have wget || as attacker 10 wget -q -O /dev/null "http://$victim:8080/large"
}

log_in() {
  as attacker 10 ssh "${ssh_options[@]}" -o BatchMode=yes -i "$work/key" "$account@$victim" 'head -c 100000 /dev/zero' || return
  sleep 1
  as attacker 10 ssh "${ssh_options[@]}" -o BatchMode=yes -i "$work/key" "$account@$victim" true
}

mistype_once() {
  printf 'corect-horse-7\n%s\n' "$password" > typed
  guess_with_ssh typed
}

look_up() {
  as attacker 20 python3 lookup.py "$victim" www.example.com mail.example.com example.org docs.example.org \
    www.wikipedia.org en.wikipedia.org upload.wikimedia.org www.debian.org deb.debian.org security.debian.org
}

# --- the run ---------------------------------------------------------------------------------------------------------

write_judge
write_ping
write_lookup
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
    try 'ordinary: ssh with a key' ssh nothing '' '' '' log_in
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
  try 'ordinary: downloads' curl nothing '' '' '' download
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
  try 'ordinary: lookups' python3 nothing '' '' '' look_up
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
