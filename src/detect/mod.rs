//! From tables to alerts.
//!
//! A detector is a pure function of the finished tables and the thresholds; it never sees a packet.
//! One detector, one file, its documentation first; [`DETECTORS`] lists them all.

mod alert;
mod context;
mod flood_evidence;
mod flood_seconds;
mod probes;
mod rows;
mod scan_alert;
mod scans;
mod services;
#[cfg(test)]
mod testing;
mod window;
mod wording;

mod block_scan;
mod distributed_scan;
mod fragment_flood;
mod high_connection_rate;
mod host_discovery;
mod host_sweep;
mod icmp_flood;
mod ip_protocol_scan;
mod port_scan;
mod reflection_attack;
mod syn_flood;
mod tcp_flood;
mod traffic_anomaly;
mod udp_flood;
mod unusual_port;

use rayon::prelude::*;

pub use alert::{Alert, AlertRecord, FrameSpan, LISTED, Measured, Picture, Probe, Rate, Severity, Status};
pub use context::{Capture, Context};
pub use wording::grouped;

use crate::error::Error;

/// One detector: who it is, and what it finds in the tables.
pub trait Detector: Sync {
    /// The alert type it raises, and its name for `--only`, `--skip` and the allow-list.
    fn id(&self) -> &'static str;

    /// One line for the list.
    fn summary(&self) -> &'static str;

    /// The documentation: what it finds, why it matters, how, thresholds, false positives, references.
    fn documentation(&self) -> &'static str;

    /// Judges the tables. Must not depend on anything but them and the configuration.
    ///
    /// # Errors
    /// Only when Polars refuses a query, which would be a defect of ours.
    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error>;
}

/// Every detector, in the order of the documentation.
pub const DETECTORS: [&dyn Detector; 15] = [
    &port_scan::PortScan,
    &host_sweep::HostSweep,
    &block_scan::BlockScan,
    &distributed_scan::DistributedScan,
    &host_discovery::HostDiscovery,
    &ip_protocol_scan::IpProtocolScan,
    &syn_flood::SynFlood,
    &tcp_flood::TcpFlood,
    &udp_flood::UdpFlood,
    &icmp_flood::IcmpFlood,
    &fragment_flood::FragmentFlood,
    &reflection_attack::ReflectionAttack,
    &high_connection_rate::HighConnectionRate,
    &unusual_port::UnusualPort,
    &traffic_anomaly::TrafficAnomaly,
];

/// The detector of that name.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Detector> {
    DETECTORS.iter().copied().find(|detector| detector.id() == id)
}

/// Runs the chosen detectors side by side. Alerts come worst first, then earliest; the order is total.
///
/// # Errors
/// As [`Detector::detect`].
pub fn run(context: &Context<'_>, chosen: &(dyn Fn(&str) -> bool + Sync)) -> Result<Vec<Alert>, Error> {
    let found: Vec<Vec<Alert>> =
        DETECTORS.par_iter().filter(|detector| chosen(detector.id())).map(|detector| detector.detect(context)).collect::<Result<_, _>>()?;
    let mut alerts = found.concat();
    alerts.iter_mut().for_each(|alert| context.weaken(alert));
    alerts.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| order(a).cmp(&order(b))));
    Ok(alerts)
}

type Order<'a> = (i64, &'static str, Option<&'static str>, &'a [String], &'a [String], u64);

fn order(alert: &Alert) -> Order<'_> {
    (alert.first_seen, alert.kind, alert.technique, &alert.attackers, &alert.victims, alert.frames.first)
}
