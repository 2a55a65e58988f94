//! The packets behind each alert as captures of their own.
//!
//! Takes the frames of the same input once more, chooses for every alert ([`selection`], and the rest of
//! the [`connections`] in it) and writes ([`crate::pcapng`]) up to a limit that file, index and report state.
//! Decides nothing about the alerts, and does not know where frames come from.

mod connections;
mod index;
mod selection;

use crate::capture::{Block, FrameRef};
use crate::config;
use crate::decode::{self, PacketBatch};
use crate::detect::Alert;
use crate::error::Error;
use crate::pcapng::Pcapng;
use crate::report::{FileRecord, OutputDir, PendingFile, Report, alert_name, visible};
use crate::warning::Warning;
use connections::{Connections, MOST_CONNECTIONS, REACH_S, Rest};
use index::Row;
use selection::{Seen, Selection};

const MIB: u64 = 1 << 20;
/// Frames decoded at a time.
const FRAMES_AT_ONCE: usize = 4_096;

/// How much of an alert's packets its file holds, and which limit said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capped {
    No,
    Packets,
    Bytes,
}

/// What to write of the input that was analysed.
#[derive(Debug)]
pub struct Carver<'a> {
    target: Target<'a>,
    jobs: Vec<Job<'a>>,
    left_out: u64,
    batch: PacketBatch,
}

/// Where carved files go, how large they may be, and what they say of where they come from.
#[derive(Debug)]
struct Target<'a> {
    output: &'a OutputDir,
    limits: config::Carve,
    /// Name of the input, without its directories, as it is shown: what a packet costs counts the name.
    source: String,
    snaplen: u32,
    program: String,
}

/// One alert and its file.
#[derive(Debug)]
struct Job<'a> {
    rank: usize,
    alert: &'a Alert,
    selection: Selection,
    connections: Connections,
    file: Option<Pcapng<PendingFile>>,
    matched: u64,
    written: u64,
    /// Packet blocks, bytes.
    bytes: u64,
    first: u64,
    last: u64,
    capped: Capped,
}

/// What was carved.
#[derive(Debug)]
pub struct Carved {
    /// The carved files, and their index.
    pub files: Vec<FileRecord>,
    /// That not everything was carved, if so.
    pub warning: Option<Warning>,
}

impl<'a> Carver<'a> {
    /// For the worst alerts of the report; `name` is what the frames' numbers refer to.
    #[must_use]
    pub fn new(report: &'a Report, name: &str, program: String, limits: config::Carve, output: &'a OutputDir) -> Self {
        let jobs: Vec<Job> = report.alerts.iter().take(limits.max_alerts as usize).enumerate().map(Job::new).collect();
        let left_out = (report.alerts.len() - jobs.len()) as u64;
        let target = Target { output, limits, source: visible(name).into_owned(), snaplen: report.facts.snaplen, program };
        Self { target, jobs, left_out, batch: PacketBatch::default() }
    }

    /// The last frame that any alert names; none where nothing is to be carved.
    #[must_use]
    pub fn last_frame(&self) -> Option<u64> {
        self.jobs.iter().map(|job| *job.selection.frames.end()).max()
    }

    /// Whether the connections are to be known before frames are taken.
    #[must_use]
    pub fn wants_survey(&self) -> bool {
        self.jobs.iter().any(|job| job.connections.are_wanted())
    }

    /// Whether frames after the last one that an alert names can still be wanted.
    #[must_use]
    pub fn reaches_on(&self) -> bool {
        self.jobs.iter().any(|job| !job.connections.is_empty())
    }

    /// Learns from the frames of a block which connections are behind the alerts.
    ///
    /// # Errors
    /// None of its own.
    pub fn survey(&mut self, block: &Block) -> Result<(), Error> {
        let Self { jobs, batch, .. } = self;
        let asks = |job: &Job, frames: &[FrameRef]| job.connections.are_wanted() && job.names_some_of(frames);
        show(block, batch, jobs, asks, |job, frame, _, seen| {
            if let Some(packet) = seen.packet.filter(|_| job.names(frame) && job.selection.takes(seen)) {
                job.connections.note(packet);
            }
            Ok(())
        })
    }

    /// Takes the frames of a block, in the order of the input.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn take(&mut self, block: &Block) -> Result<(), Error> {
        let Self { jobs, batch, target, .. } = self;
        let asks = |job: &Job, frames: &[FrameRef]| job.names_some_of(frames) || job.connections.may_reach(frames);
        show(
            block,
            batch,
            jobs,
            asks,
            |job, frame, data, seen| {
                if job.is_behind(frame, seen) { job.take(frame, data, target) } else { Ok(()) }
            },
        )
    }

    /// Gives all files their names, and writes the index.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self) -> Result<Carved, Error> {
        let (mut rows, mut files) = (Vec::new(), Vec::new());
        let capped = self.jobs.iter().filter(|job| job.capped != Capped::No).count() as u64;
        for job in self.jobs {
            let mut row = Row::of(&job);
            if let Some(file) = job.end()? {
                row.file = Some(file.clone());
                files.push(file);
            }
            rows.push(row);
        }
        files.push(self.target.output.write(index::NAME, &index::render(&rows)?)?);
        let warning = (capped + self.left_out > 0).then_some(Warning::Carved { capped, left_out: self.left_out });
        Ok(Carved { files, warning })
    }
}

/// Decodes the frames that some alert asks for, and shows them to those that ask.
fn show<'a>(
    block: &Block,
    batch: &mut PacketBatch,
    jobs: &mut [Job<'a>],
    asks: impl Fn(&Job, &[FrameRef]) -> bool,
    mut to: impl FnMut(&mut Job<'a>, &FrameRef, &[u8], &Seen) -> Result<(), Error>,
) -> Result<(), Error> {
    for start in (0..block.frames.len()).step_by(FRAMES_AT_ONCE) {
        let range = start..block.frames.len().min(start + FRAMES_AT_ONCE);
        let frames = block.frames.get(range.clone()).unwrap_or_default();
        let mut asking: Vec<&mut Job> = jobs.iter_mut().filter(|job| asks(job, frames)).collect();
        if asking.is_empty() {
            continue;
        }
        batch.clear();
        decode::decode(block, range, batch);
        let (mut packets, mut claims) = (batch.packets.iter().peekable(), batch.claims.iter().peekable());
        for frame in frames {
            let data = block.data(frame);
            let seen = Seen {
                packet: packets.next_if(|packet| packet.ordinal == frame.ordinal),
                claim: claims.next_if(|claim| claim.ordinal == frame.ordinal),
                macs: decode::ethernet_ends(data, frame.link),
            };
            for job in &mut asking {
                to(job, frame, data, &seen)?;
            }
        }
    }
    Ok(())
}

impl<'a> Job<'a> {
    fn new((place, alert): (usize, &'a Alert)) -> Self {
        let selection = Selection::of(alert);
        Self {
            rank: place + 1,
            alert,
            selection,
            connections: Connections::of(alert),
            file: None,
            matched: 0,
            written: 0,
            bytes: 0,
            first: 0,
            last: 0,
            capped: Capped::No,
        }
    }

    fn names(&self, frame: &FrameRef) -> bool {
        self.selection.frames.contains(&frame.ordinal)
    }

    /// The alert names some of these frames.
    fn names_some_of(&self, frames: &[FrameRef]) -> bool {
        let (wanted, first, last) = (&self.selection.frames, frames.first(), frames.last());
        first.zip(last).is_some_and(|(first, last)| *wanted.start() <= last.ordinal && first.ordinal <= *wanted.end())
    }

    fn is_behind(&self, frame: &FrameRef, seen: &Seen) -> bool {
        let reached = || seen.packet.is_some_and(|packet| self.connections.reach(packet));
        (self.names(frame) || reached()) && self.selection.takes(seen)
    }

    /// A frame behind the alert: written while there is room, and counted in any case.
    fn take(&mut self, frame: &FrameRef, data: &[u8], target: &Target) -> Result<(), Error> {
        self.matched += 1;
        if self.capped != Capped::No {
            return Ok(());
        }
        let comment = format!("frame {} of {}", frame.ordinal, target.source);
        let bytes = self.bytes + Pcapng::<PendingFile>::cost(data, &comment);
        if self.written >= u64::from(target.limits.max_packets) {
            self.capped = Capped::Packets;
            return Ok(());
        }
        if bytes > u64::from(target.limits.max_mib) * MIB {
            self.capped = Capped::Bytes;
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin(target)?,
        };
        file.packet(frame, data, &comment).map_err(|cause| self.failed(cause))?;
        self.file = Some(file);
        self.bytes = bytes;
        self.written += 1;
        self.first = if self.first == 0 { frame.ordinal } else { self.first };
        self.last = frame.ordinal;
        Ok(())
    }

    fn begin(&self, target: &Target) -> Result<Pcapng<PendingFile>, Error> {
        let alert = self.alert;
        let technique = alert.technique.map(|technique| format!(", {technique}")).unwrap_or_default();
        let rest = match self.connections.rest() {
            Rest::None => String::new(),
            Rest::Followed => format!(" and in the rest of their TCP connections, up to {REACH_S} s before and after"),
            Rest::TooMany => format!("; the rest of their TCP connections, which are more than {MOST_CONNECTIONS}, is left out"),
        };
        let comment = format!(
            "nsm alert {} ({}{technique}): packets behind it, among frames {} to {} of {}{rest}; \
             at most {} packets and {} MiB are kept, the comment at the end of this file says whether there are more. {}",
            alert.id(),
            alert.kind,
            alert.frames.first,
            alert.frames.last,
            target.source,
            target.limits.max_packets,
            target.limits.max_mib,
            // The only part that may be long.
            alert.title,
        );
        let file = target.output.writer(&self.file_name())?;
        Pcapng::begin(file, &comment, &target.program, target.snaplen).map_err(|cause| self.failed(cause))
    }

    fn end(self) -> Result<Option<FileRecord>, Error> {
        let Self { matched, written, .. } = self;
        let comment = match self.capped {
            Capped::No => format!("all {matched} packets behind the alert"),
            Capped::Packets => format!("the first {written} of {matched} packets behind the alert; carve.max_packets kept the rest out"),
            Capped::Bytes => format!("the first {written} of {matched} packets behind the alert; carve.max_mib kept the rest out"),
        };
        let name = self.file_name();
        let Some(file) = self.file else { return Ok(None) };
        file.end(&comment).map_err(|cause| Error::Write { path: name.into(), cause })?.commit().map(Some)
    }

    fn file_name(&self) -> String {
        format!("carved/{}.pcapng", alert_name(self.rank, self.alert.kind))
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::Write { path: self.file_name().into(), cause }
    }
}
