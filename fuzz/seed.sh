#!/bin/sh
# Fills fuzz/corpus/<target> with what the fuzzer begins with: from samples/, rules/, and the captures of other people
# in the directory that NSM_CORPUS names or in ../shared/corpus, where there are any.
set -eu
cd "$(dirname "$0")/.."

others=${NSM_CORPUS:-../shared/corpus}
seeds=$PWD/fuzz/corpus
set -- samples/*/capture.*
[ -d "$others" ] && for capture in "$others"/*; do
  case $capture in *.md | *.csv | *.json | *.txt) ;; *) set -- "$@" "$capture" ;; esac
done
cargo run --release --example fuzz-seeds -- "$seeds" "$@"

# put TARGET NAME: a seed from standard input.
put() {
  mkdir -p "$seeds/$1"
  cat > "$seeds/$1/seed-$2"
}

printf 'scan:\n  ports: 30\nnetworks:\n  10.0.0.0/8: { scan: { ports: 100 } }\n  "2001:db8::/32": { flood: { syn_per_s: 300 } }\nallow:\n  - { source: 10.0.0.5/32, detector: port_scan, reason: "scanner" }\n' | put config small
printf '!scan.ports=30\nlogin: {}\n' | put config set
cargo run --release --quiet -- config | put config whole

for rule in rules/*.yaml rules/*.yml; do
  [ -f "$rule" ] && put rules "$(basename "$rule")" < "$rule"
done

printf 'https://user:secret@example.com:8443/hook?key=1' | put outlets https
printf 'http://[2001:db8::1]:80/' | put outlets address
printf 'udp://[::1]:514' | put outlets udp
printf 'tcp://log.example.com:6514' | put outlets tcp
printf 'unix:/dev/log' | put outlets unix
printf '/bin/echo "a b" '"'c d'"' e\\ f' | put outlets command

# First five bytes: the stream's beginning; pieces in order, repeated, early, cut.
printf '\000\377\377\377\360\000\000\020\000\377\360\020\000\000\100\020\000\377\200\020\105\000\004\377\000' | put streams order
printf '\001\000\000\000\000\000\000\020\000\200\000\000\000\000\100\020\000' | put streams skip
