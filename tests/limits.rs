//! Memory is bounded, and the bound never makes a result depend on batches, threads or chance.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(clippy::cast_possible_truncation, reason = "chance within the bounds that are asked for")]

mod common;
#[allow(dead_code, reason = "shared with the generators, which use more of it")]
#[path = "../examples/common/prng.rs"]
mod prng;

use etherparse::PacketBuilder;
use network_security_monitor::capture::MemorySource;
use network_security_monitor::config::Config;
use network_security_monitor::pipeline::Options;
use network_security_monitor::time::{EARLIEST, LATEST, MICROSECOND, Nanos, SECOND};
use network_security_monitor::warning::Warning;
use prng::SplitMix64;

const ETHERNET: u16 = 1;
const START: Nanos = 1_700_000_000 * SECOND;

fn syn(from: [u8; 4], from_port: u16, to: [u8; 4], port: u16) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).tcp(from_port, port, 1, 1_024).syn().write(&mut frame, b"").unwrap();
    frame
}

fn reset(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).tcp(443, 5_000, 0, 0).rst().ack(7).write(&mut frame, b"").unwrap();
    frame
}

fn files(frames: &[(Nanos, Vec<u8>)], batch_rows: usize, config: &Config) -> (Vec<Warning>, std::collections::BTreeMap<String, Vec<u8>>) {
    let options = Options { batch_rows, ..Options::default() };
    let mut source = MemorySource::new(ETHERNET, frames.to_vec()).block_frames(10_000);
    let (report, flows) = common::analyze_as(&mut source, &options, config).unwrap();
    assert!(common::adds_up(&report.accounting));
    (report.warnings.clone(), common::text_files(report, flows))
}

#[test]
fn every_port_of_one_host_fits_at_the_default_memory() {
    // One pair of hosts is one shard: 65 535 ports at 4 000 a second must not meet the shard's share.
    let frames: Vec<_> = (1..=u16::MAX)
        .map(|port| (START + Nanos::from(port) * 250 * MICROSECOND, syn([10, 0, 0, 1], 40_000, [10, 0, 0, 2], port)))
        .collect();
    let (report, _) = common::analyze(&mut MemorySource::new(ETHERNET, frames), &Options::default()).unwrap();
    assert_eq!(report.warnings, []);
    let scans: Vec<_> = report.alerts.iter().filter(|alert| alert.kind == "port_scan").map(|alert| alert.port_count).collect();
    assert_eq!(scans, [65_535]);
}

/// Spoofed sources that come back after their connections timed out, at a rate at the edge of folding.
fn returning_flood(packets: u32) -> Vec<(Nanos, Vec<u8>)> {
    let mut chance = SplitMix64::new(7);
    (0..packets)
        .map(|n| {
            let source = [198, 18, 0, chance.between(0, 255) as u8];
            let target = [10, 0, chance.between(0, 3) as u8, chance.between(0, 40) as u8];
            (START + Nanos::from(n) * 700 * MICROSECOND, syn(source, chance.between(1_024, 1_500) as u16, target, 80))
        })
        .collect()
}

#[test]
fn folding_and_time_outs_do_not_depend_on_batches() {
    let frames = returning_flood(100_000);
    let (_, want) = files(&frames, 65_536, &Config::default());
    for batch in [1, 7] {
        let (_, got) = files(&frames, batch, &Config::default());
        assert_eq!(common::difference(&want, &got), None, "batches of {batch}");
    }
}

#[test]
fn a_full_table_is_said_and_thins_at_the_same_frame_whatever_the_batches() {
    let mut config = Config::default();
    config.set("memory.max_mib", "64").unwrap();
    // 64 MiB are some 49 000 contacts; 150 000 pairs of one source and one target each do not fit.
    let frames: Vec<_> = (0..150_000_u32)
        .map(|n| {
            let [_, a, b, c] = n.to_be_bytes();
            (START + Nanos::from(n) * 2_000 * MICROSECOND, syn([10, a, b, c], 40_000, [172, 16 + a, b, c], 80))
        })
        .collect();
    let (warnings, want) = files(&frames, 65_536, &config);
    assert!(warnings.iter().any(|warning| matches!(warning, Warning::Thinned { .. })), "{warnings:?}");
    let (_, got) = files(&frames, 7, &config);
    assert_eq!(common::difference(&want, &got), None);
}

#[test]
fn both_ends_of_time_are_analysed_to_the_report() {
    let mut frames = Vec::new();
    for ts in [EARLIEST, LATEST, Nanos::MIN, Nanos::MAX, 0, LATEST - 1, EARLIEST + 1] {
        frames.extend((0..300).map(|n| (ts, syn([10, 0, 0, 1], 40_000 + n, [10, 0, 0, 2], 1 + n))));
        frames.extend((0..30).map(|n| (ts, reset([10, 1, 0, n], [10, 0, 0, 9]))));
    }
    let (_, want) = files(&frames, 65_536, &Config::default());
    let (_, got) = files(&frames, 1, &Config::default());
    assert_eq!(common::difference(&want, &got), None);
}

#[test]
fn scans_that_are_kept_apart_in_time_do_not_fill_the_report() {
    // 1 200 attackers, each with 16 ports of a victim of its own (one more than it takes), 1 000 s after the one before:
    // longer than `alert.join_gap_s`, so that they are no crowd.
    let frames: Vec<_> = (0..1_200_u32)
        .flat_map(|scan| {
            let [_, _, high, low] = scan.to_be_bytes();
            (0..16).map(move |port| {
                let at = START + Nanos::from(scan) * 1_000 * SECOND + Nanos::from(port) * 10_000 * MICROSECOND;
                (at, syn([11, 0, high, low], 40_000, [10, 0, high, low], 100 + port))
            })
        })
        .collect();
    let (report, _) = common::analyze(&mut MemorySource::new(ETHERNET, frames), &Options::default()).unwrap();
    let scans: Vec<_> = report.alerts.iter().filter(|alert| alert.kind == "port_scan").collect();
    assert_eq!(scans.len(), 1_000, "no more alerts of a kind");
    let others = scans.iter().find(|alert| alert.title.contains("the same")).unwrap();
    assert_eq!((others.attacker_count, others.victim_count, others.packet_count), (201, 201, 201 * 16), "the others are counted");
    assert_eq!(scans.iter().map(|alert| alert.packet_count).sum::<u64>(), 1_200 * 16);
}
