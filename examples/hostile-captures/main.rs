//! Captures made to exhaust who reads them, each written to standard output:
//! `cargo run --release --example hostile-captures -- CASE [SCALE] | nsm analyze -`.
//!
//! Nothing here is an attack on a network: these are files that an attacker may hand to an analyst. Each case grows in
//! proportion to SCALE, so that two runs show whether time and memory do. Repeatable to the byte: fixed seeds. No
//! checksums: nsm reads them only in `nsm info`.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program of one screen of code, which speaks to who runs it")]

mod containers;
mod flows;
mod frame;
mod pcapng;
#[allow(dead_code, reason = "shared with other generators, which use more of it")]
#[path = "../common/prng.rs"]
mod prng;
mod protocols;
mod stamps;
mod tunnels;

use std::env;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// A case by name, and what writes it at a scale.
struct Case {
    name: &'static str,
    what: &'static str,
    write: fn(&mut dyn Write, u64) -> io::Result<()>,
}

const fn case(name: &'static str, what: &'static str, write: fn(&mut dyn Write, u64) -> io::Result<()>) -> Case {
    Case { name, what, write }
}

const CASES: &[Case] = &[
    case("bomb-gzip", "zeros behind a pcap header, a thousandth of their size: frames of no bytes", containers::bomb_gzip),
    case("bomb-zstd", "the same in zstd with the largest window that decoders take", containers::bomb_zstd),
    case("bomb-lz4", "the same in LZ4", containers::bomb_lz4),
    case("members-gzip", "gzip members without content", containers::members_gzip),
    case("members-zstd", "zstd frames without content that claim a window of 128 MiB", containers::members_zstd),
    case("members-lz4", "LZ4 frames without content that claim blocks of 4 MiB", containers::members_lz4),
    case("length-pcap", "frames, and then a record length near 2^32", containers::length_pcap),
    case("length-pcapng", "frames, and then a block length near 2^32", containers::length_pcapng),
    case("huge-records", "records of 128 MiB, and all of it is there", containers::huge_records),
    case("blocks-unknown", "pcapng blocks of an unknown type, 12 bytes each", containers::blocks_unknown),
    case("blocks-unusable", "packets of an interface that is not described", containers::blocks_unusable),
    case("interfaces", "100 000 interfaces in one section, each with a packet", containers::interfaces),
    case("sections", "100 000 sections, each with an interface and a packet", containers::sections),
    case("names", "name-resolution blocks, every name another", containers::names),
    case("options", "interface descriptions of a MiB of empty options", containers::options),
    case("tunnels-ip", "IPv4 in IPv4, 3 000 deep", tunnels::ip_in_ip),
    case("tunnels-gre", "IPv4 in GRE in IPv4 and so on, 2 500 deep", tunnels::gre),
    case("tunnels-vlan", "16 000 VLAN tags one in another", tunnels::vlan),
    case("tunnels-mpls", "16 000 MPLS labels one on another", tunnels::mpls),
    case("tunnels-extensions", "8 000 IPv6 extension headers one after another", tunnels::extensions),
    case("dns-loops", "compressed names that point at themselves and at each other", protocols::dns_loops),
    case("dns-chains", "messages of 64 KiB, each record a pointer to the longest name", protocols::dns_chains),
    case("dns-names", "questions for names of 240 bytes, every one another", protocols::dns_names),
    case("byte-by-byte", "requests of HTTP, TLS, SMTP, FTP, SMB, LDAP that never end, a byte in a segment", protocols::byte_by_byte),
    case("backwards", "segments of a web request from the last to the first", protocols::backwards),
    case("long-lines", "one HTTP request with header lines of 64 KiB in every connection", protocols::long_lines),
    case("logins", "FTP logins, every user and password another", protocols::logins),
    case("hosts-http", "HTTP requests, every host, path and user agent another", protocols::hosts_http),
    case("arp-claims", "ARP replies, every address and owner another", protocols::arp_claims),
    case("dhcp-clients", "DHCP requests, every client and host name another", protocols::dhcp_clients),
    case("echoes", "echo requests, every payload another", protocols::echoes),
    case("fragments", "first fragments of datagrams that never become whole", protocols::fragments),
    case("flow-per-packet", "UDP, a flow of its own for each packet, 200 000 a second", flows::each_its_own),
    case("flow-per-packet-slow", "the same, 500 a second, so that no flood guard takes them", flows::each_its_own_slowly),
    case("answered-flows", "a handshake, a word from each side and a reset for each flow, 1 000 a second", flows::answered),
    case("ports-on-hosts", "SYNs to random ports of 65 536 hosts, refused", flows::ports_on_hosts),
    case("ports-on-hosts-slow", "the same, 50 a second", flows::ports_on_hosts_slowly),
    case("alerts", "a port scan every 1 000 s, every pair of hosts another", flows::alerts),
    case("alerts-at-once", "900 port scans at once every 2 000 s", flows::alerts_at_once),
    case("services", "a service of its own for each conversation, 1 000 s between 900 of them", flows::services),
    case("hourly", "a packet every hour", stamps::hourly),
    case("millennia", "a packet every thousand years, of which nanoseconds hold 584", stamps::millennia),
    case("ends-of-time", "packets in turn at both ends of the range of time", stamps::ends_of_time),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let scale = words.get(1).map_or(Some(1), |text| text.parse().ok());
    let chosen = words.first().and_then(|name| CASES.iter().find(|case| case.name == name)).zip(scale);
    let Some((case, scale)) = chosen else {
        CASES.iter().for_each(|case| println!("{:22}{}", case.name, case.what));
        if words.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("usage: hostile-captures CASE [SCALE]");
        return ExitCode::from(2);
    };
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    match (case.write)(&mut out, scale).and_then(|()| out.flush()) {
        // Who reads may have seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("hostile-captures: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
