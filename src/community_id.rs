//! Community ID, version 1 with seed 0: the flow hash that Zeek, Suricata, Wireshark and others share.
//!
//! By the published specification (corelight/community-id-spec).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use crate::net::{Addr, ip_proto};

const SEED: u16 = 0;

/// The ID of a flow, either direction. For ICMP the ports are type and code; for protocols without
/// ports they are left out. It is that of the addresses as they are written: whoever has the report can compute it.
#[must_use]
pub fn community_id(source: Addr, target: Addr, source_port: u16, target_port: u16, proto: u8) -> String {
    let (source, target) = (source.shown(), target.shown());
    let (source_port, target_port, one_way) = match proto {
        ip_proto::ICMP => icmp_ports(source_port, target_port, &ICMP4),
        ip_proto::ICMP6 => icmp_ports(source_port, target_port, &ICMP6),
        _ => (source_port, target_port, false),
    };
    let in_order = one_way || (source, source_port) < (target, target_port);
    let (a, a_port, b, b_port) =
        if in_order { (source, source_port, target, target_port) } else { (target, target_port, source, source_port) };
    let mut hash = Sha1::new();
    hash.update(SEED.to_be_bytes());
    for address in [a, b] {
        match address.v4() {
            Some(v4) => hash.update(v4.to_be_bytes()),
            None => hash.update(address.bytes()),
        }
    }
    hash.update([proto, 0]);
    if matches!(proto, ip_proto::ICMP | ip_proto::ICMP6 | ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP) {
        hash.update(a_port.to_be_bytes());
        hash.update(b_port.to_be_bytes());
    }
    format!("1:{}", BASE64_STANDARD.encode(hash.finalize()))
}

/// Message types that ask and answer each other; the answer's type stands in for the code.
const ICMP4: [(u16, u16); 10] = [(8, 0), (0, 8), (13, 14), (14, 13), (15, 16), (16, 15), (17, 18), (18, 17), (10, 9), (9, 10)];
const ICMP6: [(u16, u16); 10] =
    [(128, 129), (129, 128), (133, 134), (134, 133), (135, 136), (136, 135), (130, 131), (131, 130), (144, 145), (145, 144)];

fn icmp_ports(icmp_type: u16, code: u16, pairs: &[(u16, u16)]) -> (u16, u16, bool) {
    match pairs.iter().find(|(this, _)| *this == icmp_type) {
        Some((this, other)) => (*this, *other, false),
        None => (icmp_type, code, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn addr(text: &str) -> Addr {
        Addr::from(text.parse::<IpAddr>().unwrap())
    }

    /// Baseline vectors of the specification (baseline/baseline_deflt.json), seed 0.
    #[test]
    fn agrees_with_the_published_vectors() {
        for (source, target, source_port, target_port, proto, want) in [
            ("128.232.110.120", "66.35.250.204", 34_855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("66.35.250.204", "128.232.110.120", 80, 34_855, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("192.168.1.52", "8.8.8.8", 54_585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            ("192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        ] {
            assert_eq!(community_id(addr(source), addr(target), source_port, target_port, proto), want);
        }
    }
}
