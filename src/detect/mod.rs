//! From tables to alerts.
//!
//! A detector is a pure function of the finished tables and the thresholds; it never sees a packet.
//! One detector, one file, its documentation first; [`DETECTORS`] lists them all.

mod alert;
mod baseline;
mod calls;
mod campaigns;
mod context;
mod crowds;
mod features;
mod flood_evidence;
mod flood_seconds;
mod half_space;
mod incidents;
mod leases;
mod login_alert;
mod login_rows;
mod login_runs;
mod names;
mod newcomers;
mod past;
mod precedence;
mod probes;
mod quality;
mod rhythm;
mod rows;
mod scan_alert;
mod scans;
mod services;
mod surroundings;
#[cfg(test)]
mod testing;
mod web;
mod window;
mod wording;

mod arp_spoof;
mod beacon;
mod block_scan;
mod brute_force;
mod dga;
mod dhcp_starvation;
mod distributed_scan;
mod dns_tunnel;
mod exfiltration;
mod fragment_flood;
mod high_connection_rate;
mod host_anomaly;
mod host_discovery;
mod host_sweep;
mod http_flood;
mod icmp_flood;
mod icmp_tunnel;
mod ip_protocol_scan;
mod lateral_movement;
mod long_connection;
mod ownership;
mod password_spray;
mod port_scan;
mod reflection_attack;
mod rogue_dhcp;
mod slow_http;
mod syn_flood;
mod tcp_flood;
mod traffic_anomaly;
mod udp_flood;
mod unusual_port;

use rayon::prelude::*;

pub use alert::{Alert, AlertRecord, FrameSpan, LISTED, Measured, Notice, Picture, Probe, Rate, Severity, Status};
pub use baseline::Baseline;
pub use context::{Capture, Context};
pub use incidents::{Incident, Stage, incidents};
pub use quality::{Check, Damage, Quality, State};
pub use wording::grouped;

use crate::error::Error;
use crate::time::from_seconds;

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
pub const DETECTORS: [&dyn Detector; 30] = [
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
    &http_flood::HttpFlood,
    &slow_http::SlowHttp,
    &reflection_attack::ReflectionAttack,
    &high_connection_rate::HighConnectionRate,
    &unusual_port::UnusualPort,
    &brute_force::BruteForce,
    &password_spray::PasswordSpray,
    &beacon::Beacon,
    &long_connection::LongConnection,
    &dns_tunnel::DnsTunnel,
    &dga::Dga,
    &icmp_tunnel::IcmpTunnel,
    &exfiltration::Exfiltration,
    &lateral_movement::LateralMovement,
    &arp_spoof::ArpSpoof,
    &rogue_dhcp::RogueDhcp,
    &dhcp_starvation::DhcpStarvation,
    &traffic_anomaly::TrafficAnomaly,
    &host_anomaly::HostAnomaly,
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
    let found = found.into_iter().flatten().collect();
    let crowds = crowds::join(found, from_seconds(context.config.base.alert.join_gap_s));
    let mut alerts = precedence::settle(crowds::at_most(crowds, |alert| alert.allowed(context.config).is_some()));
    alerts.iter_mut().for_each(|alert| context.weaken(alert));
    sort(&mut alerts);
    Ok(alerts)
}

/// Puts alerts in the order of reports: worst first, then earliest; the order is total.
pub fn sort(alerts: &mut [Alert]) {
    alerts.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| order(a).cmp(&order(b))));
}

type Order<'a> = (i64, &'static str, Option<&'static str>, &'a [String], &'a [String], u64);

fn order(alert: &Alert) -> Order<'_> {
    (alert.first_seen, alert.kind, alert.technique, &alert.attackers, &alert.victims, alert.frames.first)
}
