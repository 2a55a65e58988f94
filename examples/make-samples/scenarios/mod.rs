//! The stories, one a file. Each builds its capture and states what it put in.

use std::io;

use crate::host::Host;
use crate::sample::Sample;
use crate::scene::Scene;
use crate::time::{MICROSECOND, MILLISECOND, Nanos};
use crate::traffic::{browsing, dns};

mod arp_spoof;
mod backscatter;
mod beacon;
mod below_threshold;
mod below_thresholds_anomalies;
mod below_thresholds_hosts;
mod below_thresholds_moments;
mod below_thresholds_rates;
mod block_scan;
mod damaged;
mod dga;
mod dhcp_starvation;
mod discovery;
mod distributed_scan;
mod dns_tunnel;
mod exfiltration;
mod fragment_flood;
mod ftp_brute_force;
mod guards;
mod high_rate;
mod host_anomaly;
mod host_sweep;
mod http_flood;
mod icmp_flood;
mod icmp_tunnel;
mod intrusion;
mod ip_protocol_scan;
mod ipv6_scan;
mod lateral_movement;
mod long_connection;
mod mixed_incident;
mod office;
mod password_spray;
mod port_scan;
mod reflection;
mod rogue_dhcp;
mod slow_http;
mod slow_scan;
mod ssh_brute_force;
mod stealth_scans;
mod syn_flood;
mod tcp_flood;
mod traffic_anomaly;
mod two_interfaces;
mod udp_flood;
mod unusual_port;

pub fn all() -> io::Result<Vec<Sample>> {
    [
        port_scan::sample,
        stealth_scans::sample,
        host_sweep::sample,
        block_scan::sample,
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
        unusual_port::sample,
        traffic_anomaly::sample,
        host_anomaly::sample,
        mixed_incident::sample,
        ftp_brute_force::sample,
        ssh_brute_force::sample,
        password_spray::sample,
        beacon::sample,
        long_connection::sample,
        dns_tunnel::sample,
        dga::sample,
        icmp_tunnel::sample,
        exfiltration::sample,
        lateral_movement::sample,
        arp_spoof::sample,
        rogue_dhcp::sample,
        dhcp_starvation::sample,
        http_flood::sample,
        slow_http::sample,
        intrusion::sample,
        office::sample,
        below_threshold::sample,
        below_thresholds_hosts::sample,
        below_thresholds_rates::sample,
        below_thresholds_anomalies::sample,
        below_thresholds_moments::sample,
        guards::sample,
        backscatter::sample,
        two_interfaces::sample,
        damaged::cut_record,
        damaged::impossible_length,
    ]
    .into_iter()
    .map(|make| make())
    .collect()
}

const LAN_ROUND_TRIP: Nanos = 400 * MICROSECOND;

/// The six desktops read short web pages now and then, `visits` of them until `length` is over.
fn surf(scene: &mut Scene, start: Nanos, length: Nanos, visits: u64) {
    for _ in 0..visits {
        let (at, number) = (start + scene.rng.between(0, length), scene.rng.between(0, 6));
        let (client, site) = (office::desk(number), scene.pick(&office::sites()));
        dns::lookup(scene, at, client, office::resolver(), site.name, &[site.address.into()], 9 * MILLISECOND);
        browsing::visit(scene, at + 15 * MILLISECOND, client, Host::remote(site.address).port(80));
    }
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

/// What hosts do to each other beyond scans and floods.
const DEEDS: [&str; 14] = [
    "brute_force",
    "password_spray",
    "beacon",
    "long_connection",
    "dns_tunnel",
    "dga",
    "icmp_tunnel",
    "exfiltration",
    "lateral_movement",
    "arp_spoof",
    "rogue_dhcp",
    "dhcp_starvation",
    "http_flood",
    "slow_http",
];

/// All of them, but those named.
fn attacks_without(present: &[&str]) -> Vec<&'static str> {
    SCANS.into_iter().chain(FLOODS).chain(DEEDS).filter(|kind| !present.contains(kind)).collect()
}

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
