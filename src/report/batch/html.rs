//! `index.html`: all captures of a batch on one page, worst first, each linked to its report.
//!
//! One file that loads nothing and runs nothing: a strict content security policy says so to the browser.
//! Every text passes [`shown`] or `visible`, and `maud`, which escapes it.

use std::path::{Component, Path};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Batch, Listed, Outcome, Row, Totals, shown};
use crate::detect::Severity;
use crate::report::charts::severity_rgb;
use crate::report::escape::visible;
use crate::report::units;

/// What a path segment of a link keeps as it is (RFC 3986, unreserved).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const STYLE: &str = include_str!("index.css");

pub fn render(batch: &Batch) -> Vec<u8> {
    let totals = batch.totals();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content="nsm";
                title { "nsm: " (units::counted(totals.inputs as u64, "input", "inputs")) }
                style { (PreEscaped(STYLE)) (PreEscaped(colours())) }
            }
            body {
                h1 { "Captures, worst first" }
                @if let Some(note) = batch.note() { p.note role="status" { (note) } }
                (summary(&totals))
                table {
                    thead { tr {
                        th scope="col" { "Capture" }
                        th scope="col" { "Alerts" }
                        th scope="col" { "Worst" }
                        th.number scope="col" { "Packets" }
                        th.number scope="col" { "Bytes" }
                        th scope="col" { "Time (UTC)" }
                        th scope="col" { "SHA-256" }
                    } }
                    tbody { @for row in batch.rows() { (line(row)) } }
                }
            }
        }
    };
    page.into_string().into_bytes()
}

/// A class for each severity; the colours are those of the charts.
fn colours() -> String {
    let rule = |severity: Severity| {
        let (red, green, blue) = severity_rgb(severity);
        format!(".{}{{--colour:#{red:02x}{green:02x}{blue:02x}}}", severity.name())
    };
    Severity::ALL.into_iter().map(rule).collect()
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
        p.totals {
            @for (severity, count) in totals.alerts.present() { (badge(severity, count)) " " }
            @if totals.alerts.present().next().is_none() { "no alerts " }
        }
        dl {
            @for (count, name) in counts.into_iter().filter(|(count, _)| *count > 0) { div { dt { (name) } dd { (units::count(count as f64)) } } }
            div { dt { "packets" } dd { (units::count(totals.frames as f64)) } }
            div { dt { "on the wire" } dd { (units::bytes(totals.bytes)) } }
        }
    }
}

fn badge(severity: Severity, count: u64) -> Markup {
    html! { span class={ "badge " (severity.name()) } { (units::count(count as f64)) " " (severity.name()) } }
}

fn line(row: &Row) -> Markup {
    match &row.outcome {
        Outcome::Report(listed) => report_line(row, listed),
        Outcome::NoReport(..) => html! {
            tr.skipped {
                td.capture { (shown(&row.path)) }
                td colspan="6" { span.status { (row.status().replace('_', " ")) } " " (visible(row.reason())) }
            }
        },
    }
}

fn report_line(row: &Row, listed: &Listed) -> Markup {
    let found = &listed.findings;
    html! {
        tr {
            td.capture {
                a href=(link(&listed.directory, listed.page)) { (shown(&row.path)) }
                @if found.damaged { " " span.status { "damaged" } }
                @if let Some(original) = &listed.same_as { div.aside { "same content as " (shown(original)) } }
            }
            td data-label="Alerts" {
                @for (severity, count) in found.alerts.present() { (badge(severity, count)) " " }
                @if found.alerts.present().next().is_none() { "none" }
            }
            td.worst { @for title in &found.worst { div { (visible(title)) } } }
            td.number data-label="Packets" { (units::count(found.frames as f64)) }
            td.number data-label="Bytes" { (units::bytes(found.bytes)) }
            td data-label="Time" {
                @if let (Some(first), Some(last)) = (&found.first_packet, &found.last_packet) { (moment(first)) " to " (moment(last)) }
            }
            td.hash { @if let Some(hash) = &listed.sha256 { code title=(hash) { (hash.chars().take(12).collect::<String>()) } } }
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
        assert!(!text.contains("<img") && !text.contains("<script"), "{text}");
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
    fn the_page_loads_nothing_and_runs_nothing() {
        let text = page(vec![report("a", BySeverity { critical: 1, ..BySeverity::default() }), problem("b", Problem::NotACapture)]);
        for banned in ["http://", "https://", "<script", "javascript:", "url(", "@import", "<img", " onload"] {
            assert!(!text.contains(banned), "{banned}");
        }
        assert!(text.contains("default-src 'none'"));
        assert!(text.contains("1 critical") && text.contains("not a capture"));
    }
}
