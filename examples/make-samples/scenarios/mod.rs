//! The stories, one a file. Each builds its capture and states what it put in.

use std::io;

use crate::host::Host;
use crate::sample::Sample;
use crate::scene::Scene;

mod backscatter;
mod below_threshold;
mod damaged;
mod discovery;
mod distributed_scan;
mod fragment_flood;
mod high_rate;
mod host_sweep;
mod icmp_flood;
mod ip_protocol_scan;
mod ipv6_scan;
mod mixed_incident;
mod office;
mod port_scan;
mod reflection;
mod slow_scan;
mod stealth_scans;
mod syn_flood;
mod tcp_flood;
mod two_interfaces;
mod udp_flood;

pub fn all() -> io::Result<Vec<Sample>> {
    [
        port_scan::sample,
        stealth_scans::sample,
        host_sweep::sample,
        discovery::sample,
        slow_scan::sample,
        distributed_scan::sample,
        ip_protocol_scan::sample,
        ipv6_scan::sample,
        syn_flood::sample,
        udp_flood::sample,
        icmp_flood::sample,
        fragment_flood::sample,
        tcp_flood::sample,
        reflection::sample,
        high_rate::sample,
        mixed_incident::sample,
        office::sample,
        below_threshold::sample,
        backscatter::sample,
        two_interfaces::sample,
        damaged::cut_record,
        damaged::impossible_length,
    ]
    .into_iter()
    .map(|make| make())
    .collect()
}

/// The public web server of the site; captures of attacks from outside are taken beside it.
fn web_server() -> Host {
    Host::local([198, 51, 100, 10])
}

/// The scanner most stories have.
fn scanner() -> Host {
    Host::remote([203, 0, 113, 66])
}

/// Every type a detector could give for scans.
const SCANS: [&str; 6] = ["port_scan", "host_sweep", "block_scan", "distributed_scan", "host_discovery", "ip_protocol_scan"];
const FLOODS: [&str; 6] = ["syn_flood", "tcp_flood", "udp_flood", "icmp_flood", "fragment_flood", "reflection_attack"];

/// All scans and floods but those named.
fn scans_and_floods_without(present: &[&str]) -> Vec<&'static str> {
    SCANS.into_iter().chain(FLOODS).filter(|kind| !present.contains(kind)).collect()
}

/// `count` different ports of 1 to 10 000 in random order, `always` among them.
fn ports(scene: &mut Scene, always: &[u16], count: usize) -> Vec<u16> {
    let mut others: Vec<u16> = (1..=10_000).filter(|port| !always.contains(port)).collect();
    scene.shuffle(&mut others);
    let mut chosen: Vec<u16> = always.iter().copied().chain(others).take(count).collect();
    scene.shuffle(&mut chosen);
    chosen
}
