//! The machine that filters of libpcap are written for: classic BPF (McCanne and Jacobson 1993; `bpf(4)`).
//!
//! Knows instructions and bytes, not what they mean. It is here because the crate `pcap` runs a filter with the captured
//! length for the length on the wire, by which `greater 1000` would miss every packet that the snapshot length
//! cut. A test holds the two against each other on whole frames.

use pcap::{BpfInstruction, BpfProgram};

/// Where a program keeps what it computed.
const SCRATCH: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// A filter, ready to be asked about frames.
#[derive(Debug)]
pub(super) struct Program(Vec<Instruction>);

// Parts of an instruction's code, as bpf(4) names them.
const CLASS: u16 = 0x07;
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;

const SIZE: u16 = 0x18;
const WORD: u16 = 0x00;
const HALF: u16 = 0x08;
const BYTE: u16 = 0x10;

const MODE: u16 = 0xe0;
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const MSH: u16 = 0xa0;

const OPERATION: u16 = 0xf0;
/// The operand is X and not the constant.
const FROM_X: u16 = 0x08;
/// What a program returns: the accumulator and not the constant.
const RETURN: u16 = 0x18;
const RETURN_A: u16 = 0x10;
const TXA: u16 = 0x80;

#[derive(Default)]
struct State {
    a: u32,
    x: u32,
    memory: [u32; SCRATCH],
}

/// What comes after an instruction.
enum Next {
    /// The one behind it, after leaving out so many.
    Skip(u32),
    Return(u32),
}

impl Program {
    /// None if libpcap writes its instructions in another way than it did for thirty years.
    pub fn new(compiled: &BpfProgram) -> Option<Self> {
        compiled.get_instructions().iter().map(Instruction::read).collect::<Option<_>>().map(Self)
    }

    /// Whether the filter lets a frame pass, of which `data` was captured and which had `length` bytes.
    pub fn passes(&self, data: &[u8], length: u32) -> bool {
        let (mut state, mut at) = (State::default(), 0_usize);
        while let Some(instruction) = self.0.get(at) {
            match instruction.run(&mut state, data, length) {
                Some(Next::Skip(instructions)) => at += 1 + instructions as usize,
                Some(Next::Return(kept)) => return kept > 0,
                // It asks for bytes that are not there, or for what cannot be computed.
                None => return false,
            }
        }
        false
    }
}

impl Instruction {
    /// The crate shows an instruction as `tcpdump -ddd` does: code, the two jumps, the constant.
    fn read(shown: &BpfInstruction) -> Option<Self> {
        let text = shown.to_string();
        let mut numbers = text.split_ascii_whitespace();
        let instruction = Self {
            code: numbers.next()?.parse().ok()?,
            if_true: numbers.next()?.parse().ok()?,
            if_false: numbers.next()?.parse().ok()?,
            k: numbers.next()?.parse().ok()?,
        };
        numbers.next().is_none().then_some(instruction)
    }

    fn run(self, state: &mut State, data: &[u8], length: u32) -> Option<Next> {
        let k = self.k;
        match self.code & CLASS {
            LD => state.a = self.load(state, data, length)?,
            LDX => state.x = self.load_index(state, data, length)?,
            ST => *state.memory.get_mut(k as usize)? = state.a,
            STX => *state.memory.get_mut(k as usize)? = state.x,
            ALU => state.a = self.compute(state)?,
            JMP => return Some(Next::Skip(self.jump(state)?)),
            RET => return Some(Next::Return(if self.code & RETURN == RETURN_A { state.a } else { k })),
            _ if self.code & OPERATION == TXA => state.a = state.x,
            _ => state.x = state.a,
        }
        Some(Next::Skip(0))
    }

    fn load(self, state: &State, data: &[u8], length: u32) -> Option<u32> {
        match self.code & MODE {
            ABS => self.packet(data, self.k),
            IND => self.packet(data, self.k.checked_add(state.x)?),
            IMM => Some(self.k),
            MEM => state.memory.get(self.k as usize).copied(),
            LEN => Some(length),
            _ => None,
        }
    }

    fn load_index(self, state: &State, data: &[u8], length: u32) -> Option<u32> {
        match self.code & MODE {
            IMM => Some(self.k),
            MEM => state.memory.get(self.k as usize).copied(),
            LEN => Some(length),
            // The length of an IPv4 header, which stands in half a byte as a number of words.
            MSH => data.get(self.k as usize).map(|byte| u32::from(byte & 0xf) << 2),
            _ => None,
        }
    }

    fn packet(self, data: &[u8], at: u32) -> Option<u32> {
        let rest = data.get(at as usize..)?;
        match self.code & SIZE {
            WORD => rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            HALF => rest.first_chunk().map(|bytes| u32::from(u16::from_be_bytes(*bytes))),
            BYTE => rest.first().map(|byte| u32::from(*byte)),
            _ => None,
        }
    }

    const fn operand(self, state: &State) -> u32 {
        if self.code & FROM_X == 0 { self.k } else { state.x }
    }

    fn compute(self, state: &State) -> Option<u32> {
        let (a, by) = (state.a, self.operand(state));
        Some(match self.code & OPERATION {
            0x00 => a.wrapping_add(by),
            0x10 => a.wrapping_sub(by),
            0x20 => a.wrapping_mul(by),
            0x30 => a.checked_div(by)?,
            0x40 => a | by,
            0x50 => a & by,
            0x60 => a.checked_shl(by).unwrap_or(0),
            0x70 => a.checked_shr(by).unwrap_or(0),
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(by)?,
            0xa0 => a ^ by,
            _ => return None,
        })
    }

    fn jump(self, state: &State) -> Option<u32> {
        let (a, with) = (state.a, self.operand(state));
        let holds = match self.code & OPERATION {
            0x00 => return Some(self.k),
            0x10 => a == with,
            0x20 => a > with,
            0x30 => a >= with,
            0x40 => a & with != 0,
            _ => return None,
        };
        Some(u32::from(if holds { self.if_true } else { self.if_false }))
    }
}

#[cfg(test)]
mod tests {
    use pcap::{Capture, Linktype};

    use super::*;

    fn compile(expression: &str) -> BpfProgram {
        Capture::dead(Linktype::ETHERNET).unwrap().compile(expression, true).unwrap()
    }

    /// Ethernet and IPv4 with options, TCP or UDP, in many sizes; VLAN tags; ARP; fragments; IPv6; nonsense.
    fn frames() -> Vec<Vec<u8>> {
        let ethernet = |kind: u16, rest: &[u8]| [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind.to_be_bytes(), rest].concat();
        let ipv4 = |words: u8, protocol: u8, fragment: u16, rest: &[u8]| {
            let options = vec![1; usize::from(words - 5) * 4];
            let fixed = [0x40 | words, 0, 0, 60, 0, 1, fragment.to_be_bytes()[0], fragment.to_be_bytes()[1], 64, protocol, 0, 0];
            [&fixed[..], &[10, 0, 0, 1, 192, 168, 7, 9], &options, rest].concat()
        };
        let mut frames = vec![Vec::new(), vec![0xff; 14], ethernet(0x0806, &[0; 28]), ethernet(0x86dd, &[0x60; 60])];
        for (words, protocol, fragment) in [(5, 6, 0), (8, 6, 0), (5, 17, 0), (15, 17, 0), (5, 6, 0x2000), (5, 17, 0x00b9), (5, 1, 0)] {
            for ports in [[0, 22, 0x1f, 0x90], [0x9c, 0x40, 1, 0xbb], [0, 53, 0, 53]] {
                let segment = [&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 4, 0], &[7; 40]].concat();
                let packet = ipv4(words, protocol, fragment, &segment);
                frames.push(ethernet(0x0800, &packet));
                frames.push(ethernet(0x8100, &[&[0, 5, 8, 0][..], &packet].concat()));
            }
        }
        let cut: Vec<Vec<u8>> =
            frames.iter().flat_map(|frame| [15, 20, 37, 38].map(|end| frame.iter().take(end).copied().collect())).collect();
        frames.into_iter().chain(cut).collect()
    }

    #[test]
    fn libpcap_runs_the_same_program_to_the_same_end() {
        let expressions = [
            "",
            "tcp",
            "udp port 53",
            "tcp port 22 or tcp port 443",
            "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
            "ip[6:2] & 0x1fff != 0",
            "vlan 5 and tcp dst port 443",
            "net 192.168.0.0/16 and not icmp",
            "portrange 20-60",
            "ether host 02:00:00:00:00:02 or arp",
            "len > 80 and len <= 100",
            "ip[2:2] * 3 / 2 - 1 = 89",
            "(ip[0] & 0xf) << 2 > 20",
            "ip[8] % 7 = 1 and ip[8] ^ 3 = 67",
            "udp[ip[0]:1] = 0 or ip[len - 30:1] = 7",
            "ip6 or (ether[12] >> 3 = 1)",
            "greater 60 and less 70",
            "ip[12:4] / (ip[7] - ip[7]) = 1",
        ];
        for expression in expressions {
            let theirs = compile(expression);
            let ours = Program::new(&theirs).unwrap();
            for frame in frames() {
                let length = u32::try_from(frame.len()).unwrap();
                assert_eq!(ours.passes(&frame, length), theirs.filter(&frame), "{expression}: {frame:02x?}");
            }
        }
    }

    #[test]
    fn the_length_is_that_on_the_wire() {
        let longer = Program::new(&compile("greater 1000")).unwrap();
        assert_eq!([1_514, 999].map(|length| longer.passes(&[0; 96], length)), [true, false]);
    }

    #[test]
    fn what_no_compiler_writes_passes_nothing() {
        let program = |code, k| {
            Program(vec![Instruction { code, if_true: 0, if_false: 0, k }, Instruction { code: RET, if_true: 0, if_false: 0, k: 1 }])
        };
        // An unknown size, a cell that is not there, an unknown operation, a jump out of the program, division by zero.
        for (code, k) in [(0x38, 0), (MEM, 16), (ST, 99), (ALU | 0xf0, 0), (JMP, u32::MAX), (ALU | 0x30, 0), (JMP | 0xf0, 0)] {
            assert!(!program(code, k).passes(&[0; 64], 64), "{code:#x}");
        }
        assert!(program(IMM, 7).passes(&[], 0), "and this is why");
    }
}
