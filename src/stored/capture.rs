//! `capture.json`: what is known of a capture and belongs to no row of a table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capture::SourceFacts;
use crate::decode::app::Service;
use crate::decode::{Accounting, Layer, LayerCount, LayerCounts, Reason};
use crate::error::Error;
use crate::pipeline::Measured;
use crate::table::{ShardTotals, Tables, schema};
use crate::time::Nanos;
use crate::warning::Warning;

#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    schema_version: u32,
    source: SourceFacts,
    warnings: Vec<Warning>,
    frames: Frames,
    /// Frames and bytes on the wire by layer.
    layers: BTreeMap<String, (u64, u64)>,
    /// First and last packet, nanoseconds since 1970.
    span: Option<(Nanos, Nanos)>,
    /// The last frame of the period before this one, where one came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begins: Option<u64>,
    totals: ShardTotals,
    flows: u64,
    folded_packets: u64,
    /// Rows left out by table, where a limit was reached.
    thinned: Vec<(Cow<'static, str>, u64)>,
    /// Packets and IP bytes by service.
    services: BTreeMap<String, (u64, u64)>,
    /// Seconds of a row of `timeline` and of `mixture`.
    timeline_s: i64,
    mixture_s: i64,
}

/// Every frame in exactly one counter.
#[derive(Debug, Serialize, Deserialize)]
struct Frames {
    read: u64,
    decoded: u64,
    filtered: u64,
    by_reason: BTreeMap<String, u64>,
    captured_bytes: u64,
    wire_bytes: u64,
    cut: u64,
}

pub fn write(measured: &Measured) -> Result<Vec<u8>, Error> {
    let Measured { facts, warnings, accounting, layers, span, begins, tables } = measured;
    let stored = Facts {
        schema_version: schema::VERSION,
        source: facts.clone(),
        warnings: warnings.clone(),
        frames: Frames::of(accounting),
        layers: layers.iter().map(|(layer, count)| (layer.name().to_owned(), (count.frames, count.bytes))).collect(),
        span: *span,
        begins: *begins,
        totals: tables.totals,
        flows: tables.flows,
        folded_packets: tables.folded_packets,
        thinned: tables.thinned.clone(),
        services: tables.served.iter().map(|(service, packets, bytes)| (service.name().to_owned(), (packets, bytes))).collect(),
        timeline_s: tables.timeline.0,
        mixture_s: tables.mixture.0,
    };
    crate::report::pretty(&stored)
}

/// What the file says; or what is wrong with it, in words.
pub fn read(text: &[u8]) -> Result<Facts, String> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let not_ours = |cause: serde_json::Error| format!("it is not one that nsm wrote: {cause}");
    let Version { schema_version } = serde_json::from_slice(text).map_err(not_ours)?;
    if schema_version != schema::VERSION {
        return Err(format!("its tables have schema version {schema_version}, and this nsm reads version {}", schema::VERSION));
    }
    serde_json::from_slice(text).map_err(not_ours)
}

impl Facts {
    /// The whole, with the tables that were read beside it.
    pub fn into_measured(self, mut tables: Tables) -> Measured {
        tables.totals = self.totals;
        tables.flows = self.flows;
        tables.folded_packets = self.folded_packets;
        tables.thinned = self.thinned;
        tables.timeline.0 = self.timeline_s;
        tables.mixture.0 = self.mixture_s;
        for service in Service::ALL {
            if let Some((packets, bytes)) = self.services.get(service.name()) {
                tables.served.add(service, *packets, *bytes);
            }
        }
        let mut layers = LayerCounts::default();
        for layer in Layer::ALL {
            if let Some((frames, bytes)) = self.layers.get(layer.name()) {
                layers.put(layer, LayerCount { frames: *frames, bytes: *bytes });
            }
        }
        Measured {
            facts: self.source,
            warnings: self.warnings,
            accounting: self.frames.accounting(),
            layers,
            span: self.span,
            begins: self.begins,
            tables,
        }
    }
}

impl Frames {
    fn of(accounting: &Accounting) -> Self {
        let reasons = Reason::ALL.into_iter().zip(accounting.reasons);
        Self {
            read: accounting.frames,
            decoded: accounting.decoded,
            filtered: accounting.filtered,
            by_reason: reasons.map(|(reason, frames)| (reason.name().to_owned(), frames)).collect(),
            captured_bytes: accounting.captured_bytes,
            wire_bytes: accounting.wire_bytes,
            cut: accounting.cut_frames,
        }
    }

    fn accounting(&self) -> Accounting {
        Accounting {
            frames: self.read,
            decoded: self.decoded,
            filtered: self.filtered,
            reasons: Reason::ALL.map(|reason| self.by_reason.get(reason.name()).copied().unwrap_or_default()),
            captured_bytes: self.captured_bytes,
            wire_bytes: self.wire_bytes,
            cut_frames: self.cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_schema_version_is_refused_by_name() {
        let problem = read(br#"{"schema_version": 999, "later": true}"#).unwrap_err();
        assert!(problem.contains("schema version 999"), "{problem}");
        assert!(read(b"{}").unwrap_err().contains("not one that nsm wrote"));
        assert!(read(b"\xff").unwrap_err().contains("not one that nsm wrote"));
    }
}
