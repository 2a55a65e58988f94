//! What is wrong with a capture although it could be analysed: data, shown in the terminal and in
//! every report.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One finding about the input. Positions are frame numbers from 1 and byte offsets in the
/// decompressed input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// The input ends inside a record.
    Truncated { frame: u64, offset: u64, missing: u64 },
    /// A record or block cannot be right; reading stopped there.
    Corrupt { frame: u64, offset: u64, problem: String },
    /// A block was skipped and reading went on.
    Skipped { offset: u64, problem: String },
    /// The compressed stream ends early or is damaged.
    CompressionDamaged { offset: u64, problem: String },
    /// Timestamps that cannot be held in the range of years 1823 to 2116 were clamped.
    ClampedTime { frames: u64, first: u64 },
    /// Records whose captured length exceeds their original length.
    CaplenAboveOriglen { frames: u64, first: u64 },
    /// The capture clock jumped.
    ClockJumps { jumps: u64 },
    /// The user ended the reading.
    Interrupted { frame: u64 },
    /// A table reached its row limit, and rows were left out.
    Thinned { table: Cow<'static, str>, rows: u64 },
    /// One of several captures that were read as one could not be read.
    Unreadable { file: String, problem: String },
    /// Files that are no captures, among several that were read as one.
    NoCaptures { files: u64 },
    /// One of several captures that were read as one begins before the one before it ends.
    Overlap { file: String },
    /// Of one of several captures that were read as one; its frames count from its own first.
    In { file: String, warning: Box<Self> },
    /// Not all packets behind the alerts were carved.
    Carved { capped: u64, left_out: u64 },
    /// Somebody wrote to the input meanwhile.
    InputChanged,
    /// Connections that `flows.csv` and its table do not have.
    FlowsLost { connections: u64, problem: String },
    /// Connections that somebody told of, and nobody captured.
    Told { connections: u64 },
    /// A rule of the user could not be computed on this capture.
    Rule { problem: String },
    /// The interface that was watched is gone, or cannot be read any more.
    InterfaceLost { interface: String, frame: u64, problem: String },
    /// The interface that was watched was switched off.
    InterfaceDown { interface: String, frame: u64 },
    /// Frames of a link type that the filter has no meaning for.
    FilterUnusable { link: u16, frames: u64, problem: String },
    /// Packets that were analysed and are not in the capture file that was to be written of them.
    NotWritten { packets: u64, problem: String },
}

impl Warning {
    /// The input was damaged or cut: the exit code says so too.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Truncated { .. }
            | Self::Corrupt { .. }
            | Self::Skipped { .. }
            | Self::CompressionDamaged { .. }
            | Self::InterfaceLost { .. }
            | Self::InterfaceDown { .. }
            | Self::Unreadable { .. } => true,
            Self::In { warning, .. } => warning.is_damage(),
            _ => false,
        }
    }

    /// The name in `summary.json`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::Skipped { .. } => "skipped",
            Self::CompressionDamaged { .. } => "compression_damaged",
            Self::ClampedTime { .. } => "clamped_time",
            Self::CaplenAboveOriglen { .. } => "caplen_above_origlen",
            Self::ClockJumps { .. } => "clock_jumps",
            Self::Interrupted { .. } => "interrupted",
            Self::Thinned { .. } => "thinned",
            Self::Carved { .. } => "carved",
            Self::Rule { .. } => "rule",
            Self::FlowsLost { .. } => "flows_lost",
            Self::Told { .. } => "told",
            Self::InputChanged => "input_changed",
            Self::Unreadable { .. } => "unreadable",
            Self::NoCaptures { .. } => "no_captures",
            Self::Overlap { .. } => "overlap",
            Self::InterfaceLost { .. } => "interface_lost",
            Self::InterfaceDown { .. } => "interface_down",
            Self::FilterUnusable { .. } => "filter_unusable",
            Self::NotWritten { .. } => "not_written",
            Self::In { warning, .. } => warning.kind(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { frame, offset, missing } => {
                write!(f, "the capture ends inside the record after frame {frame}, at byte {offset}: at least {missing} bytes are missing")
            }
            Self::Corrupt { frame, offset, problem } => {
                write!(f, "the record after frame {frame}, at byte {offset}, is damaged: {problem}; nothing after it could be read")
            }
            Self::Skipped { offset, problem } => write!(f, "a block at byte {offset} was skipped: {problem}"),
            Self::CompressionDamaged { offset, problem } => {
                write!(f, "the compressed stream is damaged after {offset} decompressed bytes: {problem}")
            }
            Self::ClampedTime { frames, first } => {
                write!(f, "{frames} timestamps (first: frame {first}) lie outside the years 1823 to 2116 and were clamped")
            }
            Self::CaplenAboveOriglen { frames, first } => {
                write!(f, "{frames} records (first: frame {first}) claim more captured bytes than the packet had")
            }
            Self::ClockJumps { jumps } => write!(f, "the capture clock jumped {jumps} times; rates are not computed across a jump"),
            Self::Interrupted { frame } => write!(f, "interrupted after frame {frame}: what follows was not read"),
            Self::Unreadable { file, problem } => write!(f, "{file} was left out: {problem}"),
            Self::NoCaptures { files } => write!(f, "{files} files are no captures and were left out"),
            Self::Overlap { file } => {
                write!(f, "{file} begins before the capture before it ends: merge them by time (mergecap) to have one order of packets")
            }
            Self::In { file, warning } => write!(f, "{file}: {warning}"),
            Self::Carved { capped, left_out } => {
                write!(f, "carved: cut by carve.max_packets or max_mib: {capped}, left out: {left_out}; see carved/index.csv")
            }
            Self::InputChanged => {
                write!(
                    f,
                    "the input changed while it was read: results may be of both contents, and it has no SHA-256; copy it and analyze the copy"
                )
            }
            Self::FlowsLost { connections, problem } => {
                write!(f, "{connections} connections are missing from flows.csv and its table: {problem}")
            }
            Self::Told { connections } => {
                write!(f, "{connections} connections were told of and not captured: each counts as the one packet that opened it")
            }
            Self::Rule { problem } => write!(f, "a rule was left out: {problem}"),
            Self::InterfaceLost { interface, frame, problem } => {
                write!(f, "the capture on {interface} ended after frame {frame}: {problem}; everything up to there was analysed")
            }
            Self::InterfaceDown { interface, frame } => {
                write!(f, "{interface} was switched off after frame {frame}, and the capture ended: everything up to there was analysed")
            }
            Self::FilterUnusable { link, frames, problem } => {
                write!(f, "{frames} frames of link type {link} were left out, because the filter cannot be used on them: {problem}")
            }
            Self::NotWritten { packets, problem } => {
                write!(f, "{packets} packets were analysed and could not be written to the capture file: {problem}")
            }
            Self::Thinned { table, rows } => {
                write!(f, "table {table} reached its limit: {rows} rows were left out; raise --max-memory to keep them")
            }
        }
    }
}
