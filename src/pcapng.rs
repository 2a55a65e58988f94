//! Writing pcapng: one section, its interfaces as their first packets come, packets with a comment each.
//!
//! After draft-ietf-opsawg-pcapng: section header (4.1), interface description (4.2), enhanced packet
//! (4.3), interface statistics (4.6). Little endian, nanoseconds. Knows no alerts and no file names. Every block is
//! handed to the writer whole.

use std::io::{self, Write};

use crate::capture::FrameRef;
use crate::report::visible;
use crate::time::{Nanos, SECOND};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const VERSION: [u16; 2] = [1, 0];
/// The length of the section is left open.
const UNKNOWN_LENGTH: u64 = u64::MAX;

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_FILTER: u16 = 11;
const IF_TSOFFSET: u16 = 14;
const NANOSECONDS: u8 = 9;
/// The filter is written as libpcap reads it.
const FILTER_TEXT: char = '\0';

const ISB_STARTTIME: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
const ISB_USRDELIV: u16 = 8;

/// Type, length, length again.
const FRAMING: usize = 12;
/// Code and length of an option.
const OPTION: usize = 4;
/// The fixed fields of an enhanced packet block.
const PACKET_FIELDS: usize = 20;
/// A text longer than this is cut: an option holds less than 64 KiB, and nobody reads more.
const TEXT: usize = 4_096;
/// Zero of the clock of packets before 1970, in seconds: times in the file are never negative. Earlier
/// than the earliest packet time there is.
const BEFORE_1970: i64 = -5_000_000_000;

/// What the packets of one interface description have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interface {
    number: u16,
    link: u16,
    /// Its clock begins at [`BEFORE_1970`].
    early: bool,
    /// Its packets are longer than the snapshot length, so that it states none.
    beyond: bool,
}

/// Where packets come from that were just captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub interface: String,
    /// The filter that let them pass, in the language of libpcap.
    pub filter: Option<String>,
}

/// What is known of a capture once it has ended: packets, since the file began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Times of the first and the last packet.
    pub first: Nanos,
    pub last: Nanos,
    /// Received by the interface.
    pub received: u64,
    /// Lost by the interface, and behind it.
    pub if_dropped: u64,
    pub os_dropped: u64,
    /// In the file.
    pub written: u64,
}

#[derive(Debug)]
pub struct Pcapng<W> {
    out: W,
    /// Snapshot length that the interfaces state, where their packets keep to it; 0 means none.
    snaplen: u32,
    origin: Option<Origin>,
    interfaces: Vec<Interface>,
    latest: Nanos,
    block: Vec<u8>,
}

impl<W: Write> Pcapng<W> {
    /// Begins the file with what is to be said of all of it.
    pub fn begin(out: W, comment: &str, program: &str, snaplen: u32) -> io::Result<Self> {
        let mut file = Self { out, snaplen, origin: None, interfaces: Vec::new(), latest: 0, block: Vec::new() };
        file.open(SECTION_HEADER);
        file.u32(BYTE_ORDER);
        VERSION.into_iter().for_each(|part| file.u16(part));
        file.bytes(&UNKNOWN_LENGTH.to_le_bytes());
        file.text(SHB_USERAPPL, program);
        file.text(OPT_COMMENT, comment);
        file.end_of_options();
        file.close()?;
        Ok(file)
    }

    /// Names the interface that all packets come from.
    #[must_use]
    pub fn from_interface(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// What was written to.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Interfaces described so far.
    pub const fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Only so many descriptions of interfaces are in the file after all: others are written again before the next
    /// packet of theirs.
    pub fn forget_interfaces(&mut self, kept: usize) {
        self.interfaces.truncate(kept);
    }

    /// How long the file grows by a packet, interface descriptions apart.
    pub fn cost(data: &[u8], comment: &str) -> u64 {
        let option = if comment.is_empty() { 0 } else { OPTION + comment.len().min(TEXT).next_multiple_of(4) };
        // The end of the options is as long as the head of one.
        (FRAMING + PACKET_FIELDS + data.len().next_multiple_of(4) + option + OPTION) as u64
    }

    pub fn packet(&mut self, frame: &FrameRef, data: &[u8], comment: &str) -> io::Result<()> {
        let early = frame.ts < 0;
        // Some captures hold longer packets than they say; readers may refuse what contradicts itself.
        let beyond = self.snaplen != 0 && length(data.len()) > self.snaplen;
        let interface = Interface { number: frame.interface, link: frame.link, early, beyond };
        let id = self.interface(interface)?;
        self.latest = frame.ts;
        self.open(ENHANCED_PACKET);
        self.u32(id);
        self.time(if early { elapsed_since_early(frame.ts) } else { frame.ts.unsigned_abs() });
        self.u32(length(data.len()));
        self.u32(frame.origlen);
        self.padded(data);
        self.text(OPT_COMMENT, comment);
        self.end_of_options();
        self.close()
    }

    /// Ends the file with what is known only now.
    pub fn end(mut self, comment: &str) -> io::Result<W> {
        self.statistics(comment, None)?;
        Ok(self.out)
    }

    /// What is known of the capture by now; of a file without packets there is nothing to say.
    pub fn statistics(&mut self, comment: &str, statistics: Option<&Statistics>) -> io::Result<()> {
        let Some(first) = self.interfaces.first().copied() else { return Ok(()) };
        let moment = |ts: Nanos| if first.early { elapsed_since_early(ts) } else { ts.max(0).unsigned_abs() };
        let latest = moment(self.latest);
        self.open(INTERFACE_STATISTICS);
        self.u32(0);
        self.time(latest);
        if let Some(known) = statistics {
            self.option(ISB_STARTTIME, &halves(moment(known.first)));
            self.option(ISB_ENDTIME, &halves(moment(known.last)));
            self.option(ISB_IFRECV, &known.received.to_le_bytes());
            self.option(ISB_IFDROP, &known.if_dropped.to_le_bytes());
            self.option(ISB_OSDROP, &known.os_dropped.to_le_bytes());
            self.option(ISB_USRDELIV, &known.written.to_le_bytes());
        }
        self.text(OPT_COMMENT, comment);
        self.end_of_options();
        self.close()
    }

    /// The number of an interface in this file; it is described before its first packet.
    fn interface(&mut self, wanted: Interface) -> io::Result<u32> {
        if let Some(known) = self.interfaces.iter().position(|known| *known == wanted) {
            return Ok(length(known));
        }
        self.interfaces.push(wanted);
        self.open(INTERFACE_DESCRIPTION);
        self.u16(wanted.link);
        self.u16(0);
        self.u32(if wanted.beyond { 0 } else { self.snaplen });
        if let Some(Origin { interface, filter }) = self.origin.clone() {
            self.text(IF_NAME, &interface);
            if let Some(filter) = filter {
                self.filter(&filter);
            }
        } else {
            self.text(IF_DESCRIPTION, &format!("interface {} of the source", wanted.number));
        }
        self.option(IF_TSRESOL, &[NANOSECONDS]);
        if wanted.early {
            self.option(IF_TSOFFSET, &BEFORE_1970.to_le_bytes());
        }
        self.end_of_options();
        self.close()?;
        Ok(length(self.interfaces.len() - 1))
    }

    fn open(&mut self, kind: u32) {
        self.block.clear();
        self.u32(kind);
        // Its length, once it is known.
        self.u32(0);
    }

    fn close(&mut self) -> io::Result<()> {
        let total = length(self.block.len() + 4).to_le_bytes();
        if let Some(place) = self.block.get_mut(4..8) {
            place.copy_from_slice(&total);
        }
        self.bytes(&total);
        self.out.write_all(&self.block)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn time(&mut self, units: u64) {
        self.bytes(&halves(units));
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// An option of less than 64 KiB.
    fn option(&mut self, code: u16, value: &[u8]) {
        self.u16(code);
        self.u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        self.padded(value);
    }

    /// Text as an option: harmless to who reads it, and of bounded length.
    fn text(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            self.option(code, harmless(text).as_bytes());
        }
    }

    fn filter(&mut self, expression: &str) {
        let text = harmless(expression);
        self.option(IF_FILTER, format!("{FILTER_TEXT}{text}").as_bytes());
    }

    fn end_of_options(&mut self) {
        self.u32(0);
    }
}

/// A moment in two halves, the upper one first.
fn halves(units: u64) -> [u8; 8] {
    units.rotate_left(32).to_le_bytes()
}

/// Text without what deceives its reader, cut between two characters.
fn harmless(text: &str) -> String {
    let shown = visible(text);
    let kept = (0..=TEXT.min(shown.len())).rev().find_map(|end| shown.get(..end));
    kept.unwrap_or_default().to_owned()
}

/// Nanoseconds since [`BEFORE_1970`].
fn elapsed_since_early(ts: Nanos) -> u64 {
    u64::try_from(i128::from(ts) - i128::from(BEFORE_1970) * i128::from(SECOND)).unwrap_or_default()
}

/// A length in memory as the format holds it: what is written is far below 4 GiB.
fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Block, FileSource, Source};

    fn frame(ts: Nanos, link: u16, interface: u16, data: &[u8]) -> FrameRef {
        let caplen = length(data.len());
        FrameRef { ts, tick: 0, ordinal: 1, offset: 0, start: 0, caplen, origlen: caplen + 5, link, interface }
    }

    fn written(packets: &[(Nanos, u16, u16, &[u8])], comment: &str) -> Vec<u8> {
        let mut file = Pcapng::begin(Vec::new(), comment, "nsm 0", 96).unwrap();
        for (ts, link, interface, data) in packets {
            file.packet(&frame(*ts, *link, *interface, data), data, comment).unwrap();
        }
        file.end(comment).unwrap()
    }

    /// Time, link type, original length and bytes, as the reader of captures has them.
    fn read(file: &[u8]) -> Vec<(Nanos, u16, u32, Vec<u8>)> {
        let mut source = FileSource::from_reader("test".into(), Box::new(std::io::Cursor::new(file.to_vec()))).unwrap();
        let (mut block, mut found) = (Block::default(), Vec::new());
        while source.next_block(&mut block).unwrap() {
            found.extend(block.frames.iter().map(|frame| (frame.ts, frame.link, frame.origlen, block.data(frame).to_vec())));
        }
        assert!(source.warnings().iter().all(|warning| !warning.is_damage()), "{:?}", source.warnings());
        found
    }

    #[test]
    fn every_length_link_type_and_time_is_read_back_also_before_1970() {
        use crate::time::{EARLIEST, LATEST};
        let packets: [(Nanos, u16, u16, &[u8]); 7] = [
            (1_700_000_000_123_456_789, 1, 0, b"four"),
            (1, 101, 1, b"seven b"),
            (0, 1, 0, b""),
            (-1, 1, 0, b"x"),
            (EARLIEST, 101, 1, b"yz"),
            (LATEST, 1, 2, b"abc"),
            (1_700_000_000_123_456_788, 1, 0, b"back in time"),
        ];
        let want: Vec<_> = packets.iter().map(|(ts, link, _, data)| (*ts, *link, length(data.len()) + 5, data.to_vec())).collect();
        assert_eq!(read(&written(&packets, "a comment")), want);
        assert_eq!(read(&written(&packets, "")), want);
    }

    #[test]
    fn an_interface_is_described_once_for_its_link_type_and_number() {
        let data: &[u8] = b"x";
        let file = written(&[(1, 1, 0, data), (2, 1, 1, data), (3, 1, 0, data), (4, 101, 0, data)], "");
        let names = |number: u8| file.windows(25).filter(|text| *text == format!("interface {number} of the source").as_bytes()).count();
        assert_eq!((names(0), names(1)), (2, 1));
    }

    #[test]
    fn no_interface_states_less_than_a_packet_of_it_has() {
        use pcap_parser::{Block as Parsed, parse_pcapng};
        let packets: [(Nanos, u16, u16, &[u8]); 4] = [(1, 1, 0, &[7; 96]), (2, 1, 0, &[7; 97]), (3, 1, 0, &[7; 1]), (4, 1, 0, &[7; 200])];
        let file = written(&packets, "");
        let (mut stated, mut held) = (Vec::new(), Vec::new());
        for block in parse_pcapng(&file).unwrap().1.sections.into_iter().flat_map(|section| section.blocks) {
            match block {
                Parsed::InterfaceDescription(interface) => stated.push(interface.snaplen),
                Parsed::EnhancedPacket(packet) => held.push((packet.if_id, packet.caplen)),
                _ => {}
            }
        }
        assert_eq!(stated, [96, 0]);
        assert_eq!(held, [(0, 96), (1, 97), (0, 1), (1, 200)]);
    }

    #[test]
    fn a_capture_says_where_it_comes_from_and_what_it_lost() {
        use pcap_parser::{Block as Parsed, pcapng::OptionCode};
        let origin = Origin { interface: "eth0\x1b".into(), filter: Some("udp port 53".into()) };
        let mut file = Pcapng::begin(Vec::new(), "", "nsm 0", 96).unwrap().from_interface(origin);
        file.packet(&frame(5, 1, 0, b"x"), b"x", "").unwrap();
        // The upper half of a moment comes first: 2^32 + 2 and 3 * 2^32 + 4 nanoseconds.
        let (first, last) = ((1 << 32) + 2, (3 << 32) + 4);
        let statistics = Statistics { first, last, received: 10, if_dropped: 2, os_dropped: 3, written: 5 };
        file.statistics("five are missing", Some(&statistics)).unwrap();
        let file = file.out().clone();
        let mut told = Vec::new();
        for block in pcap_parser::parse_pcapng(&file).unwrap().1.sections.into_iter().flat_map(|section| section.blocks) {
            match block {
                Parsed::InterfaceDescription(interface) => told.extend(interface.options),
                Parsed::InterfaceStatistics(statistics) => told.extend(statistics.options),
                _ => {}
            }
        }
        let told: Vec<(u16, &[u8])> = told
            .iter()
            .filter(|option| option.code != OptionCode::EndOfOpt)
            .map(|option| (option.code.0, option.as_bytes().unwrap()))
            .collect();
        let number = |value: u8| [value, 0, 0, 0, 0, 0, 0, 0];
        let want: [(u16, &[u8]); 10] = [
            (2, b"eth0\\u{1b}"),
            (11, b"\0udp port 53"),
            (9, &[9]),
            (2, &[1, 0, 0, 0, 2, 0, 0, 0]),
            (3, &[3, 0, 0, 0, 4, 0, 0, 0]),
            (4, &number(10)),
            (5, &number(2)),
            (7, &number(3)),
            (8, &number(5)),
            (1, b"five are missing"),
        ];
        assert_eq!(told, want);
        let mut source = FileSource::from_reader("test".into(), Box::new(std::io::Cursor::new(file))).unwrap();
        while source.next_block(&mut Block::default()).unwrap() {}
        assert_eq!(source.facts().dropped, 5);
    }

    #[test]
    fn an_interface_that_did_not_reach_the_file_is_described_again() {
        let mut file = Pcapng::begin(Vec::new(), "", "nsm 0", 96).unwrap();
        let kept = file.out().len();
        file.packet(&frame(5, 1, 0, b"x"), b"x", "").unwrap();
        assert_eq!(file.interfaces(), 1);
        file.out().truncate(kept);
        file.forget_interfaces(0);
        file.packet(&frame(6, 1, 0, b"y"), b"y", "").unwrap();
        assert_eq!(read(&file.end("").unwrap()), [(6, 1, 6, b"y".to_vec())]);
    }

    #[test]
    fn the_cost_of_a_packet_is_what_it_takes() {
        for comment in ["", "c", "four", "frame 12 of capture.pcap"] {
            for data in [&b""[..], b"x", b"four", b"seven b"] {
                let one: &[(Nanos, u16, u16, &[u8])] = &[(1, 1, 0, data)];
                let two = [one, one].concat();
                let grown = written(&two, comment).len() - written(one, comment).len();
                assert_eq!(Pcapng::<Vec<u8>>::cost(data, comment), grown as u64, "{comment:?} {data:?}");
            }
        }
    }

    #[test]
    fn hostile_text_is_made_harmless_and_cut() {
        let hostile = format!("alert\n\x1b[2Jframe 1 of evil\u{202e}gpj.exe {}", "ü".repeat(70_000));
        let file = written(&[(1, 1, 0, b"x")], &hostile);
        assert_eq!(read(&file).len(), 1);
        assert!(file.len() < 4 * TEXT, "{}", file.len());
        assert!(!file.windows(4).any(|bytes| bytes == b"\x1b[2J"));
        assert!(!file.windows(3).any(|bytes| bytes == "\u{202e}".as_bytes()));
        assert!(file.windows(10).any(|bytes| bytes == b"alert\\n\\u{"));
    }
}
