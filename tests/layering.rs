//! The order of the modules: what comes later on the way of the data may use what comes before, and
//! never the other way round.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Used by everything; they use one another only.
const LEAVES: [&str; 11] =
    ["community_id", "config", "confine", "digest", "error", "net", "panics", "pseudonym", "stats", "time", "warning"];
/// In the order of the data, then what puts the stages together.
const ORDER: [&str; 17] = [
    "capture", "decode", "table", "detect", "rules", "report", "outlet", "pcapng", "ring", "carve", "pipeline", "stored", "analysis",
    "watch", "monitor", "cli", "commands",
];

/// What a module may use besides itself.
fn allowed(module: &str) -> BTreeSet<&'static str> {
    if module == "main" || module == "lib" {
        return LEAVES.into_iter().chain(ORDER).collect();
    }
    let before = ORDER.into_iter().take_while(|earlier| *earlier != module);
    let before = if LEAVES.contains(&module) { Vec::new() } else { before.collect() };
    LEAVES.into_iter().chain(before).collect()
}

/// Without comments, in which anything may be named.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules of the crate that a source text names, in whatever form: `crate::x`, `crate::{x, y::z}`.
fn used(code: &str) -> BTreeSet<String> {
    code.split("crate::").skip(1).flat_map(named).collect()
}

fn named(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let (mut depth, mut names, mut start) = (1, Vec::new(), 0);
    for (place, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',') {
            names.push(identifier(list[start..place].trim()));
            start = place + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn top_level(name: &str) -> &str {
    name.split('/').next().unwrap().trim_end_matches(".rs")
}

fn sources() -> Vec<(String, String)> {
    let files = common::tree(&common::root().join("src"));
    let is_rust = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "rs");
    files.into_iter().filter(|(name, _)| is_rust(name)).map(|(name, bytes)| (name, code(&String::from_utf8(bytes).unwrap()))).collect()
}

#[test]
fn every_module_uses_only_those_before_it() {
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        let (module, allowed) = (top_level(&name), allowed(top_level(&name)));
        for used in used(&code) {
            let is_module = LEAVES.contains(&used.as_str()) || ORDER.contains(&used.as_str());
            if is_module && used != module && !allowed.contains(used.as_str()) {
                wrong.push(format!("src/{name} uses {used}, which comes later"));
            }
        }
    }
    common::all_well(&wrong);
}

#[test]
fn every_module_has_its_place_in_the_order() {
    let modules: BTreeSet<String> = sources().iter().map(|(name, _)| top_level(name).to_owned()).collect();
    let placed: BTreeSet<String> = LEAVES.into_iter().chain(ORDER).chain(["lib", "main"]).map(str::to_owned).collect();
    assert_eq!(modules, placed);
}

/// Live and file, and how they differ, are known to `capture` alone; nobody else opens a capture.
#[test]
fn only_capture_knows_the_formats() {
    // A test may hold what we write against another reader.
    let program = |code: &str| code.split("#[cfg(test)]").next().unwrap().to_owned();
    let wrong: Vec<String> = sources()
        .into_iter()
        .map(|(name, code)| (name, program(&code)))
        .filter(|(name, code)| top_level(name) != "capture" && (code.contains("pcap_parser") || code.contains("flate2")))
        .map(|(name, _)| format!("src/{name} reads captures itself"))
        .collect();
    common::all_well(&wrong);
}

/// A clock would make results depend on the run.
#[test]
fn the_wall_clock_is_read_in_one_place_only() {
    let readers: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| code.contains("SystemTime::now") || code.contains("Utc::now"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(readers, ["commands/mod.rs"]);
}

#[test]
fn uses_are_found_in_every_form() {
    let found = |code: &str| used(code).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::decode::{Kind, flag};"), ["decode"]);
    assert_eq!(found("use crate::{capture, detect::{Alert, x}, time};"), ["capture", "detect", "time"]);
    assert_eq!(found("fn f() -> crate::net::Addr { crate::time::pane(0, 1); }"), ["net", "time"]);
    assert!(fs::exists(common::root().join("src/lib.rs")).unwrap());
}
