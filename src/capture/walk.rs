//! What walking over the records of a buffer comes to, and the limits every format shares.

/// The largest record or block believed. Nothing that captures packets writes frames of more than 128 MiB (D-Bus and
/// USB, `WTAP_MAX_PACKET_SIZE_DBUS` of Wireshark), to which a block adds its fields and options; a larger claim is a
/// damaged length. Three times as much may be in memory beside the tables: a block that is read, its beginning that was
/// carried over, and the block before it.
pub(super) const MAX_RECORD: u32 = (128 << 20) + (64 << 10);

/// How far a walk came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Bytes of whole records.
    pub used: usize,
    pub then: Then,
}

/// What follows the whole records.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next record is at least this long and not all of it is there.
    Incomplete { needed: usize },
    /// The next record cannot be right, and the one after it cannot be found.
    Corrupt { problem: String },
}

impl Walked {
    pub const fn incomplete(used: usize, needed: usize) -> Self {
        Self { used, then: Then::Incomplete { needed } }
    }

    pub const fn corrupt(used: usize, problem: String) -> Self {
        Self { used, then: Then::Corrupt { problem } }
    }
}

/// A position in a buffer as a [`super::FrameRef`] holds it.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a buffer holds a few times MAX_RECORD at most, which is far below 4 GiB")]
pub(super) const fn narrow(position: usize) -> u32 {
    position as u32
}
