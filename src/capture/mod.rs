//! Where frames come from: files of every pcap and pcapng kind, standard input, memory, an interface.
//!
//! Only this module knows one source from another. It knows timestamps, link types and record
//! boundaries; it does not look inside a frame.

mod block;
mod chain;
mod clock;
mod compressed;
#[cfg(feature = "live")]
mod dlt;
mod file;
mod filter;
#[cfg(test)]
mod fixtures;
mod link_type;
pub mod live;
mod memory;
mod paced;
mod pcap;
mod pcapng;
mod tally;
mod timescale;
mod walk;

pub use block::{Block, FrameRef};
pub use chain::{Chain, ChainPart};
pub use clock::Clock;
pub use file::FileSource;
pub use filter::{check_filter, filtered};
pub use link_type::link_name;
pub use memory::MemorySource;
pub use paced::Paced;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::warning::Warning;

/// A stream of frames.
///
/// The pipeline calls [`Source::next_block`] until it returns `Ok(false)`. Damage in the input is
/// not an error: the source yields what can be read, records a [`Warning`] and ends. An error means
/// that nothing at all could be read.
pub trait Source: Send {
    /// Fills `block` (cleared first, its buffers reused) with the next frames, in capture order. There may be
    /// none: then nothing came for a moment, or nobody asked for what came.
    /// `false`: the input has ended and the block is empty.
    ///
    /// # Errors
    /// When the input cannot be opened or is no capture.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error>;

    /// Nothing more will be read, whether the input has ended or not.
    fn end(&mut self) {}

    /// What is wrong with the input, known completely once it has ended.
    fn warnings(&self) -> &[Warning];

    /// Facts of the input for the report, known completely once it has ended.
    fn facts(&self) -> SourceFacts;

    /// Bytes of the input consumed so far (compressed bytes, where it is compressed), for progress.
    fn position(&self) -> u64;
}

/// What a capture says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// `pcap`, `pcapng`, `memory` or `live`.
    pub format: Cow<'static, str>,
    /// `gzip`, `zstd`, `lz4`, where the input was compressed.
    pub compression: Option<Cow<'static, str>>,
    /// Link type numbers (tcpdump.org registry) met, in order of appearance.
    pub link_types: Vec<u16>,
    pub interfaces: u32,
    /// The largest snapshot length stated, bytes; 0 means that at least one interface states no limit.
    pub snaplen: u32,
    /// Address, name pairs of pcapng name-resolution blocks.
    pub names: Vec<(crate::net::Addr, String)>,
    /// Jumps of the capture clock that began a new segment.
    pub clock_jumps: u64,
    /// Packets the capturing machine says it dropped (pcapng interface statistics, libpcap's counts).
    pub dropped: u64,
    /// The files, where several were read as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ChainPart>,
}

impl SourceFacts {
    /// The snapshot length of all interfaces so far and of others, of which there may be none. One interface
    /// without a limit leaves all of them without one.
    fn snaplen_with(&self, interfaces: u32, snaplen: u32) -> u32 {
        match (self.interfaces, interfaces) {
            // Who has no interface has stated nothing.
            (0, _) => snaplen,
            (_, 0) => self.snaplen,
            _ if self.snaplen == 0 || snaplen == 0 => 0,
            _ => self.snaplen.max(snaplen),
        }
    }
}
