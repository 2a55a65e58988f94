# Hosts for tests that attack. Each is a network namespace, all are on one bridge without a way out. Sourced, never run.
#
# Knows hosts, processes in them, the victim's servers and what ordinary users do there. Knows no attack, and nothing of what
# nsm says of one.
#
# Who sources this sets `hosts`, the namespaces it wants, and `untried`, the words for that nothing was tried; then calls
# `arguments "$@"`, `need TOOL...`, `set_up` and `network FUNCTION`, in this order, and sets finished=1 at its end.

readonly name="nsm$$"
readonly net=10.213.1 net6=fd00:213:: mac=02:00:00:d5:01
readonly victim=$net.10 victim6=${net6}10
readonly account=tester password=correct-horse-7

PATH=$PATH:/usr/sbin:/sbin
have() { command -v "$1" > /dev/null; }

finished=0

skip() { printf 'SKIPPED %s: %s\n' "$1" "$2" >&2; }

skip_all() {
  printf 'SKIPPED: %s: %s\n' "$untried" "$1" >&2
  finished=1
  exit 0
}

# arguments [NSM] [KEEP]: the binary, and a directory that receives what was recorded and said; sets nsm and keep.
arguments() {
  nsm=${1:-$(dirname "$0")/../target/release/nsm}
  keep=${2:-}
  [[ -x $nsm && ! -d $nsm ]] || { printf 'not a program: %s (cargo build --release makes it)\n' "$nsm" >&2; exit 2; }
  nsm=$(realpath "$nsm")
  if [[ -n $keep ]]; then
    mkdir -p "$keep"
    keep=$(realpath "$keep")
  fi
}

need() {
  local tool
  for tool in "$@"; do
    have "$tool" || skip_all "$tool is not installed"
  done
}

# A directory to work in, which goes at the end with all that was started and made.
set_up() {
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  cd "$work"
}

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

# plug_in HOST NUMBER: makes the host; the number ends its addresses.
plug_in() {
  local host=$1 number=$2
  ip netns add "$name-$host"
  ip link add eth0 netns "$name-$host" address "$mac:$number" type veth peer name "to-$host" netns "$name-switch"
  ip -n "$name-switch" link set "to-$host" master bridge up
  ip -n "$name-$host" link set lo up
  ip -n "$name-$host" link set eth0 up
  ip -n "$name-$host" addr add "$net.$number/24" dev eth0
  ip -n "$name-$host" addr add "$net6$number/64" dev eth0 nodad
}

build_switch() {
  ip netns add "$name-switch"
  ip -n "$name-switch" link add bridge type bridge mcast_snooping 0
  ip -n "$name-switch" link set bridge up
}

# A network behind the victim, in which three addresses live: a host there is tried without ARP for each address.
build_behind_victim() {
  local last
  for last in 1 7 20; do ip -n "$name-victim" addr add "10.213.2.$last/32" dev lo; done
}

reach_behind_victim() { ip -n "$name-$1" route add 10.213.2.0/27 via "$victim"; }

# network FUNCTION: lets it build; where there can be no namespaces, nothing is tried.
network() {
  local made
  # On the left of || the first failure would not end it.
  set +e
  (set -e; "$1") 2> network.log
  made=$?
  set -e
  ((made == 0)) || skip_all "network namespaces cannot be made here: $(tail -n 1 network.log)"
}

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

# --- ordinary use ----------------------------------------------------------------------------------------------------

ssh_options=(-F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o ConnectTimeout=5 -p 2222)

# Programs that these hosts lack: a ping with a steady pace, and a resolver.
write_clients() {
  write_ping
  write_lookup
}

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
  local host=$1 fetch
  for fetch in small large small; do
    as "$host" 10 curl -sS -o /dev/null "http://$victim:8080/$fetch" || return
    sleep 0.7
  done
  ! have wget || as "$host" 10 wget -q -O /dev/null "http://$victim:8080/large"
}

log_in() {
  local host=$1
  as "$host" 10 ssh "${ssh_options[@]}" -o BatchMode=yes -i "$work/key" "$account@$victim" 'head -c 100000 /dev/zero' || return
  sleep 1
  as "$host" 10 ssh "${ssh_options[@]}" -o BatchMode=yes -i "$work/key" "$account@$victim" true
}

look_up() {
  as "$1" 20 python3 lookup.py "$victim" www.example.com mail.example.com example.org docs.example.org \
    www.wikipedia.org en.wikipedia.org upload.wikimedia.org www.debian.org deb.debian.org security.debian.org
}
