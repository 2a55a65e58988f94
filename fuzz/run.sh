#!/bin/sh
# Fuzzes: fuzz/run.sh SECONDS [TARGET...], all targets without any; app-ssh is the target app, restricted to SSH.
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz). What is found lies in fuzz/artifacts/.
set -eu
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { echo "usage: fuzz/run.sh SECONDS [TARGET...]" >&2; exit 2; }
seconds=$1
shift
[ $# -gt 0 ] || set -- analyze pcapng pcap compressed decode app-dns app-ftp app-http app-imap app-krb app-ldap app-pop3 app-rdp \
  app-smb app-smtp app-ssh app-ssl app-telnet datagram streams config rules outlets
export RUSTC_WRAPPER=$PWD/fuzz/rustc.sh

for name; do
  target=${name%%-*} features='' length=65536
  case $name in
    app-*) export NSM_FUZZ_ONLY=${name#app-}; length=8192 ;;
    pcap | pcapng | compressed) length=16384 ;;
    decode | datagram | streams) length=2048 ;;
    outlets) length=512; features='--features whole' ;;
    rules) length=8192; features='--features whole' ;;
    analyze) features='--features whole' ;;
  esac
  mkdir -p "fuzz/corpus/$name" "fuzz/artifacts/$name"
  echo "== $name"
  # No crate here has unsafe code of its own, so there is nothing for a sanitizer to see.
  cargo +nightly fuzz run -s none $features "$target" "fuzz/corpus/$name" -- -artifact_prefix="fuzz/artifacts/$name/" \
    -max_len="$length" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1
  unset NSM_FUZZ_ONLY
done
