//! Captures made byte by byte for tests, after the specifications and not by the code under test.

use std::io::{Cursor, Read};

use super::{Block, FileSource, FrameRef, Source, SourceFacts};
use crate::error::Error;
use crate::warning::Warning;

/// Everything a source yields.
#[derive(Debug, PartialEq)]
pub struct Reading {
    pub frames: Vec<FrameRef>,
    pub data: Vec<Vec<u8>>,
    pub warnings: Vec<Warning>,
    pub facts: SourceFacts,
}

pub fn drain(source: &mut dyn Source) -> Result<Reading, Error> {
    let (mut frames, mut data, mut block) = (Vec::new(), Vec::new(), Block::default());
    while source.next_block(&mut block)? {
        for frame in &block.frames {
            assert!(frame.start as usize + frame.caplen as usize <= block.bytes.len());
            data.push(block.data(frame).to_vec());
            // Where a frame is in its block is no property of the capture.
            frames.push(FrameRef { start: 0, ..*frame });
        }
    }
    assert!(block.bytes.is_empty() && block.frames.is_empty());
    Ok(Reading { frames, data, warnings: source.warnings().to_vec(), facts: source.facts() })
}

pub fn source(reader: impl Read + Send + 'static) -> Result<FileSource, Error> {
    FileSource::from_reader("test".into(), Box::new(reader))
}

pub fn try_read(bytes: &[u8]) -> Result<Reading, Error> {
    drain(&mut source(Cursor::new(bytes.to_vec()))?)
}

pub fn read(bytes: &[u8]) -> Reading {
    try_read(bytes).unwrap()
}

/// A byte order to write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn u64(self, value: u64) -> [u8; 8] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A pcap file header, version 2.4, snapshot length 65 535, Ethernet.
    pub fn pcap_header(self, magic: u32) -> Vec<u8> {
        let words = [0, 0, 65_535, 1].map(|word| self.u32(word)).concat();
        [&self.u32(magic)[..], &self.u16(2), &self.u16(4), &words].concat()
    }

    /// A record header: seconds, fraction, captured and original length.
    pub fn record(self, fields: [u32; 4], data: &[u8]) -> Vec<u8> {
        [&fields.map(|field| self.u32(field)).concat()[..], data].concat()
    }

    /// A pcapng block around its body, padded.
    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let length = self.u32(u32::try_from(body.len() + padding.len() + 12).unwrap());
        [&self.u32(kind)[..], &length, body, &padding, &length].concat()
    }

    pub fn section(self) -> Vec<u8> {
        self.block(0x0a0d_0d0a, &[&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat())
    }

    pub fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
        [&self.u16(code)[..], &self.u16(u16::try_from(value.len()).unwrap()), value, &padding].concat()
    }

    pub fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &self.u16(0), &self.u32(snaplen), options].concat())
    }

    pub fn enhanced(self, interface: u32, time: u64, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        self.block(6, &[&self.u32(interface)[..], &self.time(time), &self.u32(length), &self.u32(length), data].concat())
    }

    pub fn time(self, time: u64) -> Vec<u8> {
        [self.u32(u32::try_from(time >> 32).unwrap()), self.u32(u32::try_from(time & 0xffff_ffff).unwrap())].concat()
    }
}

/// A pcap file in little endian with microseconds, a frame of `sizes` bytes every second from 1.
pub fn pcap_of(sizes: &[usize]) -> Vec<u8> {
    let mut file = Order::Little.pcap_header(0xa1b2_c3d4);
    for (second, size) in (1..).zip(sizes) {
        let length = u32::try_from(*size).unwrap();
        let data: Vec<u8> = (0..length).map(|at| u8::try_from((at * 31 + second) % 251).unwrap()).collect();
        file.extend(Order::Little.record([second, 0, length, length], &data));
    }
    file
}
