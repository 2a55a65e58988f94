//! Cuts what the fuzz targets begin with out of captures: `cargo run --release --example fuzz-seeds -- fuzz/corpus CAPTURE...`.
//! `fuzz/seed.sh` gives it the captures there are.
//!
//! Readers begin with captures or their beginnings, `decode` with frames, `app` and `datagram` with what was said on
//! connections, written as `fuzz/src/turns.rs` reads it. Few of each kind: the fuzzer makes more of them.

#![allow(clippy::print_stderr, reason = "a program of one screen of code, which speaks to who runs it")]

#[path = "../fuzz/src/links.rs"]
mod links;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use links::LINKS;
use network_security_monitor::capture::{Block, FileSource, Source};
use network_security_monitor::decode::app::{self, Datagram, End, Identified, Moment, Service};
use network_security_monitor::decode::{self, Kind, Packet, PacketBatch};
use network_security_monitor::net::Mac;

/// Captures up to here are taken whole, of others their beginning.
const WHOLE: usize = 64 << 10;
const BEGINNING: usize = 24 << 10;
/// Of frames with the same layers.
const FRAMES_ALIKE: usize = 3;
const LONGEST_FRAME: usize = 1_600;
/// Of one protocol, and of one protocol in one capture.
const TALKS: usize = 60;
const TALKS_OF_CAPTURE: usize = 5;
const LONGEST_TALK: usize = 6 << 10;
/// The most that the head of a turn can say.
const LONGEST_TURN: usize = (1 << 13) - 1;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let Some(directory) = arguments.next() else {
        eprintln!("usage: fuzz-seeds DIRECTORY CAPTURE...");
        return ExitCode::from(2);
    };
    let mut seeds = Seeds { directory, written: BTreeMap::new(), alike: HashMap::new(), talks: HashMap::new() };
    for capture in arguments {
        if let Err(problem) = seeds.take(&capture) {
            eprintln!("fuzz-seeds: {}: {problem}", capture.display());
        }
    }
    for (target, seeds) in &seeds.written {
        eprintln!("{target}: {seeds} seeds");
    }
    ExitCode::SUCCESS
}

struct Seeds {
    directory: PathBuf,
    /// By target.
    written: BTreeMap<String, usize>,
    /// Frames by what is in them.
    alike: HashMap<String, usize>,
    talks: HashMap<String, usize>,
}

/// What was said on one connection.
#[derive(Default)]
struct Talk {
    client: Option<(network_security_monitor::net::Addr, u16)>,
    turns: Vec<u8>,
    /// The first bytes of the two ends.
    opening: [Vec<u8>; 2],
}

impl Seeds {
    fn take(&mut self, capture: &Path) -> Result<()> {
        let bytes = fs::read(capture)?;
        let mut source = FileSource::open(capture)?;
        self.readers(&bytes)?;
        let (mut block, mut talks, mut datagrams) = (Block::default(), BTreeMap::new(), 0);
        while source.next_block(&mut block)? {
            for place in 0..block.frames.len() {
                let mut batch = PacketBatch::default();
                decode::decode(&block, place..place + 1, &mut batch);
                self.frame(&block, place, &batch)?;
                for packet in &batch.packets {
                    match packet.kind {
                        Kind::Tcp => listen(&block, packet, &mut talks),
                        Kind::Udp if datagrams < 2_000 => {
                            datagrams += 1;
                            self.datagram(&block, packet)?;
                        }
                        _ => {}
                    }
                }
            }
        }
        self.talks(talks.into_values())
    }

    fn write(&mut self, target: &str, bytes: &[u8]) -> Result<()> {
        let number = self.written.entry(target.to_owned()).or_default();
        *number += 1;
        let directory = self.directory.join(target);
        fs::create_dir_all(&directory)?;
        Ok(fs::write(directory.join(format!("seed-{number}")), bytes)?)
    }

    fn readers(&mut self, bytes: &[u8]) -> Result<()> {
        let target = match bytes {
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => "pcapng",
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x04, 0x22, 0x4d, 0x18, ..] => "compressed",
            _ => "pcap",
        };
        let taken = if bytes.len() <= WHOLE { bytes } else { &bytes[..BEGINNING] };
        self.write(target, taken)?;
        self.write("analyze", taken)?;
        if target != "compressed" && self.written.get("compressed").is_none_or(|written| *written < 30) {
            for packed in packed(&bytes[..bytes.len().min(2_000)])? {
                self.write("compressed", &packed)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, block: &Block, place: usize, batch: &PacketBatch) -> Result<()> {
        let frame = &block.frames[place];
        let Some(link) = LINKS.iter().zip(0_u8..).find_map(|(link, number)| (*link == frame.link).then_some(number)) else {
            return Ok(());
        };
        let layers: Vec<_> = batch.layers.iter().map(|(layer, _)| layer.name()).collect();
        let flags = batch.packets.first().map(|packet| packet.kind);
        let alike = self.alike.entry(format!("{link} {layers:?} {flags:?} {:?}", batch.accounting.reasons)).or_default();
        *alike += 1;
        if *alike > FRAMES_ALIKE {
            return Ok(());
        }
        let data = block.data(frame);
        let longer = u8::try_from(frame.origlen - frame.caplen).unwrap_or(u8::MAX);
        self.write("decode", &[&[link, longer], &data[..data.len().min(LONGEST_FRAME)]].concat())
    }

    fn datagram(&mut self, block: &Block, packet: &Packet) -> Result<()> {
        let bytes = payload(block, packet);
        let datagram = Datagram {
            from: End::Client,
            bytes,
            length: packet.payload_len,
            src: packet.src,
            src_port: packet.sport,
            dst: packet.dst,
            dst_port: packet.dport,
            vlan: 0,
            frame_src: Mac::default(),
            at: Moment::default(),
        };
        let Identified::As(service) = app::datagram(Service::Unknown, &datagram, &mut Vec::new()) else { return Ok(()) };
        if !self.has_room(&format!("udp {}", service.name()), TALKS) {
            return Ok(());
        }
        let mut turns = vec![0];
        put(&mut turns, End::Client, bytes);
        self.write("datagram", &turns)
    }

    fn talks(&mut self, talks: impl Iterator<Item = Talk>) -> Result<()> {
        let mut of_capture: HashMap<&str, usize> = HashMap::new();
        for talk in talks {
            let Identified::As(service) = app::identify(&talk.opening[0], &talk.opening[1]) else { continue };
            let taken = of_capture.entry(service.name()).or_default();
            if app::dialogue(service).is_some() && *taken < TALKS_OF_CAPTURE && self.has_room(service.name(), TALKS) {
                *taken += 1;
                let spoken: Vec<_> = Service::ALL.into_iter().filter(|service| app::dialogue(*service).is_some()).collect();
                let number = spoken.iter().zip(0_u8..).find_map(|(known, number)| (*known == service).then_some(number));
                let seed = [&[number.unwrap_or_default()], &talk.turns[..]].concat();
                self.write(&format!("app-{}", service.name()), &seed)?;
            }
        }
        Ok(())
    }

    fn has_room(&mut self, kind: &str, room: usize) -> bool {
        let taken = self.talks.entry(kind.to_owned()).or_default();
        *taken += 1;
        *taken <= room
    }
}

fn payload<'a>(block: &'a Block, packet: &Packet) -> &'a [u8] {
    let start = packet.payload_start as usize;
    block.bytes.get(start..start + packet.payload_caplen as usize).unwrap_or_default()
}

/// Adds what a packet says to its connection; who sent the first packet is the client.
fn listen(block: &Block, packet: &Packet, talks: &mut BTreeMap<Pair, Talk>) {
    let (one, other) = ((packet.src, packet.sport), (packet.dst, packet.dport));
    let talk = talks.entry(Pair(one.min(other), one.max(other))).or_default();
    let from = if *talk.client.get_or_insert(one) == one { End::Client } else { End::Server };
    let bytes = payload(block, packet);
    if bytes.is_empty() || talk.turns.len() + bytes.len() > LONGEST_TALK {
        return;
    }
    put(&mut talk.turns, from, bytes);
    talk.opening[from as usize].extend_from_slice(bytes);
}

type Place = (network_security_monitor::net::Addr, u16);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair(Place, Place);

fn put(turns: &mut Vec<u8>, from: End, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST_TURN)];
    let [.., high, low] = bytes.len().to_be_bytes();
    turns.extend([high << 3 | from as u8, low]);
    turns.extend_from_slice(bytes);
}

fn packed(bytes: &[u8]) -> Result<[Vec<u8>; 3]> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes)?;
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(bytes)?;
    Ok([gzip.finish()?, zstd::encode_all(bytes, 1)?, lz4.finish()?])
}
