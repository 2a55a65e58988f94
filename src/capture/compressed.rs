//! Compressed input: gzip, zstd and LZ4 frames, told by their first bytes and decompressed as a
//! stream, members one after the other. Knows nothing of captures.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
}

impl Compression {
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // The second is a skippable frame, which parallel compressors put first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }

    pub fn decoder(self, input: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(input)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(input)?),
            Self::Lz4 => Box::new(Lz4::new(input)),
        })
    }
}

/// Goes on at the end of an LZ4 frame, where the decoder stops, and tells a complete input from one
/// that was cut between two blocks, which the decoder does not.
struct Lz4<R: BufRead> {
    decoder: FrameDecoder<Probed<R>>,
}

/// The input, and after its end what is offered to the decoder to learn its state.
struct Probed<R> {
    input: R,
    probe: &'static [u8],
}

impl<R: BufRead> Read for Probed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.probe.is_empty() { self.input.read(buffer) } else { self.probe.read(buffer) }
    }
}

impl<R: BufRead> Lz4<R> {
    fn new(input: R) -> Self {
        Self { decoder: FrameDecoder::new(Probed { input, probe: &[] }) }
    }

    /// Zeros are an end mark inside a frame and no magic number between frames.
    fn last_frame_is_closed(&mut self) -> bool {
        self.decoder.get_mut().probe = &[0; 7];
        let outcome = self.decoder.read(&mut [0]);
        self.decoder.get_mut().probe = &[];
        let cause = outcome.err().and_then(io::Error::into_inner).and_then(|e| e.downcast::<lz4_flex::frame::Error>().ok());
        matches!(cause.as_deref(), Some(lz4_flex::frame::Error::WrongMagicNumber))
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.decoder.get_mut().input.fill_buf()?.is_empty() {
                let closed = self.last_frame_is_closed();
                return if closed { Ok(0) } else { Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame does not end")) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lz4(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decompressed(input: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        let mut output = Vec::new();
        let decoder = Compression::of(&input).unwrap().decoder(io::Cursor::new(input));
        let outcome = decoder.unwrap().read_to_end(&mut output);
        (output, outcome)
    }

    #[test]
    fn members_one_after_the_other_are_one_stream() {
        let zstd = |data: &[u8]| zstd::encode_all(data, 1).unwrap();
        for pair in [[gzip(b"one "), gzip(b"two")], [zstd(b"one "), zstd(b"two")], [lz4(b"one "), lz4(b"two")]] {
            let (output, outcome) = decompressed(pair.concat());
            assert_eq!(output, b"one two");
            assert_eq!(outcome.unwrap(), 7);
        }
    }

    #[test]
    fn a_zstd_stream_may_begin_with_a_skippable_frame() {
        let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"size"].concat();
        let (output, outcome) = decompressed([skippable, zstd::encode_all(&b"data"[..], 1).unwrap()].concat());
        assert_eq!(output, b"data");
        assert!(outcome.is_ok());
    }

    #[test]
    fn a_cut_stream_is_never_taken_for_a_whole_one() {
        let data: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        for whole in [gzip(&data), zstd::encode_all(&data[..], 1).unwrap(), lz4(&data)] {
            // Inside the header of a stream there is nothing to decompress yet; the capture reader says so.
            for cut in (16..whole.len()).step_by(97).chain([whole.len() - 4, whole.len() - 1]) {
                let (output, outcome) = decompressed(whole[..cut].to_vec());
                assert!(outcome.is_err(), "cut at {cut} of {}", whole.len());
                assert!(data.starts_with(&output));
            }
        }
    }
}
