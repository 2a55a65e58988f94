//! A file of rules, as `nsm rules check` reads and tests it. The SQL engine may stop at a text; nothing else may.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network_security_monitor::panics;
use network_security_monitor::rules::{self, Rules};
use nsm_fuzz::alone;

fuzz_target!(init: begin(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(problem) = panics::caught(|| check(text)) {
        eprintln!("{problem}");
        std::process::abort();
    }
});

/// A panic that is caught is none: only what comes back to the target ends the run.
fn begin() {
    alone::stay();
    panics::remember();
}

fn check(text: &str) {
    let (good, problems) = Rules::of_text(text.to_owned());
    // A carriage return alone ends a line in YAML, too.
    let lines = text.matches(['\n', '\r']).count() as u64 + 1;
    for problem in &problems {
        assert!(problem.line <= lines, "{problem} is beyond the {lines} lines of the file");
    }
    let _ = rules::error(&problems).to_string();
    let (tests, failed) = good.test();
    assert!(failed.len() <= tests);
}
