#!/bin/sh
# Compiles for fuzzing, as RUSTC_WRAPPER: only crates that read hostile bytes are instrumented and have their
# arithmetic checked. Instrumenting Polars too would double the build and drown the parsers' branches in its own.
crate='' previous=''
for argument; do
  [ "$previous" = --crate-name ] && crate=$argument
  previous=$argument
done

case $crate in
  network_security_monitor | nsm_fuzz | pcap_parser | etherparse | httparse | kerberos_parser | der_parser | asn1_rs | nom | rusticata_macros | \
  flate2 | miniz_oxide | lz4_flex | serde_saphyr | granit_parser | saphyr_parser | sqlparser | http | percent_encoding | psl | csv_core)
    exec "$@" ;;
esac
[ "$CARGO_BIN_NAME" ] && exec "$@"

# The same command without those flags.
for argument; do
  shift
  case $argument in
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-* | -Cdebug-assertions) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec "$@"
