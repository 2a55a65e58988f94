//! Conversations whose content is made to be expensive: to follow, to parse, or to remember.

use std::io::{self, Write};

use crate::frame::{self, ACK, ARP, FIN, PSH, Pair, SYN, low32, port};

const QUESTIONS: u64 = 500_000;
const CLIENT: u32 = 0x0a00_0001;
const SERVER: u32 = 0x0a00_0002;

fn to_resolver(number: u64) -> Pair {
    Pair { from: (CLIENT, port(number)), to: (SERVER, 53) }
}

/// Header of a message with one question and so many answers.
fn dns(answers: u16, flags: u8) -> Vec<u8> {
    [&[0, 1, flags, 0, 0, 1][..], &answers.to_be_bytes(), &[0; 4]].concat()
}

pub fn dns_loops(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    // To itself; to each other; ahead; to the header; a label and back to it.
    let names: [&[u8]; 5] = [&[0xc0, 12], &[0xc0, 14, 0xc0, 12], &[0xc0, 200], &[0xc0, 0], &[1, b'a', 0xc0, 12]];
    frame::pcap_header(out)?;
    (0..QUESTIONS * scale).zip(names.iter().cycle()).try_for_each(|(n, name)| {
        let message = [&dns(0, 1), *name, &[0, 1, 0, 1]].concat();
        frame::record(out, n * 500, &frame::udp(to_resolver(n), &message))
    })
}

pub fn dns_chains(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const RECORDS: u16 = 5_000;
    // 127 labels of one letter: RFC 1035 allows 255 bytes.
    let longest = [&[1, b'a'].repeat(126)[..], &[0, 0, 1, 0, 1]].concat();
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0];
    let message = [dns(RECORDS, 0x81), longest, record.repeat(usize::from(RECORDS))].concat();
    frame::pcap_header(out)?;
    (0..1_000 * scale).try_for_each(|n| frame::record(out, n * 10_000, &frame::udp(to_resolver(n).back(), &message)))
}

pub fn dns_names(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..QUESTIONS * scale).try_for_each(|n| {
        let label = |text: &str| [&[u8::try_from(text.len()).unwrap_or_default()][..], text.as_bytes()].concat();
        let filler = label(&"x".repeat(60));
        let name =
            [label(&format!("{n:08}")), filler.clone(), filler.clone(), filler, label(&format!("{:06}", n / 3)), label("com")].concat();
        let message = [&dns(0, 1), &name[..], &[0, 0, 1, 0, 1]].concat();
        frame::record(out, n * 2_000, &frame::udp(to_resolver(n), &message))
    })
}

/// A connection in which one side speaks.
struct Speech<'a> {
    out: &'a mut dyn Write,
    pair: Pair,
    at: u64,
}

impl<'a> Speech<'a> {
    fn begin(out: &'a mut dyn Write, pair: Pair, at: u64) -> io::Result<Self> {
        frame::record(out, at, &frame::tcp(pair, (0, 0), SYN, b""))?;
        frame::record(out, at + 1, &frame::tcp(pair.back(), (0, 1), SYN | ACK, b""))?;
        frame::record(out, at + 2, &frame::tcp(pair, (1, 1), ACK, b""))?;
        Ok(Self { out, pair, at: at + 3 })
    }

    /// From so many bytes into what the client says.
    fn say(&mut self, from: u64, text: &[u8]) -> io::Result<()> {
        self.at += 10;
        frame::record(self.out, self.at, &frame::tcp(self.pair, (1 + low32(from), 1), ACK | PSH, text))
    }

    fn answer(&mut self, from: u64, text: &[u8]) -> io::Result<()> {
        self.at += 10;
        frame::record(self.out, self.at, &frame::tcp(self.pair.back(), (1 + low32(from), 1), ACK | PSH, text))
    }

    fn end(self, said: u64) -> io::Result<()> {
        frame::record(self.out, self.at + 10, &frame::tcp(self.pair, (1 + low32(said), 1), FIN | ACK, b""))
    }
}

pub fn byte_by_byte(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const BYTES: u64 = 50_000;
    let beginnings: [(u16, &[u8]); 6] = [
        (80, b"GET / HTTP/1.1\r\nHost: "),
        (443, &[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3]),
        (25, b"EHLO "),
        (21, b"USER "),
        (445, &[0, 0, 0xff, 0xff, 0xfe, b'S', b'M', b'B', 64, 0]),
        (389, &[0x30, 0x84, 0, 0, 0xff, 0xff, 2, 1, 1, 0x60]),
    ];
    frame::pcap_header(out)?;
    (0..12 * scale).zip(beginnings.iter().cycle()).try_for_each(|(n, (server_port, beginning))| {
        let pair = Pair { from: (CLIENT, port(n)), to: (SERVER, *server_port) };
        let mut speech = Speech::begin(out, pair, n * 2_000_000)?;
        (0..BYTES).try_for_each(|place| {
            let byte = usize::try_from(place).ok().and_then(|place| beginning.get(place)).copied().unwrap_or(b'a');
            speech.say(place, &[byte])
        })?;
        speech.end(BYTES)
    })
}

pub fn backwards(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const SEGMENTS: u64 = 2_000;
    frame::pcap_header(out)?;
    (0..250 * scale).try_for_each(|n| {
        let mut speech = Speech::begin(out, Pair { from: (CLIENT, port(n)), to: (SERVER, 80) }, n * 100_000)?;
        (1..SEGMENTS).rev().try_for_each(|place| speech.say(place * 16, b"0123456789abcdef"))?;
        speech.say(0, b"GET / HTTP/1.1\r\n")?;
        speech.end(SEGMENTS * 16)
    })
}

pub fn long_lines(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    const PIECE: u64 = 1_400;
    let line = [b'x'; 1_400];
    frame::pcap_header(out)?;
    (0..1_000 * scale).try_for_each(|n| {
        let mut speech = Speech::begin(out, Pair { from: (CLIENT, port(n)), to: (SERVER, 80) }, n * 100_000)?;
        speech.say(0, b"GET / HTTP/1.1\r\nHost: ")?;
        (0..47).try_for_each(|piece| speech.say(22 + piece * PIECE, &line))?;
        speech.say(22 + 47 * PIECE, b"\r\n\r\n")?;
        speech.end(26 + 47 * PIECE)
    })
}

pub fn logins(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..50_000 * scale).try_for_each(|n| {
        let pair = Pair { from: (CLIENT + low32(n % 50_000), port(n)), to: (SERVER, 21) };
        let mut speech = Speech::begin(out, pair, n * 20_000)?;
        let user = format!("USER {n:08}{}\r\n", "u".repeat(200));
        speech.answer(0, b"220 ready\r\n")?;
        speech.say(0, user.as_bytes())?;
        speech.answer(11, b"331 password\r\n")?;
        speech.say(user.len() as u64, b"PASS secret\r\n")?;
        speech.answer(25, b"530 no\r\n")?;
        speech.end(user.len() as u64 + 13)
    })
}

pub fn hosts_http(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..50_000 * scale).try_for_each(|n| {
        let pair = Pair { from: (CLIENT, port(n)), to: (SERVER + low32(n), 80) };
        let mut speech = Speech::begin(out, pair, n * 20_000)?;
        let request = format!("GET /{n}{0} HTTP/1.1\r\nHost: {n:08}.{0}\r\nUser-Agent: {n}{0}\r\n\r\n", "h".repeat(240));
        speech.say(0, request.as_bytes())?;
        speech.answer(0, b"HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n")?;
        speech.end(request.len() as u64)
    })
}

pub fn arp_claims(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..QUESTIONS * scale).try_for_each(|n| {
        let number = low32(n).to_be_bytes();
        let owner = [&[2, 1][..], &number].concat();
        let claim =
            [&[0, 1, 8, 0, 6, 4, 0, 2][..], &owner, &[10, number[1], number[2], number[3]], &[2, 0, 0, 0, 0, 9, 10, 0, 0, 9]].concat();
        frame::record(out, n * 2_000, &frame::ethernet(ARP, &claim))
    })
}

pub fn dhcp_clients(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    let pair = Pair { from: (0, 68), to: (u32::MAX, 67) };
    frame::pcap_header(out)?;
    (0..QUESTIONS / 2 * scale).try_for_each(|n| {
        let mut message = vec![0; 240];
        message[..4].copy_from_slice(&[1, 1, 6, 0]);
        message[4..8].copy_from_slice(&low32(n).to_be_bytes());
        message[28..30].copy_from_slice(&[2, 1]);
        message[30..34].copy_from_slice(&low32(n).to_be_bytes());
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        let name = format!("{n:08}{}", "d".repeat(240));
        message.extend([53, 1, 1, 12, u8::try_from(name.len()).unwrap_or_default()]);
        message.extend(name.bytes());
        message.push(255);
        frame::record(out, n * 2_000, &frame::udp(pair, &message))
    })
}

pub fn echoes(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..QUESTIONS * scale).try_for_each(|n| {
        let payload: Vec<u8> = (0..32).flat_map(|part| (n * 31 + part).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).collect();
        frame::record(out, n * 10_000, &frame::echo(CLIENT + low32(n % 1_000), SERVER + low32(n / 1_000), &payload))
    })
}

pub fn fragments(out: &mut dyn Write, scale: u64) -> io::Result<()> {
    frame::pcap_header(out)?;
    (0..QUESTIONS * scale).try_for_each(|n| {
        let mut frame = frame::udp(Pair { from: (CLIENT + low32(n), port(n)), to: (SERVER, 4_000) }, &[0; 32]);
        // Another identification, and more fragments follow.
        frame[18..20].copy_from_slice(&low32(n).to_be_bytes()[2..]);
        frame[20] = 0x20;
        frame::record(out, n * 500, &frame)
    })
}
