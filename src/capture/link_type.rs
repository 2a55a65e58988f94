//! Names of the link types of the tcpdump.org registry that captures commonly have.

/// Packets of IP, nothing before them.
#[cfg(feature = "live")]
pub(super) const RAW_IP: u16 = 101;

/// As people and other tools call it; `unknown` for one that is not listed here.
#[must_use]
pub const fn link_name(link: u16) -> &'static str {
    match link {
        0 => "BSD loopback",
        1 => "Ethernet",
        9 => "PPP",
        12 | 14 | 101 => "raw IP",
        50 => "PPP in HDLC framing",
        51 => "PPPoE",
        104 => "Cisco HDLC",
        105 => "IEEE 802.11",
        108 => "OpenBSD loopback",
        113 => "Linux cooked v1",
        119 => "IEEE 802.11 with Prism header",
        127 => "IEEE 802.11 with radiotap header",
        163 => "IEEE 802.11 with AVS header",
        192 => "Per-Packet Information",
        195 => "IEEE 802.15.4",
        220 => "USB",
        228 => "raw IPv4",
        229 => "raw IPv6",
        239 => "Linux NFLOG",
        242 => "IP over InfiniBand",
        276 => "Linux cooked v2",
        _ => "unknown",
    }
}
