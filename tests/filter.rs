//! A second opinion on filters: the frames that `tcpdump` takes from the same files. Says loudly that it did nothing
//! where `tcpdump` is not installed.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on says where")]

mod common;

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use network_security_monitor::capture::{self, Block, FileSource, Source};

/// Words of every kind: addresses, ports, ranges, flags, lengths on the wire, tags.
const EXPRESSIONS: [&str; 8] = [
    "tcp",
    "udp port 53 or icmp or arp",
    "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0",
    "greater 1000",
    "less 96 and not ip6",
    "net 10.0.0.0/8 and portrange 1-1023",
    "ip[6:2] & 0x3fff != 0 or vlan",
    "len - 20 > ip[2:2]",
];

/// Captures in which the two differ, and why that is no mistake of ours.
const EXPLAINED: [(&str, &str); 1] =
    [("brimdata_bad-caplen.pcap", "its record claims fewer bytes than were captured: for us the packet has those that are there")];

/// Lengths on the wire and bytes.
type Frames = Vec<(u32, Vec<u8>)>;

fn frames(source: &mut dyn Source) -> Option<(Frames, u64)> {
    let (mut block, mut found, mut left_out) = (Block::default(), Vec::new(), 0);
    while source.next_block(&mut block).ok()? {
        found.extend(block.frames.iter().map(|frame| (frame.origlen, block.data(frame).to_vec())));
        left_out += block.left_out;
    }
    Some((found, left_out))
}

/// What `tcpdump` writes; none where it cannot read the file to its end, or the filter means nothing to it.
fn theirs(path: &Path, expression: &str) -> Option<Frames> {
    let run = Command::new("tcpdump").args(["-w", "-", "-r"]).arg(path).arg(expression).output().unwrap();
    let written = run.status.success().then_some(run.stdout).filter(|written| !written.is_empty())?;
    let mut source = FileSource::from_reader("tcpdump".into(), Box::new(Cursor::new(written))).unwrap();
    frames(&mut source).map(|(found, _)| found)
}

#[test]
fn tcpdump_takes_the_same_frames() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        eprintln!("SKIPPED, NOTHING WAS CHECKED: tcpdump is not installed");
        return;
    }
    let (mut wrong, mut compared, mut passed, mut unread) = (Vec::new(), 0, 0, 0);
    let captures = common::samples().into_iter().map(|sample| sample.capture).chain(common::corpus());
    for path in captures {
        if EXPLAINED.iter().any(|(name, _)| path.ends_with(name)) {
            continue;
        }
        let Ok(mut whole) = FileSource::open(&path) else { continue };
        let Some((all, _)) = frames(&mut whole) else { continue };
        for expression in EXPRESSIONS {
            let Some(theirs) = theirs(&path, expression) else {
                unread += 1;
                continue;
            };
            let opened = Box::new(FileSource::open(&path).unwrap());
            let ours = capture::filtered(opened, expression).ok().and_then(|mut source| frames(&mut *source));
            let Some((ours, left_out)) = ours else {
                wrong.push(format!("{}: {expression}: refused, tcpdump takes {}", path.display(), theirs.len()));
                continue;
            };
            if ours != theirs || ours.len() as u64 + left_out != all.len() as u64 {
                let of = format!("{} and {left_out} left out of {}", ours.len(), all.len());
                wrong.push(format!("{}: {expression}: {of}, tcpdump takes {}", path.display(), theirs.len()));
            }
            compared += 1;
            passed += ours.len();
        }
    }
    eprintln!("{compared} pairs of capture and filter agree with tcpdump on {passed} frames; {unread} it does not read");
    assert!(compared > 100);
    common::all_well(&wrong);
}
