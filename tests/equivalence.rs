//! The same input gives the same bytes: whatever the batch size, the number of threads, and whether
//! frames come from a file or from memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use common::{Sample, TestBench};
use network_security_monitor::capture::{MemorySource, Source};
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::Options;
use rayon::{ThreadPool, ThreadPoolBuilder};

type Files = BTreeMap<String, Vec<u8>>;

const BATCHES: [usize; 3] = [1, 7, 65_536];
const BLOCKS: [usize; 3] = [1, 7, 1_000];

fn pools() -> [ThreadPool; 2] {
    [1, 2].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
}

fn files(source: &mut dyn Source, batch_rows: usize, pool: &ThreadPool) -> Result<Files, Error> {
    let options = Options { batch_rows, ..Options::default() };
    let (report, flows) = pool.install(|| common::analyze(source, &options))?;
    Ok(common::text_files(report, flows))
}

/// Every way to read these bytes, against the first.
fn differences(name: &str, bytes: &Arc<[u8]>) -> Vec<String> {
    let pools = pools();
    let open = || common::source(Arc::clone(bytes)).unwrap();
    let want = files(&mut open(), 65_536, &pools[1]).unwrap();
    let mut found = Vec::new();
    let mut compare = |how: String, got: Files| {
        found.extend(common::difference(&want, &got).map(|difference| format!("{name}, {how}: {difference}")));
    };
    for (pool, threads) in pools.iter().zip(1..) {
        for batch in BATCHES {
            compare(format!("file, batches of {batch}, {threads} threads"), files(&mut open(), batch, pool).unwrap());
        }
    }
    for frames in BLOCKS {
        let mut memory = MemorySource::from_source(&mut open()).unwrap().block_frames(frames);
        compare(format!("memory, blocks of {frames}"), files(&mut memory, 65_536, &pools[1]).unwrap());
    }
    found
}

#[test]
fn a_sample_gives_the_same_bytes_however_it_is_read() {
    common::all_well(&common::for_each(&common::samples(), |sample| differences(&sample.name, &sample.bytes())));
}

#[test]
fn a_capture_of_the_corpus_gives_the_same_bytes_however_it_is_read() {
    common::all_well(&common::for_each(&common::corpus(), |path| {
        differences(&path.display().to_string(), &fs::read(path).unwrap().into())
    }));
}

/// The program itself, with all that it writes: tables and charts too.
fn runs(sample: &Sample) -> Vec<String> {
    let whole_run = |arguments: &[&str]| {
        let bench = TestBench::new();
        let fixed = ["analyze", sample.capture.to_str().unwrap()];
        bench.nsm(fixed.iter().chain(arguments)).expect_code(sample.expectation().exit_code);
        let mut files = common::tree(&bench.reports());
        files.retain(|name, _| !name.ends_with("manifest.json"));
        let pages = files.iter_mut().filter(|(name, _)| name.ends_with("report.html"));
        pages.for_each(|(_, page)| *page = common::page_of_command(page, "nsm"));
        files
    };
    let want = whole_run(&[]);
    let others = [&["-j", "1"][..], &["-j", "2", "--batch-rows", "7"]];
    let compared = others.into_iter().filter_map(|how| common::difference(&want, &whole_run(how)).map(|difference| (how, difference)));
    compared.map(|(how, difference)| format!("{}, {how:?}: {difference}", sample.name)).collect()
}

#[test]
fn a_report_is_the_same_whatever_the_threads() {
    common::all_well(&common::for_each(&common::samples(), runs));
}

/// Results are packet time and UTC, wherever the program runs.
#[test]
fn the_time_zone_of_the_machine_changes_nothing() {
    let sample = common::sample("port-scan");
    let in_zone = |zone: &str| {
        let bench = TestBench::new();
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_nsm"))
            .args(["analyze", "--quiet", sample.capture.to_str().unwrap()])
            .current_dir(bench.path())
            .env("TZ", zone)
            .status();
        assert!(run.unwrap().success());
        let mut files = common::tree(&bench.reports());
        files.retain(|name, _| !name.ends_with("manifest.json"));
        files
    };
    assert_eq!(common::difference(&in_zone("UTC"), &in_zone("Asia/Kathmandu")), None);
}
