//! Frames of an interface while they come. Needs libpcap, and so the feature `live`.
//!
//! Knows what can be asked of an interface, and what is counted while it is watched. Without the feature
//! everything here can be named and nothing done: each function says how to get it.

#[cfg(not(feature = "live"))]
mod disabled;
#[cfg(feature = "live")]
mod enabled;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(not(feature = "live"))]
pub use disabled::{LiveSource, interfaces, open};
#[cfg(feature = "live")]
pub use enabled::{LiveSource, interfaces, open};

/// What a build without libpcap has to say.
#[cfg(not(feature = "live"))]
pub(super) const NOT_BUILT: &str = "this nsm was built without live capture and filters; build it with: \
    cargo build --release --features live (it needs libpcap: apt install libpcap-dev, dnf install libpcap-devel, brew install libpcap)";

/// The longest packet libpcap hands out, and so nothing is cut: what tcpdump and dumpcap take, too.
pub const SNAPLEN: u32 = 262_144;

/// Half a second of a full gigabit per second: measured with packets of 1514 bytes at 125 MB/s, nothing is lost
/// while nobody reads for 0.4 s (with 16 MiB for 0.1 s, with 256 MiB for more than 0.8 s).
pub const BUFFER_MIB: u32 = 64;

/// What to watch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub interface: String,
    /// Only these packets, in the language of `pcap-filter(7)`.
    pub filter: Option<String>,
    /// Bytes kept of each packet.
    pub snaplen: u32,
    /// Also frames that are addressed to others.
    pub promiscuous: bool,
    /// Every packet at once instead of some together. On Linux this gives up the ring of blocks (`TPACKET_V3`) for one of
    /// frames: measured, 1.2 µs of processor time for a packet instead of 0.05 µs, and losses at 340 000 packets/s.
    pub immediate: bool,
    /// Of the kernel, for packets that were not read yet.
    pub buffer_bytes: u32,
    /// Ends after so much time.
    pub duration: Option<Duration>,
    /// Ends after so many packets.
    pub packets: Option<u64>,
}

impl Request {
    /// Everything that passes an interface, until somebody ends it.
    #[must_use]
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            filter: None,
            snaplen: SNAPLEN,
            promiscuous: true,
            immediate: false,
            buffer_bytes: BUFFER_MIB << 20,
            duration: None,
            packets: None,
        }
    }
}

/// An interface as libpcap lists it. Its texts come from the system and its drivers: to be shown escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of libpcap, each of which may be set")]
pub struct Interface {
    pub name: String,
    pub description: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub up: bool,
    pub running: bool,
    pub loopback: bool,
    pub wireless: bool,
    /// A cable or a network is there; none where that cannot be known or means nothing.
    pub connected: Option<bool>,
}

/// What is counted while an interface is watched, for every thread to see.
#[derive(Debug, Default)]
pub struct Counters {
    captured: AtomicU64,
    received: AtomicU64,
    dropped: AtomicU64,
    if_dropped: AtomicU64,
}

/// The counters at one moment; all but `captured` as libpcap gave them about a second ago at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Frames that were handed out.
    pub captured: u64,
    /// Frames that passed the filter, those dropped for want of room included.
    pub received: u64,
    /// Frames dropped because the kernel's buffer was full.
    pub dropped: u64,
    /// Frames dropped by the interface or its driver; known in promiscuous mode only.
    pub if_dropped: u64,
}

impl Counters {
    #[must_use]
    pub fn now(&self) -> Counted {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted { captured: of(&self.captured), received: of(&self.received), dropped: of(&self.dropped), if_dropped: of(&self.if_dropped) }
    }
}

#[cfg(test)]
impl Counters {
    /// For tests of others, which have no interface.
    pub(crate) fn set(&self, counted: Counted) {
        self.captured.store(counted.captured, Ordering::Relaxed);
        self.received.store(counted.received, Ordering::Relaxed);
        self.dropped.store(counted.dropped, Ordering::Relaxed);
        self.if_dropped.store(counted.if_dropped, Ordering::Relaxed);
    }
}

impl Counted {
    /// Frames that were there and are missing.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.dropped.saturating_add(self.if_dropped)
    }
}
