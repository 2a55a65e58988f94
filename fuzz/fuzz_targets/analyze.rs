//! The whole analysis of a capture: the same result in batches of one row and of 65 536, from a file and from memory;
//! every frame in one counter.
//!
//! An input of odd length is judged with the lowest thresholds there are, so that a few packets raise alerts; of each
//! seventh length the page and the charts are drawn too.

#![no_main]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use network_security_monitor::analysis;
use network_security_monitor::capture::{FileSource, MemorySource, Source};
use network_security_monitor::config::{Config, SECTIONS};
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::report::flows::FlowsCsv;
use network_security_monitor::report::{self, Formats, Provenance};
use nsm_fuzz::alone;

type Files = BTreeMap<String, Vec<u8>>;

static LOWEST: LazyLock<Config> = LazyLock::new(lowest);

fn lowest() -> Config {
    let mut config = Config::default();
    let judging = SECTIONS.iter().filter(|section| !section.shapes_tables);
    for setting in judging.flat_map(|section| section.settings) {
        config.set(setting.path, &setting.min.to_string()).unwrap();
    }
    config
}

fn open(data: &[u8]) -> Option<FileSource> {
    FileSource::from_reader("capture".into(), Box::new(Cursor::new(data.to_vec()))).ok()
}

/// The text files of the report, and how many frames there were.
fn files(source: &mut dyn Source, config: &Config, batch_rows: usize, drawn: bool) -> (Files, u64) {
    let mut flows = FlowsCsv::new(Vec::new()).unwrap();
    let options = Options { batch_rows, ..Options::default() };
    let measured = pipeline::measure(source, &config.base, &options, &mut |ended| {
        flows.write(ended).unwrap();
        Ok(())
    })
    .unwrap();
    let counted = measured.accounting;
    let sum = counted.decoded + counted.partly_decoded() + counted.not_decoded() + counted.filtered;
    assert_eq!(counted.frames, sum, "{counted:?}");
    let mut report = analysis::judge("capture", &measured, config, &|_| true).unwrap();
    let in_timeline: u64 = report.timeline.buckets.iter().map(|bucket| bucket.packets).sum();
    assert_eq!(counted.frames, in_timeline, "frames in the timeline");
    (report.facts.format, report.facts.compression) = ("any".into(), None);
    let formats = Formats { json: true, csv: true, png: drawn, html: drawn };
    let rendered = report::render(&report, &Provenance::default(), formats).unwrap();
    let files = rendered.into_iter().map(|artifact| (artifact.name, artifact.bytes));
    (files.chain([("flows.csv".to_owned(), flows.into_inner())]).collect(), counted.frames)
}

fn same(want: &Files, got: &Files) {
    for (name, want) in want.iter().filter(|(name, _)| got.contains_key(*name)) {
        let got = &got[name];
        assert!(want == got, "{name} differs:\n{}\n---\n{}", String::from_utf8_lossy(want), String::from_utf8_lossy(got));
    }
}

fuzz_target!(init: alone::stay(), |data: &[u8]| -> Corpus {
    let Some(mut source) = open(data) else { return Corpus::Reject };
    let config = if data.len() % 2 == 0 { &Config::default() } else { &*LOWEST };
    let (want, frames) = files(&mut source, config, 65_536, data.len() % 7 == 0);
    let mut memory = MemorySource::from_source(&mut open(data).unwrap()).unwrap().block_frames(1 + data.len() % 100);
    assert_eq!(frames, memory.len() as u64, "frames counted");
    let (got, _) = files(&mut memory, config, 1, false);
    same(&want, &got);
    Corpus::Keep
});
