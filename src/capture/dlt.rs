//! Link types as libpcap numbers them in memory (DLT) against those of capture files (LINKTYPE).
//!
//! The two lists of tcpdump.org agree but for a few numbers that differed between systems when the files were given
//! numbers of their own (`pcap-linktype(7)`).

use super::link_type::RAW_IP;

/// DLT and LINKTYPE of those that differ. Of the two, only raw IP is common: tunnels and mobile networks.
const DIFFERENT: &[(i32, u16)] = &[
    (DLT_RAW, RAW_IP),
    // LLC-encapsulated ATM, SLIP and PPP of BSD/OS, classical IP over ATM.
    (11, 100),
    (15, 102),
    (16, 103),
    (19, 106),
    // PFSYNC, and what macOS calls PKTAP.
    (18, 246),
    #[cfg(target_os = "macos")]
    (149, 258),
];

/// OpenBSD had another use for 12.
const DLT_RAW: i32 = if cfg!(target_os = "openbsd") { 14 } else { 12 };

/// The number a capture file has for it; none for one that is not in the registry's range.
pub(super) fn link_of(dlt: i32) -> Option<u16> {
    match DIFFERENT.iter().find(|(known, _)| *known == dlt) {
        Some((_, link)) => Some(*link),
        None => u16::try_from(dlt).ok(),
    }
}

/// What libpcap calls the link type of a capture file.
pub(super) fn dlt_of(link: u16) -> i32 {
    // Files of old tools hold the number in memory of the system that wrote them: both forms mean raw IP.
    let link = if matches!(link, 12 | 14) { RAW_IP } else { link };
    DIFFERENT.iter().find(|(_, known)| *known == link).map_or_else(|| i32::from(link), |(dlt, _)| *dlt)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The table of libpcap's pcap-common.c on Linux.
    #[test]
    fn numbers_differ_where_libpcap_says_so() {
        for (dlt, link) in
            [(12, 101), (11, 100), (15, 102), (16, 103), (19, 106), (18, 246), (1, 1), (0, 0), (9, 9), (113, 113), (276, 276)]
        {
            assert_eq!(link_of(dlt), Some(link), "{dlt}");
            assert_eq!(dlt_of(link), dlt, "{link}");
        }
        assert_eq!([dlt_of(12), dlt_of(14), dlt_of(101)], [12; 3], "raw IP, however an old file numbers it");
        assert_eq!([link_of(-1), link_of(70_000)], [None; 2]);
    }

    /// libpcap's own names for the numbers that we hand to it.
    #[test]
    fn libpcap_means_the_same() {
        for (link, name) in [(1, "EN10MB"), (101, "RAW"), (113, "LINUX_SLL"), (276, "LINUX_SLL2"), (127, "IEEE802_11_RADIO"), (0, "NULL")] {
            assert_eq!(pcap::Linktype(dlt_of(link)).get_name().unwrap(), name);
        }
    }
}
