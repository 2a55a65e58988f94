//! `batch.csv`: one row an input, worst first.

use super::{Batch, Row, shown};
use crate::error::Error;
use crate::report::csv::table;
use crate::report::escape;

const HEAD: [&str; 19] = [
    "path",
    "status",
    "critical",
    "high",
    "medium",
    "low",
    "info",
    "worst",
    "frames",
    "bytes",
    "first_packet",
    "last_packet",
    "warnings",
    "report",
    "page",
    "sha256",
    "same_as",
    "reason",
    "note",
];

pub fn render(batch: &Batch) -> Result<Vec<u8>, Error> {
    let note = batch.note().unwrap_or_default();
    table(HEAD, batch.rows().iter().map(|row| cells(row, &note)))
}

fn cells(row: &Row, note: &str) -> [String; HEAD.len()] {
    let listed = row.report();
    let number = |value: fn(&super::Findings) -> u64| listed.map(|listed| value(&listed.findings).to_string()).unwrap_or_default();
    let text = |value: &str| escape::cell(value).into_owned();
    let findings = listed.map(|listed| &listed.findings);
    let moment = |value: Option<&Option<String>>| value.cloned().flatten().unwrap_or_default();
    [
        text(&shown(&row.path)),
        row.status().to_owned(),
        number(|found| found.alerts.critical),
        number(|found| found.alerts.high),
        number(|found| found.alerts.medium),
        number(|found| found.alerts.low),
        number(|found| found.alerts.info),
        text(&findings.map(|found| found.worst.join("; ")).unwrap_or_default()),
        number(|found| found.frames),
        number(|found| found.bytes),
        moment(findings.map(|found| &found.first_packet)),
        moment(findings.map(|found| &found.last_packet)),
        number(|found| found.warnings),
        text(&listed.map(|listed| shown(&listed.directory)).unwrap_or_default()),
        listed.map(|listed| listed.page.to_owned()).unwrap_or_default(),
        listed.and_then(|listed| listed.sha256.clone()).unwrap_or_default(),
        text(&listed.and_then(|listed| listed.same_as.as_deref()).map(shown).unwrap_or_default()),
        text(row.reason()),
        note.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Problem;
    use super::super::tests::{problem, report};
    use super::*;
    use crate::report::BySeverity;

    fn read(batch: &Batch) -> Vec<BTreeMap<String, String>> {
        ::csv::Reader::from_reader(render(batch).unwrap().as_slice()).deserialize().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn a_row_says_what_was_found() {
        let batch = Batch::new(vec![report("a.pcap", BySeverity { high: 2, ..BySeverity::default() }), problem("b", Problem::Failed)], 2);
        let rows = read(&batch);
        let cell = |row: usize, name: &str| rows[row][name].clone();
        assert_eq!([cell(0, "path"), cell(0, "status"), cell(0, "high"), cell(0, "page")], ["a.pcap", "analysed", "2", "alerts.csv"]);
        assert_eq!([cell(1, "status"), cell(1, "high"), cell(1, "reason")], ["failed", "", "because"]);
    }

    #[test]
    fn a_file_name_is_no_formula_and_stays_in_its_row() {
        let batch = Batch::new(vec![report("=cmd|' /C calc'!A0", BySeverity::default()), problem("a\nb,\"c\"", Problem::Failed)], 2);
        let rows = read(&batch);
        assert_eq!((rows[0]["path"].as_str(), rows[1]["path"].as_str()), ("'=cmd|' /C calc'!A0", "a\\nb,\"c\""));
        assert_eq!(String::from_utf8(render(&batch).unwrap()).unwrap().lines().count(), 3);
    }
}
