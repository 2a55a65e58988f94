//! Several captures read as one: rotated files are one timeline.
//!
//! The files come in the order of their first packets, one after another. Frames are numbered through, and
//! elapsed time goes on from file to file, so that a connection or an attack across two files is one. Frames
//! of files that were captured side by side are not interleaved; that is a warning.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::clock::{BACK, FORWARD};
use super::{Block, FileSource, Source, SourceFacts};
use crate::error::Error;
use crate::time::{LATEST, Nanos};
use crate::warning::Warning;

/// The captures of a chain, in its order, while it is read.
pub struct Chain {
    waiting: std::vec::IntoIter<PathBuf>,
    open: Option<Open>,
    /// Frames of the files before, and where elapsed and packet time stood at their end.
    frames: u64,
    /// Bytes of all files that were read.
    progress: Arc<AtomicU64>,
    end: Option<End>,
    facts: SourceFacts,
    warnings: Vec<Warning>,
}

/// One of the files: which frames of the whole are its.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPart {
    pub file: String,
    /// Number of its first frame in the whole.
    pub first_frame: u64,
    pub frames: u64,
}

struct Open {
    path: PathBuf,
    source: FileSource,
    frames: u64,
    /// What elapsed time in the file must be moved by to follow on, once a frame was seen.
    shift: Option<i128>,
}

#[derive(Clone, Copy)]
struct End {
    tick: Nanos,
    latest: Nanos,
}

impl Chain {
    /// Puts captures into the order of their first packets. What cannot be read is left out, and said in the
    /// warnings.
    ///
    /// # Errors
    /// When none of them can be read.
    pub fn new(paths: &[PathBuf]) -> Result<Self, Error> {
        let (mut dated, mut others, mut warnings) = (Vec::new(), 0, Vec::new());
        let mut failure = None;
        for path in paths {
            match first_packet(path) {
                Ok(first) => dated.push((first, path.clone())),
                Err(Error::NotACapture { .. }) => others += 1,
                Err(error) => {
                    warnings.push(Warning::Unreadable { file: shown(path), problem: error.to_string() });
                    failure = Some(error);
                }
            }
        }
        if dated.is_empty() {
            let found = "none of the files is a capture".to_owned();
            return Err(failure.unwrap_or_else(|| Error::NotACapture { path: paths.first().cloned().unwrap_or_default(), found }));
        }
        if others > 0 {
            warnings.push(Warning::NoCaptures { files: others });
        }
        dated.sort();
        let waiting = dated.into_iter().map(|(_, path)| path).collect::<Vec<_>>().into_iter();
        Ok(Self { waiting, open: None, frames: 0, progress: Arc::default(), end: None, facts: SourceFacts::default(), warnings })
    }

    /// [`Source::position`] for another thread, such as the one that draws a progress bar.
    #[must_use]
    pub fn progress_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Numbers and moves the frames of the open file.
    fn take(&mut self, block: &mut Block) {
        let Some(open) = &mut self.open else { return };
        let mut end = self.end;
        for frame in &mut block.frames {
            let shift = *open.shift.get_or_insert_with(|| {
                let follows = follow(end, frame.ts);
                if end.is_some_and(|end| frame.ts < end.latest.saturating_sub(BACK)) {
                    self.warnings.push(Warning::Overlap { file: shown(&open.path) });
                }
                i128::from(follows) - i128::from(frame.tick)
            });
            frame.tick = Nanos::try_from(i128::from(frame.tick) + shift).unwrap_or(LATEST).min(LATEST);
            frame.ordinal += self.frames;
            let latest = end.map_or(frame.ts, |end: End| end.latest.max(frame.ts));
            end = Some(End { tick: frame.tick, latest });
        }
        open.frames += block.frames.len() as u64;
        self.end = end;
    }

    /// The open file has ended, or cannot be read further.
    fn close(&mut self) {
        let Some(Open { path, source, frames, .. }) = self.open.take() else { return };
        let file = shown(&path);
        self.warnings
            .extend(source.warnings().iter().map(|warning| Warning::In { file: file.clone(), warning: Box::new(warning.clone()) }));
        self.facts = joined(std::mem::take(&mut self.facts), source.facts());
        self.facts.parts.push(ChainPart { file, first_frame: self.frames + 1, frames });
        self.frames += frames;
    }

    fn open_next(&mut self) -> bool {
        for path in self.waiting.by_ref() {
            match FileSource::open_counting(&path, Arc::clone(&self.progress)) {
                Ok(source) => {
                    self.open = Some(Open { path, source, frames: 0, shift: None });
                    return true;
                }
                // It was there a moment ago.
                Err(error) => self.warnings.push(Warning::Unreadable { file: shown(&path), problem: error.to_string() }),
            }
        }
        false
    }
}

impl Source for Chain {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        loop {
            if self.open.is_none() && !self.open_next() {
                block.clear();
                return Ok(false);
            }
            let read = self.open.as_mut().map_or(Ok(false), |open| open.source.next_block(block));
            match read {
                Ok(true) => {
                    self.take(block);
                    return Ok(true);
                }
                Ok(false) => self.close(),
                Err(error) => {
                    let file = self.open.as_ref().map_or_else(String::new, |open| shown(&open.path));
                    self.warnings.push(Warning::Unreadable { file, problem: error.to_string() });
                    self.close();
                }
            }
        }
    }

    /// What is known of the file that is open belongs to the whole.
    fn end(&mut self) {
        self.close();
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.facts.clone()
    }

    fn position(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }
}

/// Time of the first packet; none of a capture without packets, which comes first.
fn first_packet(path: &Path) -> Result<Option<Nanos>, Error> {
    let mut source = FileSource::open(path)?;
    let mut block = Block::default();
    source.next_block(&mut block)?;
    Ok(block.frames.first().map(|frame| frame.ts))
}

/// Elapsed time of a file's first frame: the pause since the last packet has passed, and an hour of it at most
/// (as in [`super::Clock`]).
fn follow(end: Option<End>, first: Nanos) -> Nanos {
    end.map_or(0, |End { tick, latest }| tick.saturating_add(first.saturating_sub(latest).clamp(0, FORWARD)))
}

/// What is said of all files together.
fn joined(mut all: SourceFacts, one: SourceFacts) -> SourceFacts {
    let either = |all: Cow<'static, str>, one: Cow<'static, str>| if all.is_empty() || all == one { one } else { "mixed".into() };
    all.format = either(all.format, one.format);
    all.compression = match (all.compression, one.compression) {
        (None, one) => one,
        (all, None) => all,
        (Some(all), Some(one)) => Some(either(all, one)),
    };
    for link in one.link_types {
        if !all.link_types.contains(&link) {
            all.link_types.push(link);
        }
    }
    all.snaplen = all.snaplen_with(one.interfaces, one.snaplen);
    all.interfaces = all.interfaces.max(one.interfaces);
    all.names.extend(one.names);
    all.names.sort();
    all.names.dedup();
    all.clock_jumps += one.clock_jumps;
    all.dropped += one.dropped;
    all
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::time::SECOND;

    /// A pcap file with empty Ethernet frames at these seconds.
    fn capture(seconds: &[u32]) -> Vec<u8> {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        for second in seconds {
            for number in [*second, 0, 14, 14] {
                file.extend(number.to_le_bytes());
            }
            file.extend([0; 14]);
        }
        file
    }

    /// Frame number, packet second and elapsed second of every frame of a chain of such files.
    fn read(files: &[(&str, Vec<u8>)]) -> (Vec<(u64, i64, i64)>, Chain) {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
        for (path, (_, bytes)) in paths.iter().zip(files) {
            fs::write(path, bytes).unwrap();
        }
        let mut chain = Chain::new(&paths).unwrap();
        let (mut block, mut frames) = (Block::default(), Vec::new());
        while chain.next_block(&mut block).unwrap() {
            frames.extend(block.frames.iter().map(|frame| (frame.ordinal, frame.ts / SECOND, frame.tick / SECOND)));
        }
        (frames, chain)
    }

    #[test]
    fn files_come_by_their_first_packet_and_are_numbered_through() {
        let (frames, chain) = read(&[("a", capture(&[110, 120])), ("b", capture(&[100, 101]))]);
        assert_eq!(frames, [(1, 100, 0), (2, 101, 1), (3, 110, 10), (4, 120, 20)]);
        let parts = chain.facts().parts;
        assert_eq!(parts.iter().map(|part| (part.first_frame, part.frames)).collect::<Vec<_>>(), [(1, 2), (3, 2)]);
        assert!(parts[0].file.ends_with('b') && chain.warnings().is_empty());
    }

    #[test]
    fn a_long_pause_between_files_is_an_hour_of_elapsed_time() {
        let (frames, _) = read(&[("a", capture(&[0])), ("b", capture(&[90_000, 90_001]))]);
        assert_eq!(frames, [(1, 0, 0), (2, 90_000, 3_600), (3, 90_001, 3_601)]);
    }

    #[test]
    fn files_side_by_side_are_read_one_after_the_other_and_warned_of() {
        let (frames, chain) = read(&[("a", capture(&[10, 20])), ("b", capture(&[11, 21]))]);
        assert_eq!(frames, [(1, 10, 0), (2, 20, 10), (3, 11, 10), (4, 21, 20)]);
        assert!(matches!(chain.warnings(), [Warning::Overlap { file }] if file.ends_with('b')));
    }

    #[test]
    fn what_is_known_of_a_file_that_was_not_read_to_its_end_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, capture(&[1, 2])).unwrap();
        let mut chain = Chain::new(&[path]).unwrap();
        assert!(chain.next_block(&mut Block::default()).unwrap());
        chain.end();
        let facts = chain.facts();
        assert_eq!((facts.format.as_ref(), facts.link_types, facts.parts[0].frames), ("pcap", vec![1], 2));
    }

    #[test]
    fn a_file_without_a_snapshot_length_leaves_the_chain_without_one() {
        let of = |lengths: [u32; 2]| {
            let mut files = [capture(&[1]), capture(&[2])];
            for (file, snaplen) in files.iter_mut().zip(lengths) {
                // Bytes 16 to 19 of the file header.
                file[16..20].copy_from_slice(&snaplen.to_le_bytes());
            }
            let [a, b] = files;
            read(&[("a", a), ("b", b)]).1.facts().snaplen
        };
        assert_eq!([of([96, 128]), of([128, 96]), of([96, 0]), of([0, 96]), of([0, 0])], [128, 128, 0, 0, 0]);
    }

    #[test]
    fn damage_and_what_is_no_capture_stop_nothing() {
        let mut cut = capture(&[1, 2]);
        cut.truncate(cut.len() - 3);
        let (frames, chain) = read(&[("a", cut), ("notes.txt", b"nothing".to_vec()), ("c", capture(&[3]))]);
        assert_eq!(frames.len(), 3);
        assert!(
            matches!(chain.warnings(), [Warning::NoCaptures { files: 1 }, Warning::In { file, warning }] if file.ends_with('a') && warning.is_damage())
        );
        let missing = [PathBuf::from("/nonexistent/x.pcap")];
        assert!(matches!(Chain::new(&missing), Err(Error::Open { .. })));
    }
}
