//! Bytes read as a capture, with all that holds of any source checked on the way.

use std::io::{self, Cursor, Read};

use crate::capture::{Block, FileSource, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::warning::Warning;

/// What a source gave.
#[derive(Debug, PartialEq)]
pub struct Given {
    /// Without where they lie in a block, which is a matter of how it was read.
    pub frames: Vec<(FrameRef, Vec<u8>)>,
    pub warnings: Vec<Warning>,
    pub facts: SourceFacts,
}

/// So many bytes at a time.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

fn pieces(data: &[u8], most: usize) -> Box<Pieces> {
    Box::new(Pieces { bytes: Cursor::new(data.to_vec()), most })
}

/// What the bytes hold; nothing where they are no capture.
pub fn whole(data: &[u8]) -> Option<Given> {
    opened(FileSource::from_reader("capture".into(), pieces(data, usize::MAX)))
}

/// A plain capture is the same in small pieces, and as a stream that is still being written.
pub fn check_plain(data: &[u8]) {
    let want = whole(data);
    // Each piece of a stream is a block, which costs as much as one of a file.
    let (small_piece, block) = (1 + data.len() / 64 + data.len() % 61, 1 + data.len() / 8 + data.len() % 61);
    let small = FileSource::from_reader("capture".into(), pieces(data, small_piece));
    assert_eq!(opened(small), want, "in pieces");
    let live = FileSource::from_live_stream("capture".into(), pieces(data, block));
    assert_eq!(opened(live), want, "as it comes");
}

fn opened(source: Result<FileSource, Error>) -> Option<Given> {
    match source {
        Ok(mut source) => Some(drain(&mut source)),
        Err(Error::NotACapture { .. }) => None,
        // A compressed stream may be damaged in its first bytes.
        Err(Error::Read { offset: 0, .. }) => None,
        Err(error) => panic!("an error that is not about the format: {error}"),
    }
}

fn drain(source: &mut dyn Source) -> Given {
    let (mut block, mut frames) = (Block::default(), Vec::new());
    let (mut ordinal, mut tick, mut offset) = (0, i64::MIN, 0);
    while source.next_block(&mut block).unwrap() {
        for frame in &block.frames {
            let end = frame.start as usize + frame.caplen as usize;
            assert!(end <= block.bytes.len(), "the frame reaches beyond its block: {frame:?}");
            assert!(frame.origlen >= frame.caplen, "more was captured than was sent: {frame:?}");
            assert_eq!(frame.ordinal, ordinal + 1, "frames are numbered one by one");
            assert!(frame.tick >= tick, "elapsed time runs backwards: {frame:?}");
            assert!(frames.is_empty() || frame.offset > offset, "records lie one after the other: {frame:?}");
            (ordinal, tick, offset) = (frame.ordinal, frame.tick, frame.offset);
            frames.push((FrameRef { start: 0, ..*frame }, block.data(frame).to_vec()));
        }
    }
    Given { frames, warnings: source.warnings().to_vec(), facts: source.facts() }
}

/// It begins as a compressed stream does: gzip, zstd, lz4.
pub fn is_compressed(data: &[u8]) -> bool {
    let magics: [&[u8]; 3] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"];
    magics.iter().any(|magic| data.starts_with(magic))
}
