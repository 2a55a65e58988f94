//! Every frame is in exactly one counter, whatever the capture and whatever the period.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::sync::Arc;

use network_security_monitor::capture::{Block, Source};
use network_security_monitor::pipeline::Options;
use network_security_monitor::time::Nanos;

/// The times of all frames, read without any analysis.
fn times(bytes: &Arc<[u8]>) -> Vec<Nanos> {
    let mut source = common::source(Arc::clone(bytes)).unwrap();
    let (mut block, mut times) = (Block::default(), Vec::new());
    while source.next_block(&mut block).unwrap() {
        times.extend(block.frames.iter().map(|frame| frame.ts));
    }
    times
}

/// What does not add up in the analysis of a period that leaves `filtered` of `frames` out.
fn problems(name: &str, bytes: &Arc<[u8]>, options: &Options, frames: u64, filtered: u64) -> Vec<String> {
    let (report, _) = common::analyze_bytes(Arc::clone(bytes), options).unwrap();
    let accounting = report.accounting;
    let mut problems = Vec::new();
    if !common::adds_up(&accounting) {
        problems.push(format!("{name}: does not add up: {accounting:?}"));
    }
    if accounting.frames != frames {
        problems.push(format!("{name}: {} frames counted of {frames}", accounting.frames));
    }
    if accounting.filtered != filtered {
        problems.push(format!("{name}: {} frames filtered instead of {filtered}", accounting.filtered));
    }
    let in_timeline: u64 = report.timeline.buckets.iter().map(|bucket| bucket.packets).sum();
    if in_timeline != frames - filtered {
        problems.push(format!("{name}: {in_timeline} frames in the timeline instead of {}", frames - filtered));
    }
    problems
}

/// The whole capture, and its middle half of frame times.
fn check(name: &str, bytes: &Arc<[u8]>) -> Vec<String> {
    let times = times(bytes);
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let frames = times.len() as u64;
    let mut found = problems(name, bytes, &Options::default(), frames, 0);
    if let (Some(from), Some(to)) = (sorted.get(sorted.len() / 4), sorted.get(sorted.len() * 3 / 4)) {
        let options = Options { from: Some(*from), to: Some(*to), ..Options::default() };
        let outside = times.iter().filter(|ts| *ts < from || *ts >= to).count() as u64;
        found.extend(problems(&format!("{name}, middle"), bytes, &options, frames, outside));
    }
    found
}

#[test]
fn every_frame_of_every_sample_is_counted_once() {
    common::all_well(&common::for_each(&common::samples(), |sample| check(&sample.name, &sample.bytes())));
}

#[test]
fn every_frame_of_the_corpus_is_counted_once() {
    let problems = common::for_each(&common::corpus(), |path| check(&path.display().to_string(), &fs::read(path).unwrap().into()));
    common::all_well(&problems);
}

#[test]
fn a_period_without_packets_filters_all_of_them() {
    let bytes = common::sample("port-scan").bytes();
    let frames = times(&bytes).len() as u64;
    common::all_well(&problems("empty period", &bytes, &Options { to: Some(0), ..Options::default() }, frames, frames));
}
