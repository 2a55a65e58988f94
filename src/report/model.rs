//! The result of an analysis: what every report is written from.
//!
//! Plain data. Nothing here computes a detection, and nothing here formats.

use serde::Serialize;

use crate::capture::SourceFacts;
use crate::decode::Accounting;
use crate::detect::{Alert, Incident, Quality};
use crate::net::Addr;
use crate::table::BusyService;
use crate::time::Nanos;
use crate::warning::Warning;

#[derive(Debug)]
pub struct Report {
    /// The input as the user named it.
    pub input: String,
    pub facts: SourceFacts,
    pub accounting: Accounting,
    /// First and last packet time; none for a capture without frames.
    pub span: Option<(Nanos, Nanos)>,
    pub totals: Totals,
    pub warnings: Vec<Warning>,
    /// Sorted: worst first, then earliest.
    pub alerts: Vec<Alert>,
    /// Alerts that belong together, worst first.
    pub incidents: Vec<Incident>,
    /// Alerts that the allow-list silenced.
    pub suppressed: Vec<Suppressed>,
    /// Sorted by address, as it is written.
    pub hosts: Vec<HostRow>,
    /// What answers of DNS in the capture call an address, sorted by address; the name as it is written.
    pub resolved: Vec<(Addr, Box<str>)>,
    /// The services with the most bytes, the busiest first.
    pub services: Vec<BusyService>,
    /// In the order of the layers.
    pub protocols: Vec<ProtocolRow>,
    /// In time order; buckets without a packet are left out.
    pub timeline: Timeline,
    /// What the capture is worth as evidence: every check, not only those whose weaknesses alerts repeat.
    pub quality: Quality,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    pub flows: u64,
    pub hosts: u64,
    /// Connection attempts seen.
    pub attempts: u64,
    /// Packets counted into an address's totals and not into a flow, because a flood made them.
    pub folded_packets: u64,
}

#[derive(Debug)]
pub struct Suppressed {
    pub alert: Alert,
    /// The allow-list entry, as the user wrote it.
    pub entry: String,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct HostRow {
    pub address: Addr,
    pub first_seen: Nanos,
    pub last_seen: Nanos,
    pub flows_originated: u64,
    pub flows_responded: u64,
    pub packets_sent: u64,
    pub packets_received: u64,
    /// IP bytes.
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProtocolRow {
    /// `link`, `network`, `transport`, `tunnel` or `service`.
    pub layer: &'static str,
    pub protocol: String,
    pub packets: u64,
    /// Bytes on the wire; of a service, those of its IP packets.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Width of a bucket, seconds.
    pub width_s: i64,
    pub buckets: Vec<Bucket>,
}

/// Traffic of one bucket of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Start of the bucket.
    pub ts: Nanos,
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    pub tcp: u64,
    pub udp: u64,
    pub icmp: u64,
    pub other: u64,
    /// TCP SYN without ACK.
    pub syn: u64,
}
