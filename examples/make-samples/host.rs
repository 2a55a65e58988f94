//! Who takes part: an address, the Ethernet address its frames carry at the capture point, its TTL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The router through which everything outside the local network is seen.
const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0x5e, 0, 0, 0x01];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    pub mac: [u8; 6],
    pub ip: IpAddr,
    pub ttl: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: Host,
    pub port: u16,
}

impl Host {
    /// A machine on the wire that is captured. Its locally administered MAC ends in its address.
    pub fn local(ip: impl Into<IpAddr>) -> Self {
        let ip = ip.into();
        let [.., a, b, c, d] = v6(ip).octets();
        Self { mac: [0x02, 0, a, b, c, d], ip, ttl: 64 }
    }

    /// A machine beyond the router, some hops away.
    pub fn remote(ip: impl Into<IpAddr>) -> Self {
        let ip = ip.into();
        let [.., last] = v6(ip).octets();
        Self { mac: GATEWAY_MAC, ip, ttl: 56 - last % 9 }
    }

    pub const fn port(self, port: u16) -> Endpoint {
        Endpoint { host: self, port }
    }

    /// The IPv4 address; unspecified for a host that has none.
    pub fn v4(self) -> Ipv4Addr {
        v6(self.ip).to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    pub fn v6(self) -> Ipv6Addr {
        v6(self.ip)
    }
}

/// IPv4 multicast and broadcast carry their own Ethernet addresses (RFC 1112, section 6.4).
pub fn group(ip: [u8; 4]) -> Host {
    let mac = if ip == [255; 4] { [0xff; 6] } else { [0x01, 0, 0x5e, ip[1] & 0x7f, ip[2], ip[3]] };
    Host { mac, ip: ip.into(), ttl: 1 }
}

/// The group an IPv6 neighbour solicitation goes to: RFC 4291, section 2.7.1, and RFC 2464, section 7.
pub fn solicited_node(target: Ipv6Addr) -> Host {
    let [.., a, b, c] = target.octets();
    let ip = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    Host { mac: [0x33, 0x33, 0xff, a, b, c], ip: ip.into(), ttl: 255 }
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
