//! The committed reports of the samples are what the program writes today, byte for byte.
//!
//! `UPDATE_GOLDEN=1 cargo test --release --test golden` writes them anew; a look at the difference then
//! shows what a change does to the results. Charts may differ in a pixel from machine to machine and are
//! only looked at; of the manifest, which names the run, the list of files is compared.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use common::{Sample, TestBench, root};
use serde_json::Value;
use sha2::{Digest, Sha256};

const MANIFEST: &str = "manifest.json";
const PAGE: &str = "report.html";
/// Stands for the moment of the run in a committed manifest.
const ANY_TIME: &str = "1970-01-01T00:00:00.000000000Z";
const CHART: (u32, u32) = (1_600, 900);

type Files = BTreeMap<String, Vec<u8>>;

/// Where the program puts the report of a sample, run in the root of the package.
fn committed(sample: &Sample) -> PathBuf {
    root().join("reports").join(sample.relative())
}

/// The report of today. The capture is named from the root of the package, so that no path of this
/// machine is in it.
fn written(sample: &Sample) -> Files {
    let bench = TestBench::new();
    let capture = sample.relative();
    let args = ["analyze".as_ref(), capture.as_os_str(), "-o".as_ref(), bench.path().as_os_str()];
    common::run(root(), args, b"").expect_code(sample.expectation().exit_code);
    let mut files = common::tree(&bench.path().join(&capture));
    files.get_mut(MANIFEST).map(|manifest| *manifest = without_run(manifest, &capture)).unwrap();
    files.get_mut(PAGE).map(|page| *page = common::page_of_command(page, &format!("nsm analyze {}", capture.display()))).unwrap();
    let page = files[PAGE].clone();
    files.get_mut(MANIFEST).map(|manifest| *manifest = with_record_of(manifest, &page)).unwrap();
    files
}

/// A manifest without what differs from run to run.
fn without_run(manifest: &[u8], capture: &Path) -> Vec<u8> {
    let text = String::from_utf8(manifest.to_vec()).unwrap();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let analysed_at = parsed["analysed_at"].as_str().unwrap();
    let command_line = serde_json::to_string_pretty(&["nsm", "analyze", capture.to_str().unwrap()]).unwrap();
    let (before, rest) = text.split_once("\"command_line\": ").unwrap();
    let (_, after) = rest.split_once(']').unwrap();
    let indented = command_line.replace('\n', "\n  ");
    format!("{before}\"command_line\": {indented}{after}").replace(analysed_at, ANY_TIME).into_bytes()
}

/// A manifest that lists the page as it is committed, so that its hash can be checked.
fn with_record_of(manifest: &[u8], page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(manifest.to_vec()).unwrap();
    let name = format!("\"name\": \"{PAGE}\"");
    let (before, rest) = text.split_once(&name).unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    let sha256: String = Sha256::digest(page).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{before}{name},\n      \"bytes\": {},\n      \"sha256\": \"{sha256}\"\n    }}{after}", page.len()).into_bytes()
}

fn listed(manifest: &[u8]) -> BTreeSet<String> {
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    manifest["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

fn is_chart(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "png")
}

/// What is wrong with a chart, if anything: its size, or that nothing is drawn on it.
fn chart_problem(bytes: &[u8]) -> Option<String> {
    let mut reader = match png::Decoder::new(Cursor::new(bytes)).read_info() {
        Ok(reader) => reader,
        Err(cause) => return Some(cause.to_string()),
    };
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    if (info.width, info.height) != CHART {
        return Some(format!("is {} x {} pixels", info.width, info.height));
    }
    let bytes_per_pixel = info.color_type.samples() * info.bit_depth as usize / 8;
    let colours: BTreeSet<&[u8]> = pixels[..info.buffer_size()].chunks_exact(bytes_per_pixel).collect();
    (colours.len() <= 10).then(|| format!("has {} colours only", colours.len()))
}

fn compared(want: &Files, got: &Files) -> Vec<String> {
    let exact = |files: &Files| {
        files.iter().filter(|(name, _)| *name != MANIFEST && !is_chart(name)).map(|(n, b)| (n.clone(), b.clone())).collect()
    };
    let mut problems: Vec<String> = common::difference(&exact(want), &exact(got)).into_iter().collect();
    if want.get(MANIFEST).map(|manifest| listed(manifest)) != got.get(MANIFEST).map(|manifest| listed(manifest)) {
        problems.push("the manifest lists other files".into());
    }
    for (name, bytes) in got.iter().filter(|(name, _)| is_chart(name)) {
        problems.extend(chart_problem(bytes).map(|problem| format!("{name} {problem}")));
    }
    problems
}

fn check(sample: &Sample) -> Vec<String> {
    let (got, place) = (written(sample), committed(sample));
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        update(&place, &got);
    }
    if !place.is_dir() {
        return vec![format!("{}: no report is committed; UPDATE_GOLDEN=1 writes it", sample.name)];
    }
    compared(&common::tree(&place), &got).iter().map(|problem| format!("{}: {problem}", sample.name)).collect()
}

fn update(place: &Path, files: &Files) {
    if place.is_dir() {
        fs::remove_dir_all(place).unwrap();
    }
    for (name, bytes) in files {
        let path = place.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn reports_are_the_committed_ones() {
    let samples = common::samples();
    let mut problems = common::for_each(&samples, check);
    let known: BTreeSet<PathBuf> = samples.iter().filter_map(|sample| Some(committed(sample).parent()?.to_owned())).collect();
    let reports = root().join("reports/samples");
    let orphans = if reports.is_dir() { common::files_of(&reports) } else { Vec::new() };
    problems
        .extend(orphans.iter().filter(|path| !known.contains(*path)).map(|path| format!("{}: there is no such sample", path.display())));
    common::all_well(&problems);
}

#[test]
fn committed_reports_name_no_place_of_a_machine() {
    let reports = root().join("reports/samples");
    let files = if reports.is_dir() { common::tree(&reports) } else { Files::new() };
    let home = std::env::temp_dir();
    let named = |bytes: &[u8], path: &Path| String::from_utf8_lossy(bytes).contains(path.to_str().unwrap());
    let places = [root(), home.as_path()];
    let problems: Vec<String> = files
        .iter()
        .filter(|(name, bytes)| !is_chart(name) && places.iter().any(|place| named(bytes, place)))
        .map(|(name, _)| format!("{name} names a path of this machine"))
        .collect();
    common::all_well(&problems);
}
