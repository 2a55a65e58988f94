//! `index.html`: all captures of a batch on one page, worst first, each linked to its report.
//!
//! Looks and works like `report.html`, and like it loads nothing and runs no script but ours. Every text passes [`shown`] or `visible`, and `maud`, which escapes it.

use std::path::{Component, Path};

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Batch, Listed, Outcome, Row, Totals, shown};
use crate::report::escape::visible;
use crate::report::page::{self, severities};
use crate::report::{BySeverity, units};

/// What a path segment of a link keeps as it is (RFC 3986, unreserved).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const STYLE: &str = include_str!("index.css");

pub fn render(batch: &Batch) -> Vec<u8> {
    let totals = batch.totals();
    let body = html! {
        header {
            p.product { "Network security reports" }
            h1 { "Captures, worst first" }
            @if let Some(note) = batch.note() { p.notice.note role="status" { (note) } }
            (summary(&totals))
        }
        div.scroll { table.sortable {
            thead { tr {
                th scope="col" { "Capture" }
                th scope="col" aria-sort="descending" { "Alerts" }
                th scope="col" { "Worst" }
                th.n scope="col" { "Packets" }
                th.n scope="col" { "Bytes" }
                th scope="col" { "Time (UTC)" }
                th scope="col" { "SHA-256" }
            } }
            tbody { @for (row, rank) in batch.rows().iter().zip(ranks(batch.rows())) { (line(row, rank)) } }
        } }
    };
    page::document(&format!("nsm: {}", units::counted(totals.inputs as u64, "input", "inputs")), STYLE, &body).into_string().into_bytes()
}

/// What the rows are sorted by when it is by their alerts: lower from row to row, and the same where the alerts are.
fn ranks(rows: &[Row]) -> Vec<usize> {
    let mut rank = rows.len();
    let mut before = None;
    let of = |row: &Row| {
        let alerts = row.report().map(|listed| listed.findings.alerts);
        rank -= usize::from(before.replace(alerts).is_some_and(|before| before != alerts));
        rank
    };
    rows.iter().map(of).collect()
}

fn summary(totals: &Totals) -> Markup {
    let counts = [
        (totals.inputs, "inputs"),
        (totals.analysed, "analysed"),
        (totals.damaged, "damaged"),
        (totals.duplicates, "duplicates"),
        (totals.not_a_capture, "not a capture"),
        (totals.unreadable, "unreadable"),
        (totals.failed, "failed"),
    ];
    html! {
        p.totals { (alerts(totals.alerts, "no alerts")) }
        dl.counts {
            @for (count, name) in counts.into_iter().filter(|(count, _)| *count > 0) { div { dt { (name) } dd { (units::count(count as f64)) } } }
            div { dt { "packets" } dd { (units::count(totals.frames as f64)) } }
            div { dt { "on the wire" } dd { (units::bytes(totals.bytes)) } }
        }
    }
}

fn alerts(counts: BySeverity, none: &str) -> Markup {
    html! { @if counts.worst().is_some() { (severities(counts)) } @else { (none) } }
}

fn line(row: &Row, rank: usize) -> Markup {
    match &row.outcome {
        Outcome::Report(listed) => report_line(row, listed, rank),
        // As many cells as there are columns: each can be sorted by.
        Outcome::NoReport(..) => html! {
            tr.skipped {
                td.capture { (shown(&row.path)) }
                td data-v=(rank) { span.status { (row.status().replace('_', " ")) } }
                td.worst { (visible(row.reason())) }
                td {} td {} td {} td {}
            }
        },
    }
}

fn report_line(row: &Row, listed: &Listed, rank: usize) -> Markup {
    let found = &listed.findings;
    html! {
        tr {
            td.capture {
                a href=(link(&listed.directory, listed.page)) { (shown(&row.path)) }
                @if found.damaged { " " span.status { "damaged" } }
                @if let Some(original) = &listed.same_as { div.aside { "same content as " (shown(original)) } }
            }
            td data-label="Alerts" data-v=(rank) { (alerts(found.alerts, "none")) }
            td.worst { @for title in &found.worst { div { (visible(title)) } } }
            td.n data-label="Packets" data-v=(found.frames) { (units::count(found.frames as f64)) }
            td.n data-label="Bytes" data-v=(found.bytes) { (units::bytes(found.bytes)) }
            td data-label="Time" {
                @if let (Some(first), Some(last)) = (&found.first_packet, &found.last_packet) { (moment(first)) " to " (moment(last)) }
            }
            td.muted { @if let Some(hash) = &listed.sha256 { code title=(hash) { (hash.chars().take(12).collect::<String>()) } } }
        }
    }
}

/// To the second, and without the letters that machines need.
fn moment(rfc3339: &str) -> String {
    rfc3339.split('.').next().unwrap_or_default().replacen('T', " ", 1)
}

/// A link relative to the page: the bytes of the path, each segment escaped, so that no name can be taken
/// for a scheme, a query or a way out.
fn link(directory: &Path, page: &str) -> String {
    let parts = directory.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.as_encoded_bytes()),
        _ => None,
    });
    // A first segment with a colon would be a scheme.
    std::iter::once(".".to_owned())
        .chain(parts.chain([page.as_bytes()]).map(|part| percent_encode(part, KEPT).to_string()))
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
    use super::super::tests::{problem, report};
    use super::*;
    use crate::report::BySeverity;

    fn page(rows: Vec<Row>) -> String {
        let inputs = rows.len();
        String::from_utf8(render(&Batch::new(rows, inputs))).unwrap()
    }

    #[test]
    fn a_hostile_name_or_title_is_text() {
        let attack = "\"><img src=x onerror=alert(1)><script>";
        let mut hostile = report(attack, BySeverity::default());
        if let Outcome::Report(listed) = &mut hostile.outcome {
            listed.findings.worst = vec![attack.into()];
            listed.same_as = Some(attack.into());
        }
        let text = page(vec![hostile, Row { path: attack.into(), outcome: Outcome::NoReport(Problem::Failed, attack.into()) }]);
        assert!(!text.contains("<img") && text.matches("<script").count() == 1, "{text}");
        assert_eq!(text.matches("&lt;img src=x onerror=alert(1)&gt;").count(), 6, "{text}");
        let quoted: Vec<&str> = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(quoted, ["./%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%3Cscript%3E/alerts.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_carry_the_bytes_of_the_name() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"d e/\xff:x?#%.pcap"));
        assert_eq!(link(path, "report.html"), "./d%20e/%FF%3Ax%3F%23%25.pcap/report.html");
        assert_eq!(link(Path::new("javascript:alert(1)"), "x"), "./javascript%3Aalert%281%29/x");
        assert_eq!(link(Path::new("../../etc"), "x"), "./etc/x");
    }

    #[test]
    fn every_row_has_a_cell_in_every_column_and_equal_alerts_are_equal() {
        let one = BySeverity { high: 1, ..BySeverity::default() };
        let text = page(vec![report("a", one), report("b", one), report("c", BySeverity::default()), problem("d", Problem::Failed)]);
        let rows: Vec<&str> = text.split("<tr").skip(1).map(|row| row.split("</tr>").next().unwrap()).collect();
        assert_eq!(rows.iter().map(|row| row.matches("<td").count() + row.matches("<th ").count()).collect::<Vec<_>>(), [7; 5]);
        let ranks: Vec<Option<&str>> = rows.iter().map(|row| row.split("data-v=\"").nth(1)?.split('"').next()).collect();
        assert_eq!(ranks, [None, Some("4"), Some("4"), Some("3"), Some("2")]);
    }

    #[test]
    fn the_page_loads_nothing() {
        let text = page(vec![report("a", BySeverity { critical: 1, ..BySeverity::default() }), problem("b", Problem::NotACapture)]);
        for banned in ["http://", "https://", "src=", "javascript:", "url(", "@import", "<img", " onload"] {
            assert!(!text.contains(banned), "{banned}");
        }
        assert!(text.contains("default-src 'none'"));
        assert!(text.contains("<span class=\"badge critical\">critical</span> 1") && text.contains("not a capture"));
    }
}
