//! The library for connections: what a program tells is judged as what was captured, and no alert says more than
//! was told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers become parts of addresses")]
#![allow(clippy::float_cmp, reason = "exact values are compared")]

mod common;
#[allow(dead_code, reason = "shared with the generators, which use more of it")]
#[path = "../examples/common/prng.rs"]
mod prng;

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use common::TestBench;
use etherparse::PacketBuilder;
use network_security_monitor::capture::{Block, Source};
use network_security_monitor::error::Error;
use network_security_monitor::monitor::{
    ActivitySummary, Alert, Config, Connection, NetworkSecurityMonitor, Outcome, Report, Service, Severity, SuspiciousSource, Timestamp,
};
use network_security_monitor::warning::Warning;
use prng::SplitMix64;
use serde_json::Value;

const ETHERNET: u16 = 1;
/// 2023-08-05 15:03:00 UTC: a full minute.
const START: f64 = 1_691_247_780.0;
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

fn at(seconds: f64) -> Timestamp {
    Timestamp::from(START + seconds)
}

fn with(changes: &[(&str, &str)]) -> NetworkSecurityMonitor {
    let mut config = Config::default();
    changes.iter().for_each(|(key, value)| config.set(key, value).unwrap());
    NetworkSecurityMonitor::with_config(config).on_host(SERVER)
}

fn monitor() -> NetworkSecurityMonitor {
    with(&[])
}

fn kinds(monitor: &mut NetworkSecurityMonitor) -> Vec<&'static str> {
    monitor.alerts().unwrap().iter().map(|alert| alert.kind).collect()
}

/// Nothing in it claims that an attempt failed or worked.
fn claims_nothing(alert: &Alert) {
    let claims = ["refused", "silent", "failed", "in vain", "open port", "exchanged", "completed"];
    let text = format!("{} {}", alert.title, alert.message);
    assert!(!claims.iter().any(|claim| text.contains(claim)), "{text}");
    assert!(text.contains("nobody told"), "{text}");
}

fn attempts(mut monitor: NetworkSecurityMonitor, number: u32, port: u16) -> NetworkSecurityMonitor {
    for n in 0..number {
        monitor.monitor_connection(STRANGER, port, at(f64::from(n) * 0.15));
    }
    monitor
}

#[test]
fn more_than_five_attempts_in_a_second_are_an_alert_and_five_are_none() {
    for port in [80, 22, 7_000] {
        assert_eq!(kinds(&mut attempts(monitor(), 5, port)), Vec::<&str>::new(), "{port}");
        let mut six = attempts(monitor(), 6, port);
        let alerts = six.alerts().unwrap();
        assert_eq!(alerts.iter().map(|alert| alert.kind).collect::<Vec<_>>(), ["high_connection_rate"], "{port}");
        assert_eq!((alerts[0].measured[0].value, alerts[0].measured[0].threshold), (6.0, Some(5.0)));
        assert_eq!((&alerts[0].attackers, &alerts[0].victims), (&vec![STRANGER.to_string()], &vec![SERVER.to_string()]));
        claims_nothing(&alerts[0]);
    }
}

#[test]
fn the_rate_is_a_setting() {
    let limited = |number| kinds(&mut attempts(with(&[("rate.attempts_per_s", "6")]), number, 80)).len();
    assert_eq!((limited(6), limited(7)), (0, 1));
}

/// Six of which half worked, and of half nobody told: half failed would be too much to say.
#[test]
fn a_rate_says_what_is_known_and_what_is_not() {
    let mut mixed = monitor();
    for n in 0..6_u32 {
        let attempt = Connection::new(STRANGER, 7_000, at(f64::from(n) * 0.1));
        mixed.monitor(&if n % 2 == 0 { attempt.outcome(Outcome::Refused) } else { attempt });
    }
    let message = &mixed.alerts().unwrap()[0].message;
    assert!(message.ends_with("of 6 attempts at least 50 % failed, and of 3 nobody told what came of them"), "{message}");
}

fn ports(mut monitor: NetworkSecurityMonitor, number: u16, told: impl Fn(Connection) -> Connection) -> NetworkSecurityMonitor {
    for n in 0..number {
        monitor.monitor(&told(Connection::new(STRANGER, 100 + n, at(f64::from(n)))));
    }
    monitor
}

#[test]
fn fifteen_ports_of_the_host_are_a_scan_and_fourteen_are_none() {
    let untold = |number| ports(monitor(), number, |attempt| attempt);
    assert_eq!(kinds(&mut untold(14)), Vec::<&str>::new());
    let mut fifteen = untold(15);
    let alerts = fifteen.alerts().unwrap();
    assert_eq!((alerts.len(), alerts[0].kind, alerts[0].port_count, alerts[0].severity), (1, "port_scan", 15, Severity::Medium));
    claims_nothing(&alerts[0]);
    // Nothing is known to have failed, and who sent from which port is not known.
    assert_eq!(alerts[0].measured.iter().find(|value| value.name == "fail_ratio").unwrap().value, 0.0);
    assert!(alerts[0].community_ids.is_empty());
    assert_eq!(kinds(&mut ports(with(&[("scan.ports", "20")]), 19, |attempt| attempt)), Vec::<&str>::new());
    assert_eq!(kinds(&mut ports(with(&[("scan.ports", "20")]), 20, |attempt| attempt)), ["port_scan"]);
}

#[test]
fn a_scan_that_was_refused_is_surer_than_one_of_which_nobody_told() {
    let confidence = |told: fn(Connection) -> Connection| ports(monitor(), 15, told).alerts().unwrap()[0].confidence;
    assert!(confidence(|attempt| attempt.outcome(Outcome::Refused)) > confidence(|attempt| attempt));
    let answered = ports(monitor(), 15, |attempt| attempt.outcome(Outcome::Data)).alerts().unwrap().len();
    assert_eq!(answered, 0, "a client of fifteen services is no scanner");
}

#[test]
fn a_slow_scan_of_the_host_is_found_over_the_hour() {
    let slow = |number: u16| {
        let mut monitor = monitor();
        (0..number).for_each(|n| monitor.monitor_connection(STRANGER, 100 + n, at(f64::from(n) * 100.0)));
        kinds(&mut monitor)
    };
    // scan.slow_pairs_hour is 25; 24 ports in 300 s would be needed at this pace for scan.ports.
    assert_eq!((slow(24), slow(25)), (vec![], vec!["port_scan"]));
}

#[test]
fn a_port_without_a_service_is_listed_and_one_with_ill_fame_is_worth_a_look() {
    let tried = |port, sources: u8| {
        let mut monitor = monitor();
        (0..sources).for_each(|n| monitor.monitor_connection(Ipv4Addr::new(203, 0, 113, n), port, at(f64::from(n))));
        monitor.alerts().unwrap().iter().map(|alert| (alert.kind, alert.severity)).collect::<Vec<_>>()
    };
    assert_eq!(tried(7_777, 1), [("unusual_port", Severity::Info)]);
    assert_eq!(tried(31_337, 1), [("unusual_port", Severity::Low)]);
    assert_eq!(tried(443, 1), []);
    // ports.max_clients is 2: what more clients use is a service of this network.
    assert_eq!(tried(7_777, 3), []);
    let mut one = attempts(monitor(), 1, 31_337);
    let alert = &one.alerts().unwrap()[0];
    claims_nothing(alert);
    assert!(alert.message.contains("Back Orifice") && alert.message.contains("1 attempt"), "{}", alert.message);
}

#[test]
fn data_at_an_unusual_port_says_more_than_an_attempt() {
    let mut monitor = attempts(monitor(), 1, 31_337);
    monitor.monitor(&Connection::new(CLIENT, 31_337, at(1.0)).bytes(10, 20));
    let alerts = monitor.alerts().unwrap();
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].message.contains("exchanged 10 bytes to and 20 bytes from"), "{}", alerts[0].message);
}

#[test]
fn data_of_which_nobody_told_how_much_is_listed_without_a_number() {
    let mut monitor = monitor();
    monitor.monitor(&Connection::new(CLIENT, 22_022, at(0.0)).successful_login("carol"));
    let alerts = monitor.alerts().unwrap();
    assert_eq!((alerts.len(), alerts[0].kind), (1, "unusual_port"));
    assert!(alerts[0].message.starts_with("1 client exchanged data with 10.0.0.2 in 1 connection at"), "{}", alerts[0].message);
}

/// A guess a second, by turns as two users.
fn guesses(mut monitor: NetworkSecurityMonitor, number: u32) -> NetworkSecurityMonitor {
    for n in 0..number {
        let guess = Connection::new(STRANGER, 22, at(f64::from(n))).service(Service::Ssh);
        monitor.monitor(&guess.failed_login(["root", "admin"][n as usize % 2]));
    }
    monitor
}

fn found(monitor: &mut NetworkSecurityMonitor) -> Vec<(&'static str, Severity)> {
    monitor.alerts().unwrap().iter().map(|alert| (alert.kind, alert.severity)).collect()
}

#[test]
fn repeated_failures_to_log_in_are_judged_by_their_number() {
    // login.few is 5, login.failures 10, login.high 30.
    let of = |number| found(&mut guesses(monitor(), number));
    assert_eq!(of(4), []);
    assert_eq!(of(5), [("brute_force", Severity::Low)]);
    assert_eq!(of(10), [("brute_force", Severity::Medium)]);
    assert_eq!(of(30), [("brute_force", Severity::High)]);
    let mut strict = guesses(with(&[("login.few", "3")]), 3);
    assert_eq!(found(&mut strict), [("brute_force", Severity::Low)]);
}

#[test]
fn a_success_after_failures_is_told_as_worse() {
    let mut monitor = guesses(monitor(), 12);
    assert_eq!(found(&mut monitor), [("brute_force", Severity::Medium)]);
    monitor.monitor(&Connection::new(STRANGER, 22, at(15.0)).service(Service::Ssh).successful_login("admin"));
    let alerts = monitor.alerts().unwrap();
    assert_eq!((alerts.len(), alerts[0].severity), (1, Severity::Critical));
    assert!(alerts[0].message.contains("the login as admin succeeded at 2023-08-05 15:03:15 UTC"), "{}", alerts[0].message);
}

#[test]
fn many_users_tried_a_few_times_each_are_spraying() {
    let mut monitor = monitor();
    for n in 0..12_u32 {
        monitor.monitor(&Connection::new(STRANGER, 143, at(f64::from(n) * 5.0)).service(Service::Imap).failed_login(format!("user{n}")));
    }
    assert_eq!(found(&mut monitor), [("password_spray", Severity::Medium)]);
}

fn sweep(hosts: u8, told: impl Fn(Connection) -> Connection) -> Vec<(&'static str, Severity)> {
    let mut monitor = monitor();
    for n in 0..hosts {
        monitor.monitor(&told(Connection::new(CLIENT, 445, at(f64::from(n))).to(Ipv4Addr::new(10, 0, 1, n))));
    }
    found(&mut monitor)
}

#[test]
fn hosts_that_are_asked_in_vain_are_a_sweep_and_hosts_of_which_nobody_told_are_none() {
    let unanswered = |attempt: Connection| attempt.outcome(Outcome::Unanswered);
    // scan.hosts is 25; below, four failures in a row are an early word by the sequential test.
    assert_eq!(sweep(25, unanswered), [("host_sweep", Severity::High)]);
    assert_eq!(sweep(24, unanswered), [("host_sweep", Severity::Low)]);
    assert_eq!(sweep(3, unanswered), []);
    assert_eq!(sweep(200, |attempt| attempt), [], "that is what every client does");
}

/// So many connections a second to one port from as many sources, for five seconds.
fn rush(per_second: u32, outcome: Outcome) -> Vec<&'static str> {
    let mut monitor = monitor();
    for n in 0..per_second * 5 {
        let source = Ipv4Addr::from(0xc612_0000 + n);
        monitor.monitor(&Connection::new(source, 80, at(f64::from(n) / f64::from(per_second))).outcome(outcome));
    }
    kinds(&mut monitor)
}

#[test]
fn half_open_connections_are_a_flood_and_visitors_are_none() {
    // flood.syn_per_s is 256.
    assert_eq!(rush(300, Outcome::HalfOpen), ["syn_flood"]);
    assert_eq!(rush(300, Outcome::Data), Vec::<&str>::new());
    assert_eq!(rush(300, Outcome::Unknown), Vec::<&str>::new());
}

#[test]
fn much_that_leaves_the_network_and_a_connection_of_hours_are_found() {
    let mut monitor = monitor();
    monitor.monitor(&Connection::new(CLIENT, 443, at(0.0)).to(STRANGER).bytes(150_000_000, 20_000).lasting(Duration::from_secs(600)));
    assert_eq!(kinds(&mut monitor), ["exfiltration"]);
    let hours = Duration::from_secs(5 * 3_600);
    monitor.monitor(&Connection::new(CLIENT, 443, at(7.0)).to(Ipv4Addr::new(198, 51, 100, 1)).bytes(2_000, 2_000).lasting(hours));
    assert_eq!(kinds(&mut monitor), ["exfiltration", "long_connection"]);
}

#[test]
fn udp_is_judged_by_its_own_thresholds() {
    let udp = |number: u32| {
        let mut monitor = monitor();
        (0..number).for_each(|n| monitor.monitor(&Connection::new(STRANGER, 7_000, at(f64::from(n) * 0.01)).udp()));
        kinds(&mut monitor)
    };
    // Ten times rate.attempts_per_s.
    assert_eq!((udp(50), udp(51)), (vec![], vec!["high_connection_rate"]));
}

fn syn(from_port: u16, port: u16) -> Vec<u8> {
    let mut frame = Vec::new();
    let ip = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(STRANGER.octets(), SERVER.octets(), 64);
    ip.tcp(from_port, port, 1, 1_024).syn().write(&mut frame, b"").unwrap();
    frame
}

/// Eight ports were captured and seven told of: a scan of fifteen, in whichever order.
#[test]
fn packets_and_connections_are_judged_together() {
    let mut monitor = monitor();
    for n in 0..15 {
        if n % 2 == 0 {
            monitor.monitor_packet(at(f64::from(n)), ETHERNET, &syn(40_000 + n, 100 + n));
        } else {
            monitor.monitor_connection(STRANGER, 100 + n, at(f64::from(n)));
        }
    }
    let report = monitor.generate_report().unwrap();
    assert_eq!((report.alerts.len(), report.alerts[0].kind, report.alerts[0].port_count), (1, "port_scan", 15));
    assert!(report.alerts[0].message.ends_with(": 0 refused, 8 silent, 0 open, 7 untold"), "{}", report.alerts[0].message);
    assert_eq!(report.warnings, [Warning::Told { connections: 7 }]);
    assert!(common::adds_up(&report.accounting));
    assert_eq!((report.accounting.frames, report.totals.attempts), (15, 15));
    assert_eq!((report.alerts[0].frames.first, report.alerts[0].frames.last), (1, 15));
}

/// With logins, names, floods, fragments, claims and cut frames in them.
const ALIKE: [&str; 9] = [
    "intrusion",
    "ssh-brute-force",
    "password-spray",
    "port-scan",
    "syn-flood",
    "dns-tunnel",
    "lateral-movement",
    "arp-spoof",
    "fragment-flood",
];

#[test]
fn the_frames_of_a_capture_give_the_alerts_of_the_program() {
    let samples: Vec<_> = ALIKE.iter().map(|name| common::sample(name)).collect();
    common::all_well(&common::for_each(&samples, |sample| {
        let bench = TestBench::new();
        bench.nsm(["analyze", "--quiet", sample.capture.to_str().unwrap()]).expect_code(sample.expectation().exit_code);
        let reports = common::tree(&bench.reports());
        let (_, alerts) = reports.iter().find(|(name, _)| name.ends_with("alerts.jsonl")).unwrap();
        let want: Vec<Value> = String::from_utf8_lossy(alerts).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let report = fed(sample);
        let given: Vec<String> = report.alerts.iter().map(Alert::id).collect();
        let told: Vec<&str> = want.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
        let messages = report.alerts.iter().map(|alert| alert.message.as_str());
        let same = given == told && messages.eq(want.iter().map(|alert| alert["message"].as_str().unwrap()));
        if same && !given.is_empty() { Vec::new() } else { vec![format!("{}: {given:?} instead of {told:?}", sample.name)] }
    }));
}

/// The verdict on a sample's frames given one by one, which the monitor reaches before its end as well as at it.
fn fed(sample: &common::Sample) -> Report {
    let mut source = common::source(sample.bytes()).unwrap();
    let (mut monitor, mut block) = (NetworkSecurityMonitor::new(), Block::default());
    while source.next_block(&mut block).unwrap() {
        for frame in &block.frames {
            monitor.monitor_cut_packet(Timestamp::from_nanos(frame.ts), frame.link, block.data(frame), frame.origlen);
        }
    }
    let before: Vec<Alert> = monitor.alerts().unwrap().to_vec();
    let report = monitor.finish().unwrap();
    assert_eq!(before, report.alerts, "{}", sample.name);
    report
}

#[test]
fn what_is_told_in_another_order_is_the_same() {
    let mut told: Vec<(f64, u16)> = (0..20).map(|n| (f64::from(n) * 7.0, 100 + n)).collect();
    let mut alerts = Vec::new();
    let mut chance = SplitMix64::new(7);
    for _ in 0..3 {
        let mut monitor = monitor();
        told.iter().for_each(|(seconds, port)| monitor.monitor_connection(STRANGER, *port, at(*seconds)));
        let report = monitor.generate_report().unwrap();
        let scan = &report.alerts[0];
        alerts.push((scan.id(), scan.message.clone(), scan.port_count, scan.first_seen, scan.last_seen));
        // A log that is late is no clock that jumps.
        assert_eq!(report.warnings, [Warning::Told { connections: 20 }]);
        for place in 1..told.len() {
            told.swap(place, chance.between(0, place as u64) as usize);
        }
    }
    assert_eq!(alerts[0], alerts[1]);
    assert_eq!(alerts[0], alerts[2]);
}

#[test]
fn a_burst_that_is_told_backwards_is_as_fast() {
    let mut monitor = monitor();
    (0..6).rev().for_each(|n| monitor.monitor_connection(STRANGER, 80, at(f64::from(n) * 0.15)));
    assert_eq!(kinds(&mut monitor), ["high_connection_rate"]);
}

#[test]
fn nights_without_a_line_and_times_out_of_range_do_no_harm() {
    let mut monitor = monitor();
    monitor.monitor_connection(STRANGER, 443, at(0.0));
    monitor.monitor_connection(STRANGER, 443, f64::MAX);
    monitor.monitor_connection(STRANGER, 443, at(40_000.0));
    // After a time that never was, the next rate is found all the same.
    (0..6).for_each(|n| monitor.monitor_connection(STRANGER, 22, at(80_000.0 + f64::from(n) * 0.1)));
    let report = monitor.generate_report().unwrap();
    assert_eq!(report.warnings, [Warning::ClampedTime { frames: 1, first: 2 }, Warning::Told { connections: 9 }]);
    assert_eq!(report.alerts.iter().map(|alert| alert.kind).collect::<Vec<_>>(), ["high_connection_rate"]);
    assert!(report.quality.weaknesses().is_empty());
}

/// 50 000 a second for 20 s. Of one second and target a shard keeps `fold.pairs_per_second` pairs, 64, and then
/// a sixteenth: 64 x 64 in the first second, 64 x 4 in each of the 19 others.
#[test]
fn a_million_forged_sources_make_no_more_state_than_packets_would() {
    let mut monitor = with(&[("memory.max_mib", "64")]);
    for n in 0..1_000_000_u32 {
        // An odd factor modulo 2^28: all over the range, and none twice.
        let source = Ipv4Addr::from(0x2000_0000 | n.wrapping_mul(0x9e37_79b1) & 0x0fff_ffff);
        monitor.monitor_connection(source, 443, at(f64::from(n) / 50_000.0));
    }
    let report = monitor.finish().unwrap();
    let text = ActivitySummary::of(&report).to_string();
    assert!(text.contains("991,040 of them came too fast to be kept one by one"), "{text}");
    assert_eq!((report.totals.flows, report.totals.folded_packets), (64 * 64 + 19 * 256, 1_000_000 - 64 * 64 - 19 * 256));
    assert!(report.hosts.len() as u64 <= report.totals.flows + 1);
    assert_eq!(report.warnings, [Warning::Told { connections: 1_000_000 }]);
    // The server and its visitors: who knows whether they were real.
    assert!(report.alerts.iter().all(|alert| alert.severity < Severity::Medium), "{:?}", report.alerts);
}

/// Every port of the host in a second is one pair: `fold.flows_per_pair` of them, 4096, are kept.
#[test]
fn a_source_that_tries_everything_at_once_is_one_pair() {
    let mut monitor = monitor();
    (1..=u16::MAX).for_each(|port| monitor.monitor_connection(STRANGER, port, at(f64::from(port) / 70_000.0)));
    let report = monitor.generate_report().unwrap();
    assert_eq!((report.totals.flows, report.totals.folded_packets), (1 + 4_096, 65_535 - 4_097));
    assert_eq!((report.alerts.len(), report.alerts[0].kind), (1, "port_scan"));
    assert!(report.alerts[0].message.contains("61,438 more packets came too fast"), "{}", report.alerts[0].message);
}

const FORGED: &str = "x\n2023-08-05 15:03:00 - CRITICAL - all your hosts\r\u{1b}[2J";

#[test]
fn a_users_name_cannot_forge_a_line_of_the_log() {
    let bench = TestBench::new();
    let path = bench.path().join("security_monitor.log");
    let mut monitor = monitor().log_to(&path).unwrap();
    for n in 0..10 {
        monitor.monitor(&Connection::new(STRANGER, 22, at(f64::from(n))).failed_login(if n % 2 == 0 { FORGED } else { "root" }));
    }
    let told = monitor.alerts().unwrap().len();
    let log = fs::read_to_string(&path).unwrap();
    assert_eq!((log.lines().count(), told), (1, 1), "{log}");
    assert!(log.starts_with("2023-08-05 15:03:0") && log.contains(" - WARNING - brute_force: 10 failed logins"), "{log}");
    assert!(log.contains("\\n") && !log.contains(['\r', '\u{1b}']), "{log}");
    let shown = monitor.get_suspicious_activity_summary().unwrap().to_string();
    assert!(!shown.contains(['\r', '\u{1b}']) && !shown.contains("all your hosts\n"), "{shown}");
}

#[test]
fn the_log_grows_with_what_is_new_and_with_what_becomes_worse() {
    let bench = TestBench::new();
    let path = bench.path().join("security_monitor.log");
    let lines = || fs::read_to_string(&path).unwrap().lines().map(|line| line[20..].to_owned()).collect::<Vec<_>>();
    let mut monitor = guesses(monitor().log_to(&path).unwrap(), 5);
    for _ in 0..3 {
        monitor.alerts().unwrap();
    }
    assert_eq!(lines().len(), 1);
    let mut monitor = guesses(monitor, 12);
    monitor.alerts().unwrap();
    assert_eq!(lines().len(), 2);
    assert!(lines()[0].starts_with("- INFO - brute_force: 5 failed") && lines()[1].starts_with("- WARNING - brute_force: 17 failed"));
    // A log that is there is continued.
    attempts(self::monitor().log_to(&path).unwrap(), 6, 22).finish().unwrap();
    assert_eq!(lines().len(), 3);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
}

#[test]
fn a_summary_counts_alerts_and_names_who_is_behind_them() {
    let mut monitor = guesses(monitor(), 30);
    monitor.monitor_connection(CLIENT, 31_337, at(40.0));
    let summary = monitor.get_suspicious_activity_summary().unwrap();
    assert_eq!((summary.alerts.high, summary.alerts.low, summary.given, summary.attempts), (1, 1, 31, 31));
    assert_eq!(summary.by_type.into_iter().collect::<Vec<_>>(), [("brute_force", 1), ("unusual_port", 1)]);
    let source =
        |address: Ipv4Addr, severity, kind| SuspiciousSource { address: address.to_string(), severity, alerts: 1, types: [kind].into() };
    assert_eq!(summary.sources, [source(STRANGER, Severity::High, "brute_force"), source(CLIENT, Severity::Low, "unusual_port")]);
    let text = monitor.get_suspicious_activity_summary().unwrap().to_string();
    assert!(text.contains("Alerts: 1 high, 1 low\nTypes: brute_force 1, unusual_port 1\n"), "{text}");
    assert!(text.contains("  high      203.0.113.9: brute_force\n"), "{text}");
}

#[test]
fn a_monitor_that_was_told_nothing_says_so() {
    let mut silent = monitor();
    assert_eq!((silent.given(), kinds(&mut silent).len()), (0, 0));
    assert_eq!(silent.get_suspicious_activity_summary().unwrap().to_string(), "Nothing was given to the monitor yet.\n");
    let mut calm = attempts(monitor(), 1, 443);
    assert!(calm.get_suspicious_activity_summary().unwrap().to_string().ends_with("No suspicious activity was found.\n"));
}

#[test]
fn a_written_report_is_one_that_the_program_can_judge_again() {
    let bench = TestBench::new();
    let place = bench.path().join("report");
    let mut monitor = ports(monitor(), 15, |attempt| attempt);
    monitor.write_report(&place, false).unwrap();
    assert!(matches!(monitor.write_report(&place, false), Err(Error::ReportExists(_))));
    let manifest = monitor.write_report(&place, true).unwrap();
    assert!(manifest.files.iter().all(|file| place.join(&file.name).metadata().unwrap().len() == file.bytes));
    assert_eq!(common::alerts(&place)[0]["type"], "port_scan");
    let log = fs::read_to_string(place.join("security_monitor.log")).unwrap();
    assert!(log.contains("WARNING - 15 connections were told of and not captured"), "{log}");
    assert!(fs::read_to_string(place.join("report.html")).unwrap().contains("Port scan of 10.0.0.2"));
    // The same tables with another threshold.
    bench.nsm(["judge", "report", "-o", "again", "--set", "scan.ports=16"]).expect_code(0);
    assert_eq!(common::alerts(&bench.path().join("again")).len(), 0);
    bench.nsm(["judge", "report", "-o", "same"]).expect_code(0);
    assert_eq!(common::alerts(&bench.path().join("same")), common::alerts(&place));
}

#[test]
fn it_can_work_in_another_thread() {
    const fn is_send<T: Send>(_: &T) {}
    let monitor = attempts(monitor(), 6, 22);
    is_send(&monitor);
    let alerts = std::thread::spawn(move || monitor.finish().unwrap().alerts.len()).join().unwrap();
    assert_eq!(alerts, 1);
}

/// Ten ports of one host before the turn and ten after it: neither half is a scan, both together are.
#[test]
fn what_crosses_the_turn_of_a_period_is_found_and_what_was_over_is_told_once() {
    let mut monitor = NetworkSecurityMonitor::new();
    let begin = 1_691_247_840.0;
    let scanner = Ipv4Addr::new(203, 0, 113, 7);
    for port in 0..40_u16 {
        monitor.monitor_connection(scanner, 2_000 + port, begin + f64::from(port));
    }
    let slow = Ipv4Addr::new(203, 0, 113, 8);
    for port in 0..10_u16 {
        monitor.monitor_connection(slow, 1_000 + port, begin + 3_590.0 + f64::from(port));
    }
    let first = monitor.next_period().unwrap();
    let scanners = |report: &Report| {
        let scans = report.alerts.iter().filter(|alert| alert.kind == "port_scan");
        scans.flat_map(|alert| alert.attackers.clone()).collect::<Vec<_>>()
    };
    assert_eq!((scanners(&first), first.accounting.frames), (vec![scanner.to_string()], 50));
    for port in 10..20_u16 {
        monitor.monitor_connection(slow, 1_000 + port, begin + 3_590.0 + f64::from(port));
    }
    let second = monitor.finish().unwrap();
    assert_eq!((scanners(&second), second.accounting.frames), (vec![slow.to_string()], 10));
}
