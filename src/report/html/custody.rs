//! Chain of custody: which bytes were read, by which tool, asked for how.

use maud::{Markup, html};

use super::super::escape::visible;
use super::super::manifest::Input;
use super::super::output::FileRecord;
use super::super::units::{bytes, thousands};
use super::view::View;
use crate::error::Error;
use crate::time::rfc3339;

/// A longer text is cut: `manifest.json` has all of it.
const COMMAND: usize = 4_000;
const CONFIGURATION: usize = 60_000;

pub fn custody(view: &View) -> Result<Markup, Error> {
    let (report, provenance) = (view.report, view.provenance);
    let configuration = serde_json::to_string_pretty(&provenance.configuration).map_err(|cause| Error::Internal(cause.to_string()))?;
    Ok(html! {
        section #custody {
            h2 { "Chain of custody" }
            dl.facts {
                @for input in &provenance.inputs { (file(input)) }
                @if let Some((first, last)) = report.span { dt { "First packet" } dd { (rfc3339(first)) } dt { "Last packet" } dd { (rfc3339(last)) } }
                dt { "Format" } dd { (format_of(view)) }
                dt { "Tool" } dd { (visible(&provenance.tool)) " " (visible(&provenance.version)) }
                dt { "Command line" } dd.mono { (cut(&command_line(&provenance.command_line), COMMAND)) }
                (choices(view))
                @for rule in &provenance.rules { dt { "Rules" } dd { (record(rule)) } }
                @if let Some(baseline) = &provenance.baseline { dt { "Baseline" } dd { (record(baseline)) } }
            }
            p.muted { "manifest.json beside this page names the moment of the analysis and the SHA-256 of every file of the report, this page included." }
            details { summary { "Configuration: every setting that was in force" } pre { (cut(&configuration, CONFIGURATION)) } }
        }
    })
}

fn file(input: &Input) -> Markup {
    html! {
        dt { "File" } dd { (visible(&input.path)) }
        dt { "Size" } dd { (thousands(input.bytes)) " bytes (" (bytes(input.bytes)) ")" }
        dt { "SHA-256" } dd.mono { @if let Some(hash) = &input.sha256 { (visible(hash)) } @else { "not computed" } }
    }
}

fn record(file: &FileRecord) -> Markup {
    html! { (visible(&file.name)) ", " (thousands(file.bytes)) " bytes, SHA-256 " span.mono { (visible(&file.sha256)) } }
}

fn format_of(view: &View) -> String {
    let facts = &view.report.facts;
    let links: Vec<String> = facts.link_types.iter().map(ToString::to_string).collect();
    let mut parts = vec![facts.format.to_string()];
    parts.extend(facts.compression.as_ref().map(|compression| format!("compressed with {compression}")));
    parts.push(format!("link types {}", if links.is_empty() { "none".to_owned() } else { links.join(", ") }));
    parts.push(format!("interfaces {}", facts.interfaces));
    parts.push(if facts.snaplen == 0 {
        "no snapshot length stated".to_owned()
    } else {
        format!("snapshot length {}", thousands(facts.snaplen.into()))
    });
    parts.join(", ")
}

fn choices(view: &View) -> Markup {
    let choices = &view.provenance.choices;
    html! {
        @if let Some(from) = &choices.from { dt { "Only from" } dd { (visible(from)) } }
        @if let Some(to) = &choices.to { dt { "Only before" } dd { (visible(to)) } }
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
