//! Chain of custody: which bytes were read, by which tool, asked for how.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::manifest::Input;
use super::super::output::FileRecord;
use super::super::source;
use super::super::units::{bytes, counted, thousands};
use super::view::View;
use crate::capture::ChainPart;
use crate::error::Error;
use crate::time::rfc3339;

/// Files that are shown; `manifest.json` has all.
const FILES: usize = 100;
/// A longer text is cut: `manifest.json` has all of it.
const COMMAND: usize = 4_000;
const CONFIGURATION: usize = 60_000;

pub fn custody(view: &View) -> Result<Markup, Error> {
    let (report, provenance) = (view.report, view.provenance);
    let configuration = serde_json::to_string_pretty(&provenance.configuration).map_err(|cause| Error::Internal(cause.to_string()))?;
    // A file that was read as one with others has its row among them.
    let parts: BTreeSet<&str> = report.facts.parts.iter().map(|part| part.file.as_str()).collect();
    let alone: Vec<&Input> = provenance.inputs.iter().filter(|input| !parts.contains(input.path.as_str())).collect();
    Ok(html! {
        section #custody {
            h2 { "Chain of custody" }
            dl.facts {
                @for input in alone.iter().take(FILES) { (file(input)) }
                @if alone.len() > FILES { dt { "More files" } dd { (left_out(alone.len())) } }
                @if let Some((first, last)) = report.span { dt { "First packet" } dd { (rfc3339(first)) } dt { "Last packet" } dd { (rfc3339(last)) } }
                @for (name, value) in source::facts(&report.facts) { dt { (name) } dd { (visible(&value)) } }
                dt { "Tool" } dd { (visible(&provenance.tool)) " " (visible(&provenance.version)) }
                dt { "Command line" } dd.mono { (cut(&command_line(&provenance.command_line), COMMAND)) }
                (choices(view))
                @if let Some(made) = &provenance.pseudonymized {
                    dt { "Pseudonyms" } dd {
                        "Addresses, names and users are not those of the capture: each is replaced, everywhere by the same (" (visible(&made.method)) "; key " span.mono { (visible(&made.key_check)) } "). Private and public are said of the real addresses."
                    }
                }
                @for rule in &provenance.rules { dt { "Rules" } dd { (record(rule)) } }
                @if let Some(baseline) = &provenance.baseline { dt { "Baseline" } dd { (record(baseline)) } }
            }
            (chain(view))
            p.muted { "manifest.json beside this page names the moment of the analysis and the SHA-256 of every file of the report, this page included." }
            details { summary { "Configuration: every setting that was in force" } pre { (cut(&configuration, CONFIGURATION)) } }
        }
    })
}

/// Several files that were read as one, in the order in which they were: which frames of the whole are in which.
fn chain(view: &View) -> Markup {
    let parts = &view.report.facts.parts;
    let inputs: BTreeMap<&str, &Input> = view.provenance.inputs.iter().map(|input| (input.path.as_str(), input)).collect();
    html! {
        @if !parts.is_empty() {
            h3 { (counted(parts.len() as u64, "file", "files")) " read as one, in the order of their packets" }
            div.scroll { table.sortable {
                thead { tr {
                    th scope="col" { "File" } th.n scope="col" { "First frame" } th.n scope="col" { "Frames" } th.n scope="col" { "Bytes" } th scope="col" { "SHA-256" }
                } }
                tbody { @for part in parts.iter().take(FILES) { (row(part, inputs.get(part.file.as_str()).copied())) } }
            } }
            @if parts.len() > FILES { p.muted { (left_out(parts.len())) } }
        }
    }
}

fn row(part: &ChainPart, input: Option<&Input>) -> Markup {
    html! {
        tr {
            th.wide scope="row" { (visible(&part.file)) }
            td.n data-v=(part.first_frame) { (thousands(part.first_frame)) }
            td.n data-v=(part.frames) { (thousands(part.frames)) }
            @if let Some(input) = input {
                td.n data-v=(input.bytes) { (thousands(input.bytes)) }
                td.wide.mono { (hash(input)) }
            } @else { td.n { "not known" } td { "not known" } }
        }
    }
}

fn left_out(all: usize) -> String {
    format!("{} more are in manifest.json.", thousands((all - FILES) as u64))
}

fn hash(input: &Input) -> Markup {
    html! { @if let Some(hash) = &input.sha256 { (visible(hash)) } @else { "not computed" } }
}

fn file(input: &Input) -> Markup {
    html! {
        dt { "File" } dd { (visible(&input.path)) }
        dt { "Size" } dd { (thousands(input.bytes)) " bytes (" (bytes(input.bytes)) ")" }
        dt { "SHA-256" } dd.mono { (hash(input)) }
        @if let Some(first) = input.first_frame { dt { "First frame" } dd { (thousands(first)) } }
    }
}

fn record(file: &FileRecord) -> Markup {
    html! { (visible(&file.name)) ", " (thousands(file.bytes)) " bytes, SHA-256 " span.mono { (visible(&file.sha256)) } }
}

fn choices(view: &View) -> Markup {
    let choices = &view.provenance.choices;
    html! {
        @if let Some(from) = &choices.from { dt { "Only from" } dd { (visible(from)) } }
        @if let Some(to) = &choices.to { dt { "Only before" } dd { (visible(to)) } }
        @if let Some(filter) = &choices.filter { dt { "Only packets that match" } dd { code { (visible(filter)) } } }
        @if !choices.only.is_empty() { dt { "Only these detectors" } dd { (visible(&choices.only.join(", "))) } }
        @if !choices.skip.is_empty() { dt { "Without these detectors" } dd { (visible(&choices.skip.join(", "))) } }
    }
}

/// Arguments that a shell would take apart are quoted.
pub fn command_line(arguments: &[String]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%".contains(c);
    let quoted = |argument: &String| {
        if !argument.is_empty() && argument.chars().all(is_plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    };
    arguments.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Line by line, as line breaks would be spelled out otherwise.
fn cut(text: &str, most: usize) -> Markup {
    let short: String = text.chars().take(most).collect();
    html! {
        @for (number, line) in short.lines().enumerate() { @if number > 0 { "\n" } (visible(line)) }
        @if short.len() < text.len() { " … (manifest.json has all of it)" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let arguments = ["nsm", "analyze", "a b.pcap", "it's", "", "--set", "scan.ports=30"].map(str::to_owned);
        assert_eq!(command_line(&arguments), r"nsm analyze 'a b.pcap' 'it'\''s' '' --set scan.ports=30");
    }

    #[test]
    fn a_text_that_is_too_long_says_so() {
        assert_eq!(cut("abc", 3).into_string(), "abc");
        assert_eq!(cut("a\nbcd", 3).into_string(), "a\nb … (manifest.json has all of it)");
    }
}
