//! `nsm info`: the facts of a capture and what it is worth as evidence, for people and for machines.
//!
//! Pure functions of what was measured. Names and order of the facts follow `capinfos`.

use std::fmt::Write as _;

use serde::Serialize;

use super::escape::{json, visible};
use super::model::ProtocolRow;
use super::source;
use super::units::{bytes, counted, si, thousands};
use crate::capture::{SourceFacts, link_name};
use crate::decode::{Accounting, Reason, Seen};
use crate::detect::{Quality, State};
use crate::error::Error;
use crate::time::{Nanos, SECOND, duration, rfc3339};
use crate::warning::Warning;

/// Protocols shown of each layer, those with the most packets.
const PROTOCOLS: usize = 5;
/// The longest label, with its colon and a space.
const LABEL: usize = 18;

/// Everything there is to say of one capture.
#[derive(Debug)]
pub struct Info {
    /// As the user named it.
    pub file: String,
    /// Of the file; none of standard input.
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub facts: SourceFacts,
    pub accounting: Accounting,
    pub seen: Seen,
    pub span: Option<(Nanos, Nanos)>,
    pub protocols: Vec<ProtocolRow>,
    pub hosts: u64,
    pub flows: u64,
    pub warnings: Vec<Warning>,
    pub quality: Quality,
}

impl Info {
    fn seconds(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| (i128::from(last) - i128::from(first)) as f64 / SECOND as f64)
    }

    /// Of something per second; none where no time passed.
    fn rate(&self, count: u64) -> Option<f64> {
        let seconds = self.seconds();
        (seconds > 0.0).then(|| count as f64 / seconds)
    }

    fn mean_size(&self) -> Option<f64> {
        let frames = self.accounting.frames;
        (frames > 0).then(|| self.accounting.wire_bytes as f64 / frames as f64)
    }
}

/// The facts in aligned lines, then the verdict.
#[must_use]
pub fn render(info: &Info) -> String {
    let mut text = String::new();
    for (label, value) in facts(info) {
        line(&mut text, label, &value);
    }
    text.push('\n');
    line(&mut text, "Quality", info.quality.worst().verdict());
    for check in &info.quality.checks {
        line(&mut text, &format!("  {}", check.name), &format!("{:5} {}", check.state.name(), check.measured));
        if check.state != State::Ok {
            line(&mut text, "", &format!("      {}", check.meaning));
        }
    }
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    let label = if label.is_empty() { String::new() } else { format!("{label}:") };
    // Writing to a String cannot fail.
    _ = writeln!(text, "{label:LABEL$}{}", visible(value));
}

fn facts(info: &Info) -> Vec<(&'static str, String)> {
    let (accounting, seen) = (&info.accounting, &info.seen);
    let none = || "none".to_owned();
    let mut lines = vec![("File", info.file.clone())];
    lines.extend(info.size.map(|size| ("Size", format!("{} bytes", thousands(size)))));
    lines.extend(info.sha256.clone().map(|hash| ("SHA-256", hash)));
    lines.extend(source::facts(&info.facts));
    lines.extend([
        ("Frames", thousands(accounting.frames)),
        ("Bytes", format!("{} on the wire, {} captured", thousands(accounting.wire_bytes), thousands(accounting.captured_bytes))),
        ("First packet", info.span.map_or_else(none, |(first, _)| rfc3339(first))),
        ("Last packet", info.span.map_or_else(none, |(_, last)| rfc3339(last))),
        ("Duration", format!("{:.9} s ({})", info.seconds(), duration(info.span.map_or(0, |(first, last)| last.saturating_sub(first))))),
    ]);
    if let Some((packets, volume)) = info.rate(accounting.frames).zip(info.rate(accounting.wire_bytes)) {
        lines.push(("Average rates", format!("{}, {}", si(packets, "packets/s"), si(volume * 8.0, "bit/s"))));
    }
    if let Some(((least, most), mean)) = seen.sizes.zip(info.mean_size()) {
        lines.push(("Frame sizes", format!("{} to {} bytes, {mean:.2} on average", thousands(least.into()), thousands(most.into()))));
    }
    lines.push(("Longest silence", duration(seen.silence)));
    lines.push(("Time order", time_order(seen)));
    lines.push(("Decoded", decoded(accounting)));
    lines.extend(protocols(&info.protocols));
    lines.push(("Hosts", thousands(info.hosts)));
    lines.push(("Flows", thousands(info.flows)));
    lines.extend(info.warnings.iter().map(|warning| ("Warning", warning.to_string())));
    lines
}

fn time_order(seen: &Seen) -> String {
    match seen.out_of_order {
        0 => "every frame is as late as the one before it, or later".into(),
        frames => format!("{} earlier than the one before", counted(frames, "frame is", "frames are")),
    }
}

fn decoded(accounting: &Accounting) -> String {
    let reasons = |partial| {
        let named: Vec<String> = Reason::ALL
            .into_iter()
            .zip(accounting.reasons)
            .filter(|(reason, count)| reason.is_partial() == partial && *count > 0)
            .map(|(reason, count)| format!("{} {}", reason.name(), thousands(count)))
            .collect();
        if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
    };
    format!(
        "{} in full, {} in part{}, {} not{}",
        thousands(accounting.decoded),
        thousands(accounting.partly_decoded()),
        reasons(true),
        thousands(accounting.not_decoded()),
        reasons(false)
    )
}

/// A line for each layer, its most frequent protocols first.
fn protocols(rows: &[ProtocolRow]) -> Vec<(&'static str, String)> {
    let layers = [("link", "Link"), ("network", "Network"), ("transport", "Transport"), ("tunnel", "Tunnels"), ("service", "Services")];
    let line = |(layer, label)| {
        let mut of_layer: Vec<&ProtocolRow> = rows.iter().filter(|row| row.layer == layer && row.packets > 0).collect();
        of_layer.sort_by_key(|row| u64::MAX - row.packets);
        let shown: Vec<String> = of_layer
            .iter()
            .take(PROTOCOLS)
            .map(|row| format!("{} {} ({})", row.protocol, counted(row.packets, "packet", "packets"), bytes(row.bytes)))
            .collect();
        (!shown.is_empty()).then(|| (label, shown.join(", ")))
    };
    layers.into_iter().filter_map(line).collect()
}

/// One capture as a line of JSON.
///
/// # Errors
/// Only for defects of ours.
pub fn render_json(info: &Info) -> Result<String, Error> {
    let record = Record::of(info);
    let line = serde_json::to_string(&record).map_err(|cause| Error::Internal(format!("JSON could not be written: {cause}")))?;
    Ok(json(&line) + "\n")
}

#[derive(Serialize)]
struct Record<'a> {
    file: &'a str,
    size: Option<u64>,
    sha256: Option<&'a str>,
    format: &'a str,
    compression: Option<&'a str>,
    link_types: Vec<Link>,
    interfaces: u32,
    snaplen: u32,
    frames: u64,
    bytes: u64,
    captured_bytes: u64,
    cut_frames: u64,
    first_packet: Option<String>,
    last_packet: Option<String>,
    duration_s: f64,
    packets_per_s: Option<f64>,
    bytes_per_s: Option<f64>,
    smallest_frame: Option<u32>,
    largest_frame: Option<u32>,
    mean_frame: Option<f64>,
    longest_silence_s: f64,
    out_of_order: u64,
    decoded: u64,
    partly_decoded: u64,
    not_decoded: u64,
    reasons: std::collections::BTreeMap<&'static str, u64>,
    protocols: &'a [ProtocolRow],
    hosts: u64,
    flows: u64,
    clock_jumps: u64,
    dropped: u64,
    checksums_checked: u64,
    verdict: &'static str,
    quality: &'a Quality,
    warnings: Vec<Finding>,
}

#[derive(Serialize)]
struct Link {
    number: u16,
    name: &'static str,
}

#[derive(Serialize)]
struct Finding {
    kind: &'static str,
    message: String,
}

impl<'a> Record<'a> {
    fn of(info: &'a Info) -> Self {
        let (accounting, facts, seen) = (&info.accounting, &info.facts, &info.seen);
        Self {
            file: &info.file,
            size: info.size,
            sha256: info.sha256.as_deref(),
            format: &facts.format,
            compression: facts.compression.as_deref(),
            link_types: facts.link_types.iter().map(|link| Link { number: *link, name: link_name(*link) }).collect(),
            interfaces: facts.interfaces,
            snaplen: facts.snaplen,
            frames: accounting.frames,
            bytes: accounting.wire_bytes,
            captured_bytes: accounting.captured_bytes,
            cut_frames: accounting.cut_frames,
            first_packet: info.span.map(|(first, _)| rfc3339(first)),
            last_packet: info.span.map(|(_, last)| rfc3339(last)),
            duration_s: info.seconds(),
            packets_per_s: info.rate(accounting.frames),
            bytes_per_s: info.rate(accounting.wire_bytes),
            smallest_frame: seen.sizes.map(|(least, _)| least),
            largest_frame: seen.sizes.map(|(_, most)| most),
            mean_frame: info.mean_size(),
            longest_silence_s: seen.silence as f64 / SECOND as f64,
            out_of_order: seen.out_of_order,
            decoded: accounting.decoded,
            partly_decoded: accounting.partly_decoded(),
            not_decoded: accounting.not_decoded(),
            reasons: Reason::ALL.into_iter().map(Reason::name).zip(accounting.reasons).filter(|(_, count)| *count > 0).collect(),
            protocols: &info.protocols,
            hosts: info.hosts,
            flows: info.flows,
            clock_jumps: facts.clock_jumps,
            dropped: facts.dropped,
            checksums_checked: seen.checksums.checked,
            verdict: info.quality.worst().verdict(),
            quality: &info.quality,
            warnings: info.warnings.iter().map(|warning| Finding { kind: warning.kind(), message: warning.to_string() }).collect(),
        }
    }
}
