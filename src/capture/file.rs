//! Captures from files and streams, recognised by content: pcap, pcapng, plain or compressed.
//!
//! Owns the buffering: bytes are read into the block that is handed out, and records are found in
//! place; only the incomplete record at its end moves to the next block. The formats know record
//! layouts; this module knows none.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compressed::Compression;
use super::pcap::{FILE_HEADER, Pcap};
use super::pcapng::Pcapng;
use super::tally::Tally;
use super::walk::{Then, Walked};
use super::{Block, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::warning::Warning;

/// Bytes read for one block: some 350 to 27 000 frames. Small enough that what was just read is still in
/// the processor's cache when it is decoded, large enough that two workers have something to share: for
/// 3.1 GB of long records, 4 MiB took 1.1 times as long as 2 MiB, 512 KiB 1.2 times.
const BLOCK: usize = 2 << 20;
/// Compressed bytes buffered before the decoder.
const COMPRESSED_BUFFER: usize = 128 << 10;
/// Decompressed bytes asked for at once. What a decoder wrote before it met damage is lost with the
/// failed call, so that this bounds how much of a damaged stream is lost.
const DECOMPRESSED_PIECE: usize = 8 << 10;
/// Bytes looked at to recognise a format; tar has its magic at 257.
const HEAD: usize = 512;

/// A capture read from a file or stream.
pub struct FileSource {
    name: PathBuf,
    input: Input,
    compression: Option<Compression>,
    format: Format,
    tally: Tally,
    /// Bytes read and not yet taken: the beginning of a record.
    carry: Vec<u8>,
    /// Where `carry` begins in the (decompressed) input.
    offset: u64,
    /// Length of the record at `carry`, as far as known.
    needed: usize,
    /// What is carried was not looked at yet.
    has_news: bool,
    finished: bool,
    progress: Arc<AtomicU64>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Format {
    fn walk(&mut self, bytes: &[u8], base: u64, frames: &mut Vec<FrameRef>, tally: &mut Tally) -> Walked {
        match self {
            Self::Pcap(pcap) => pcap.walk(bytes, base, frames, tally),
            Self::Pcapng(pcapng) => pcapng.walk(bytes, base, frames, tally),
        }
    }
}

impl FileSource {
    /// # Errors
    /// When the file cannot be opened or read, or is no capture.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_counting(path, Arc::default())
    }

    /// The same; bytes read are added to a count that other files may share.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn open_counting(path: &Path, progress: Arc<AtomicU64>) -> Result<Self, Error> {
        let file = File::open(path).map_err(|cause| Error::Open { path: path.into(), cause })?;
        Self::read(path.into(), Box::new(file), progress, false)
    }

    /// A capture from any stream; `name` is for messages.
    ///
    /// # Errors
    /// When the stream cannot be read or is no capture.
    pub fn from_reader(name: PathBuf, reader: Box<dyn Read + Send>) -> Result<Self, Error> {
        Self::read(name, reader, Arc::default(), false)
    }

    /// The same for a stream that is still being written: every block holds what has come, however little.
    ///
    /// # Errors
    /// As [`FileSource::from_reader`].
    pub fn from_live_stream(name: PathBuf, reader: Box<dyn Read + Send>) -> Result<Self, Error> {
        Self::read(name, reader, Arc::default(), true)
    }

    fn read(name: PathBuf, reader: Box<dyn Read + Send>, progress: Arc<AtomicU64>, is_prompt: bool) -> Result<Self, Error> {
        let mut input = Input::new(Box::new(Counted { reader, count: Arc::clone(&progress) }), usize::MAX);
        input.is_prompt = is_prompt;
        let mut head = input.head();
        if head.is_empty()
            && let Some(cause) = input.failure.take()
        {
            return Err(Error::Read { path: name, offset: 0, cause });
        }
        let compression = Compression::of(&head);
        if let Some(compression) = compression {
            let stream = BufReader::with_capacity(COMPRESSED_BUFFER, Cursor::new(head).chain(input.reader));
            let decoder = compression.decoder(stream).map_err(|cause| Error::Read { path: name.clone(), offset: 0, cause })?;
            input = Input { is_prompt, ..Input::new(decoder, DECOMPRESSED_PIECE) };
            head = input.head();
        }
        let Some((format, header)) = recognise(&head) else {
            return Err(Error::NotACapture { path: name, found: describe(&head, compression, input.failure.as_ref()) });
        };
        let mut tally = Tally::default();
        tally.facts.compression = compression.map(Compression::name).map(Into::into);
        match &format {
            Format::Pcap(pcap) => pcap.declare(&mut tally),
            Format::Pcapng(_) => tally.facts.format = "pcapng".into(),
        }
        let carry = head.split_off(header);
        let offset = header as u64;
        Ok(Self { name, input, compression, format, tally, carry, offset, needed: 0, has_news: true, finished: false, progress })
    }

    /// [`Source::position`] for another thread, such as the one that draws a progress bar.
    #[must_use]
    pub fn progress_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Puts the carried bytes and those that follow into the block, a block's worth or what the next
    /// record needs. A length that is only claimed allocates nothing: the buffer at most doubles what
    /// was really read.
    fn fill(&mut self, bytes: &mut Vec<u8>) {
        let carried = self.carry.len();
        let size = self.needed.min(2 * carried).max(BLOCK);
        if bytes.len() > size {
            bytes.truncate(size);
            bytes.shrink_to(size);
        }
        // Old contents are overwritten; only what was never used is zeroed.
        bytes.resize(size, 0);
        let (old, fresh) = bytes.split_at_mut(carried);
        old.copy_from_slice(&self.carry);
        // Records may have come with the header: of a stream that waits, they come first.
        let has_news = std::mem::take(&mut self.has_news);
        let read = if has_news && self.input.is_prompt { 0 } else { self.input.fill(fresh) };
        bytes.truncate(carried + read);
    }

    /// Takes the whole records of the block and carries the rest over.
    fn take_records(&mut self, block: &mut Block) {
        let walked = self.format.walk(&block.bytes, self.offset, &mut block.frames, &mut self.tally);
        self.offset += walked.used as u64;
        self.carry.clear();
        self.carry.extend_from_slice(block.bytes.get(walked.used..).unwrap_or_default());
        match walked.then {
            Then::Incomplete { needed } => self.needed = needed,
            Then::Corrupt { problem } => {
                self.carry.clear();
                self.stop(Some(Warning::Corrupt { frame: self.tally.frames(), offset: self.offset, problem }));
            }
        }
    }

    fn stop(&mut self, warning: Option<Warning>) {
        self.finished = true;
        self.tally.warnings.extend(warning);
        self.tally.finish();
    }

    /// The input has ended and all whole records are taken: says what is wrong with its end.
    fn end(&mut self, block: &mut Block) -> Result<(), Error> {
        let (frame, offset, left) = (self.tally.frames(), self.offset, self.carry.len());
        let warning = match self.input.failure.take() {
            Some(cause) if self.compression.is_some() => {
                Some(Warning::CompressionDamaged { offset: offset + left as u64, problem: cause.to_string() })
            }
            Some(cause) if frame == 0 => return Err(Error::Read { path: self.name.clone(), offset, cause }),
            Some(cause) => Some(Warning::Corrupt { frame, offset, problem: format!("it cannot be read ({cause})") }),
            None if left == 0 => None,
            None => {
                if let Format::Pcap(pcap) = &self.format {
                    pcap.cut_record(block, block.bytes.len() - left, offset, &mut self.tally);
                }
                Some(Warning::Truncated { frame, offset, missing: (self.needed.saturating_sub(left)) as u64 })
            }
        };
        self.stop(warning);
        Ok(())
    }
}

impl Source for FileSource {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        // The bytes are overwritten, see `fill`.
        block.frames.clear();
        block.left_out = 0;
        while block.frames.is_empty() && !self.finished {
            self.fill(&mut block.bytes);
            self.take_records(block);
            if self.input.ended && !self.finished {
                self.end(block)?;
            }
        }
        if block.frames.is_empty() {
            block.clear();
        }
        Ok(!block.frames.is_empty())
    }

    fn warnings(&self) -> &[Warning] {
        &self.tally.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.tally.facts()
    }

    fn position(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }
}

/// A reader, and how it ended.
struct Input {
    reader: Box<dyn Read + Send>,
    /// The most to ask for at once.
    piece: usize,
    /// What has come is handed out, without waiting for more.
    is_prompt: bool,
    ended: bool,
    failure: Option<io::Error>,
}

impl Input {
    fn new(reader: Box<dyn Read + Send>, piece: usize) -> Self {
        Self { reader, piece, is_prompt: false, ended: false, failure: None }
    }

    /// Fills the buffer, unless the input ends before. An error ends it; what came before it counts.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() && !self.ended {
            let end = buffer.len().min(filled.saturating_add(self.piece));
            match self.reader.read(&mut buffer[filled..end]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    filled += read;
                    if self.is_prompt {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.ended = true;
                    self.failure = Some(e);
                }
            }
        }
        filled
    }

    /// As much of the beginning as it takes to know what it is.
    fn head(&mut self) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        let mut read = 0;
        while read < HEAD && !self.ended && (read == 0 || recognise(&head[..read]).is_none()) {
            read += self.fill(&mut head[read..]);
        }
        head.truncate(read);
        head
    }
}

/// Counts the bytes that pass.
struct Counted {
    reader: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The format of an input that begins so, and the length of the header before the first record.
fn recognise(head: &[u8]) -> Option<(Format, usize)> {
    if Pcapng::recognises(head) {
        return Some((Format::Pcapng(Pcapng::default()), 0));
    }
    Pcap::new(head).map(|pcap| (Format::Pcap(pcap), FILE_HEADER))
}

/// What an input that is no capture looks like, as a clause that ends an error message.
fn describe(head: &[u8], compression: Option<Compression>, failure: Option<&io::Error>) -> String {
    let Some(compression) = compression else {
        return match looks_like(head) {
            _ if head.is_empty() => "the file is empty".into(),
            Some(kind) => format!("it looks like {kind}"),
            None => format!("it begins with the bytes {}", hex(head)),
        };
    };
    let name = compression.name();
    match (looks_like(head), failure) {
        (_, Some(cause)) if head.is_empty() => format!("it begins as {name} does, but nothing can be decompressed ({cause})"),
        _ if head.is_empty() => format!("it is compressed with {name} and holds nothing"),
        (Some(kind), _) => format!("it is compressed with {name} and holds {kind}"),
        (None, _) => format!("it is compressed with {name} and holds something that begins with the bytes {}", hex(head)),
    }
}

/// Files people take for captures.
fn looks_like(head: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ\0", "xz-compressed data"),
        (b"BZh", "bzip2-compressed data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive"),
        (b"snoop\0", "a snoop capture"),
        (b"GMBU", "a Microsoft Network Monitor capture"),
        (b"PAR1", "a Parquet file"),
        (b"\x7fELF", "a program"),
        (b"\x1f\x8b", "more gzip data"),
    ];
    if Pcap::has_magic(head) {
        return Some("a pcap file that ends inside its file header");
    }
    if Pcapng::has_magic(head) {
        return Some("a pcapng file that ends inside its section header, or has a damaged one");
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    if let Some((_, kind)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(kind);
    }
    let is_text = !head.is_empty() && head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    is_text.then_some("a text file")
}

fn hex(head: &[u8]) -> String {
    head.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::fixtures::{Order, drain, pcap_of, read, source, try_read};
    use super::*;

    fn small_pcapng() -> Vec<u8> {
        let order = Order::Little;
        let packets = [1, 2, 3].map(|second| order.enhanced(0, second * 1_000_000, b"packet")).concat();
        [order.section(), order.interface(1, 0, &order.option(9, &[6])), packets].concat()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(data: &[u8]) -> Vec<u8> {
        let small_blocks = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(small_blocks, Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        match try_read(bytes) {
            Err(Error::NotACapture { found, .. }) => found,
            other => format!("not refused: {other:?}"),
        }
    }

    /// Gives a few bytes at a time, and fails where told to.
    struct Trickle {
        bytes: Vec<u8>,
        at: usize,
        step: usize,
        fails: bool,
    }

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = (&self.bytes[self.at..]).take(self.step as u64).read(buffer)?;
            self.at += read;
            if read == 0 && self.fails { Err(io::Error::other("cable pulled")) } else { Ok(read) }
        }
    }

    #[test]
    fn a_file_of_no_packets_is_a_capture_of_none() {
        let got = read(&pcap_of(&[]));
        assert_eq!((got.frames.len(), got.warnings.len()), (0, 0));
    }

    #[test]
    fn what_is_no_capture_is_refused_with_what_it_is() {
        let mut tar = vec![0; 1_024];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(refused(b""), "the file is empty");
        assert_eq!(refused(b"\x01\x02\x03\x04\x05"), "it begins with the bytes 01 02 03 04");
        assert_eq!(refused(b"\x01"), "it begins with the bytes 01");
        assert_eq!(refused(b"date,packets\n2023,5\n"), "it looks like a text file");
        assert_eq!(refused(b"PK\x03\x04rest"), "it looks like a zip archive");
        assert_eq!(refused(&gzip(&tar)), "it is compressed with gzip and holds a tar archive");
        assert_eq!(refused(&gzip(b"")), "it is compressed with gzip and holds nothing");
        assert_eq!(refused(&pcap_of(&[])[..23]), "it looks like a pcap file that ends inside its file header");
        assert!(refused(b"\x1f\x8bnot really").starts_with("it begins as gzip does, but nothing can be decompressed"));
        assert!(refused(b"\x28\xb5\x2f\xfdnot really").starts_with("it begins as zstd does, but nothing can be decompressed"));
        assert!(refused(b"\x04\x22\x4d\x18not really").starts_with("it begins as lz4 does, but nothing can be decompressed"));
    }

    #[test]
    fn a_missing_file_and_a_directory_are_errors() {
        assert!(matches!(FileSource::open(Path::new("no/such/capture")), Err(Error::Open { .. })));
        assert!(FileSource::open(Path::new("/")).is_err());
    }

    #[test]
    fn a_pcap_cut_anywhere_keeps_what_was_captured() {
        let whole = pcap_of(&[10, 20, 30]);
        // The header, then records of 26, 36 and 46 bytes.
        let ends = [24, 50, 86, 132];
        for cut in 24..=whole.len() {
            let got = read(&whole[..cut]);
            let kept = ends[1..].iter().filter(|end| **end <= cut).count();
            let start = ends[kept];
            // A record of which at least one byte was captured is a frame, shorter than it was.
            let cut_frame = usize::from(cut > start + 16);
            assert_eq!(got.frames.len(), kept + cut_frame, "cut at {cut}");
            if cut_frame == 1 {
                assert_eq!(got.frames[kept].caplen as usize, cut - start - 16);
            }
            let want = if cut == start {
                vec![]
            } else {
                // As long as the record header is not whole, only the header is known to be missing.
                let record = if cut < start + 16 { 16 } else { ends[kept + 1] - start };
                vec![Warning::Truncated { frame: kept as u64, offset: start as u64, missing: (start + record - cut) as u64 }]
            };
            assert_eq!(got.warnings, want, "cut at {cut}");
        }
    }

    #[test]
    fn a_pcapng_cut_anywhere_keeps_every_frame_before_the_cut() {
        let whole = small_pcapng();
        // Section 28, interface 28, packets of 32 + 8 bytes.
        let ends = [28, 56, 96, 136, 176];
        assert_eq!(whole.len(), 176);
        for cut in 0..=whole.len() {
            let Ok(got) = try_read(&whole[..cut]) else {
                assert!(cut < 12, "a section header with byte order is enough, {cut}");
                continue;
            };
            assert_eq!(got.frames.len(), ends[2..].iter().filter(|end| **end <= cut).count(), "cut at {cut}");
            assert_eq!(got.warnings.is_empty(), ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn no_damaged_byte_makes_it_panic() {
        for whole in [pcap_of(&[10, 20, 30]), small_pcapng()] {
            for (at, value) in (0..whole.len()).flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|value| (at, value))) {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(got) = try_read(&damaged) {
                    assert!(got.frames.len() <= 9);
                }
            }
        }
    }

    #[test]
    fn compressed_captures_read_like_plain_ones() {
        let plain = pcap_of(&vec![60; 30_000]);
        let want = read(&plain);
        for (name, packed) in [("gzip", gzip(&plain)), ("zstd", zstd::encode_all(&plain[..], 1).unwrap()), ("lz4", lz4(&plain))] {
            let got = read(&packed);
            assert_eq!(got.facts.compression.as_deref(), Some(name));
            assert_eq!((got.frames, got.data, got.warnings), (want.frames.clone(), want.data.clone(), vec![]), "{name}");
        }
    }

    #[test]
    fn a_damaged_compressed_stream_keeps_what_was_before() {
        let plain = pcap_of(&vec![700; 3_000]);
        for packed in [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap(), lz4(&plain)] {
            let got = read(&packed[..packed.len() - packed.len() / 10]);
            assert!(!got.frames.is_empty() && got.frames.len() < 3_000);
            assert!(matches!(got.warnings[..], [Warning::CompressionDamaged { .. }]), "{:?}", got.warnings);
        }
    }

    #[test]
    fn records_across_blocks_and_slow_readers_change_nothing() {
        // The frames of 1 MB end where no block does; the last two are longer than a block.
        let sizes = [vec![1_514; 2_000], vec![0, 1, 3_000_000, 5, 2_500_000]].concat();
        let whole = pcap_of(&sizes);
        let got = read(&whole);
        assert_eq!(got.data.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        let mut at = 24;
        for (frame, data) in got.frames.iter().zip(&got.data) {
            assert_eq!(frame.offset, at as u64);
            assert_eq!(data[..], whole[at + 16..at + 16 + data.len()]);
            at += 16 + data.len();
        }
        for step in [7, 4_096, 65_537] {
            let trickle = Trickle { bytes: whole.clone(), at: 0, step, fails: false };
            assert!(drain(&mut source(trickle).unwrap()).unwrap() == got, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_block_buffer_does_not_stay_large_after_one_large_record() {
        let mut source = source(Cursor::new(pcap_of(&[vec![20_000_000], vec![1_000; 3_000]].concat()))).unwrap();
        let mut block = Block::default();
        while source.next_block(&mut block).unwrap() {}
        assert!(block.bytes.capacity() <= 2 * BLOCK);
    }

    #[test]
    fn a_reader_that_fails_ends_the_capture_and_not_the_analysis() {
        let whole = pcap_of(&[10, 20, 30]);
        let failing = |bytes: &[u8]| source(Trickle { bytes: bytes.to_vec(), at: 0, step: 64, fails: true });
        let got = drain(&mut failing(&whole[..100]).unwrap()).unwrap();
        assert_eq!(got.frames.len(), 2);
        assert_eq!(got.warnings, [Warning::Corrupt { frame: 2, offset: 86, problem: "it cannot be read (cable pulled)".into() }]);
        assert!(matches!(drain(&mut failing(&whole[..24]).unwrap()), Err(Error::Read { offset: 24, .. })));
        assert!(matches!(failing(b""), Err(Error::Read { offset: 0, .. })));
    }

    #[test]
    fn progress_counts_compressed_bytes_and_is_seen_from_outside() {
        let packed = gzip(&pcap_of(&vec![60; 5_000]));
        let mut source = source(Cursor::new(packed.clone())).unwrap();
        let counter = source.progress_counter();
        drain(&mut source).unwrap();
        assert_eq!((source.position(), counter.load(Ordering::Relaxed)), (packed.len() as u64, packed.len() as u64));
    }
}
