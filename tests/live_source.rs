//! An interface is watched frame by frame: what is sent on one end of a virtual cable is what comes out of the other.
//!
//! Every test runs in a network namespace of its own, which is gone after it. Where none may be made, the test says so
//! on standard error and checks nothing.

#![cfg(all(feature = "live", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use network_security_monitor::capture::live::{self, LiveSource, Request};
use network_security_monitor::capture::{Block, FrameRef, Source};
use network_security_monitor::config::Settings;
use network_security_monitor::confine::{self, Allowed, Restricted};
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::warning::Warning;

/// The two ends of the cable, in every namespace.
const SENDER: &str = "nsm0";
const WATCHED: &str = "nsm1";
/// Set where a test runs inside of its namespace: to its name.
const INSIDE: &str = "NSM_LIVE_TEST";
/// Far longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Local experiments (IEEE 802): nobody else sends such frames.
const EXPERIMENT: u16 = 0x88b5;

/// A network namespace with a cable in it; deleted when dropped.
struct Namespace(String);

impl Namespace {
    fn new(test: &str) -> Option<Self> {
        let name = format!("nsm-{}-{test}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        made.then_some(Self(name))
    }

    fn ip(&self, args: &str) {
        let status = Command::new("ip").args(["-n", &self.0]).args(args.split(' ')).status().unwrap();
        assert!(status.success(), "ip {args}");
    }

    /// This test once more, inside of the namespace, as this user.
    fn run(&self, test: &str, user: Option<u32>) -> ExitStatus {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]);
        if user.is_some() {
            // `ip` itself needs root.
            command.args(["setpriv", "--reuid", "nobody", "--clear-groups"]);
        }
        command.arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]).env(INSIDE, test);
        finished(command.stdout(Stdio::null()).process_group(0).spawn().unwrap())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

/// Waits for a child, but not for ever.
fn finished(mut child: Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            _ = child.kill();
            _ = child.wait();
            panic!("a test did not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Past the harness, which shows nothing of tests that pass.
fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "\nSKIPPED, NOTHING WAS CHECKED: {test}: {why}\n");
}

/// Runs `body` in a namespace with a cable whose ends are up and silent.
fn in_namespace(test: &str, body: fn()) {
    in_namespace_as(test, None, body);
}

fn in_namespace_as(test: &str, user: Option<u32>, body: fn()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        return body();
    }
    let Some(namespace) = Namespace::new(test) else {
        return skipped(test, "it takes root to make a network namespace (`ip netns add`)");
    };
    // Without IPv6 an interface says nothing of its own.
    let quiet = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
    let silenced = Command::new("ip").args(["netns", "exec", &namespace.0, "sysctl", "-qw"]).args(quiet).status();
    assert!(silenced.is_ok_and(|status| status.success()));
    namespace.ip(&format!("link add {SENDER} type veth peer name {WATCHED}"));
    for interface in [SENDER, WATCHED, "lo"] {
        namespace.ip(&format!("link set {interface} up"));
    }
    assert!(namespace.run(test, user).success(), "{test}: see above");
}

/// Inside of a namespace.
fn ip(args: &str) {
    assert!(Command::new("ip").args(args.split(' ')).status().unwrap().success(), "ip {args}");
}

/// Frame `number`: its length runs from 60 to 1514.
fn frame(number: u32) -> Vec<u8> {
    let length = 60 + (number as usize * 37) % 1_455;
    let head = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &EXPERIMENT.to_be_bytes(), &number.to_be_bytes()].concat();
    head.into_iter().chain((0..).map(|at: usize| u8::try_from(at % 251).unwrap())).take(length).collect()
}

struct Sender(pcap::Capture<pcap::Active>);

impl Sender {
    fn new() -> Self {
        Self(pcap::Capture::from_device(SENDER).unwrap().snaplen(64).open().unwrap())
    }

    fn send(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        frames.into_iter().for_each(|frame| self.0.sendpacket(frame).unwrap());
    }
}

fn watch(request: &Request) -> (LiveSource, Arc<AtomicBool>) {
    let stop = Arc::new(AtomicBool::new(false));
    (live::open(request, Arc::clone(&stop)).unwrap(), stop)
}

/// Everything until the source ends.
fn drain(source: &mut LiveSource) -> Vec<(FrameRef, Vec<u8>)> {
    let (mut block, mut found) = (Block::default(), Vec::new());
    while source.next_block(&mut block).unwrap() {
        found.extend(block.frames.iter().map(|frame| (*frame, block.data(frame).to_vec())));
    }
    assert!(block.frames.is_empty() && block.bytes.is_empty());
    found
}

#[test]
fn frames_sent_are_frames_captured() {
    in_namespace("frames_sent_are_frames_captured", || {
        let (mut source, _) = watch(&Request { packets: Some(2_000), ..Request::new(WATCHED) });
        let counters = source.counters();
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        Sender::new().send((0..3_000).map(frame));
        let found = drain(&mut source);
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(found.len(), 2_000, "exactly as many as were asked for");
        let (mut offset, mut tick) = (24, 0);
        for (number, (got, data)) in (0..).zip(&found) {
            assert_eq!(*data, frame(number));
            assert_eq!((got.ordinal, got.link, got.interface, got.offset), (u64::from(number) + 1, 1, 0, offset));
            assert_eq!((got.caplen, got.origlen), (u32::try_from(data.len()).unwrap(), got.caplen));
            assert!(got.tick >= tick && (before..=after).contains(&u128::try_from(got.ts).unwrap()));
            offset += 16 + data.len() as u64;
            tick = got.tick;
        }
        assert!(found.iter().any(|(got, _)| got.ts % 1_000 != 0), "nanoseconds");
        let facts = source.facts();
        assert_eq!((facts.format.as_ref(), facts.link_types, facts.interfaces, facts.snaplen), ("live", vec![1], 1, 262_144));
        assert_eq!((facts.dropped, source.warnings(), source.position()), (0, &[][..], offset));
        assert_eq!((counters.now().captured, counters.now().received), (2_000, 3_000));
    });
}

#[test]
fn the_snapshot_length_cuts_and_the_filter_chooses() {
    in_namespace("the_snapshot_length_cuts_and_the_filter_chooses", || {
        // Bytes 14 to 17 hold the number.
        let filter = Some("ether proto 0x88b5 and ether[17] = 7".to_owned());
        let (mut source, _) = watch(&Request { packets: Some(4), snaplen: 64, filter, ..Request::new(WATCHED) });
        Sender::new().send((0..1_024).map(frame));
        let found = drain(&mut source);
        let sizes: Vec<_> = found.iter().map(|(got, _)| (got.ordinal, got.caplen, got.origlen)).collect();
        let whole = [7, 263, 519, 775].map(|number| u32::try_from(frame(number).len()).unwrap());
        assert_eq!(sizes, (1..).zip(whole).map(|(ordinal, length)| (ordinal, 64, length)).collect::<Vec<_>>());
        assert_eq!(source.facts().snaplen, 64);
    });
}

#[test]
fn the_end_comes_when_it_is_asked_for_and_loses_nothing() {
    in_namespace("the_end_comes_when_it_is_asked_for_and_loses_nothing", || {
        let (mut source, stop) = watch(&Request::new(WATCHED));
        let mut block = Block::default();
        let begun = Instant::now();
        assert!(source.next_block(&mut block).unwrap() && block.frames.is_empty(), "nothing came, and it goes on");
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        Sender::new().send((0..10).map(frame));
        // The kernel hands them over only later.
        stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        assert_eq!(drain(&mut source).len(), 10);
        assert!(begun.elapsed() < Duration::from_millis(350), "{:?}", begun.elapsed());
        assert!(!source.next_block(&mut block).unwrap(), "and stays so");
        assert_eq!(source.warnings(), []);

        let (mut source, stop) = watch(&Request::new(WATCHED));
        let asked = thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        assert!(drain(&mut source).is_empty());
        let late = asked.join().unwrap().elapsed();
        assert!(late < Duration::from_millis(350), "{late:?} after it was asked for, on a quiet interface");
    });
}

#[test]
fn a_duration_ends_it() {
    in_namespace("a_duration_ends_it", || {
        let begun = Instant::now();
        let (mut source, _) = watch(&Request { duration: Some(Duration::from_millis(700)), ..Request::new(WATCHED) });
        Sender::new().send((0..5).map(frame));
        assert_eq!(drain(&mut source).len(), 5);
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(1_200), "{took:?}");
    });
}

#[test]
fn an_alert_can_be_told_within_a_second_of_its_packet() {
    in_namespace("an_alert_can_be_told_within_a_second_of_its_packet", || {
        for immediate in [false, true] {
            let (mut source, _) = watch(&Request { immediate, ..Request::new(WATCHED) });
            let (mut sender, mut block) = (Sender::new(), Block::default());
            let mut longest = Duration::ZERO;
            for number in 0..5 {
                sender.send([frame(number)]);
                let sent = Instant::now();
                while block.frames.is_empty() {
                    assert!(source.next_block(&mut block).unwrap());
                }
                block.clear();
                longest = longest.max(sent.elapsed());
            }
            assert!(longest < Duration::from_millis(500), "{longest:?}");
        }
    });
}

#[test]
fn what_came_before_the_interface_disappeared_is_kept() {
    in_namespace("what_came_before_the_interface_disappeared_is_kept", || {
        let (mut source, _) = watch(&Request::new(WATCHED));
        Sender::new().send((0..20).map(frame));
        let deleted = thread::spawn(|| {
            thread::sleep(Duration::from_millis(300));
            ip(&format!("link delete {WATCHED}"));
        });
        let found = drain(&mut source);
        deleted.join().unwrap();
        assert_eq!(found.len(), 20);
        let [Warning::InterfaceLost { interface, frame: 20, problem }, ..] = source.warnings() else { panic!("{:?}", source.warnings()) };
        assert!(interface == WATCHED && !problem.is_empty(), "{problem}");
        assert!(source.warnings().iter().any(Warning::is_damage));
    });
}

#[test]
fn what_came_before_the_interface_was_switched_off_is_kept() {
    in_namespace("what_came_before_the_interface_was_switched_off_is_kept", || {
        let (mut source, _) = watch(&Request::new(WATCHED));
        let mut sender = Sender::new();
        sender.send((0..10).map(frame));
        let switched = thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            ip(&format!("link set {WATCHED} down"));
        });
        let found = drain(&mut source);
        switched.join().unwrap();
        assert_eq!(found.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(), (0..10).map(frame).collect::<Vec<_>>());
        assert_eq!(source.warnings(), [Warning::InterfaceDown { interface: WATCHED.into(), frame: 10 }]);
    });
}

#[test]
fn every_frame_is_captured_or_counted_as_dropped() {
    in_namespace("every_frame_is_captured_or_counted_as_dropped", || {
        const SENT: u64 = 20_000;
        let (mut source, stop) = watch(&Request { buffer_bytes: 1 << 20, ..Request::new(WATCHED) });
        let counters = source.counters();
        // Nobody reads meanwhile: 15 MB do not fit.
        Sender::new().send((0..20_000).map(frame));
        stop.store(true, Ordering::Relaxed);
        let found = drain(&mut source).len() as u64;
        let counted = counters.now();
        assert_eq!((counted.received, counted.captured, counted.if_dropped), (SENT, found, 0));
        assert_eq!(counted.captured + counted.dropped, SENT);
        assert!(counted.dropped > 0);
        assert_eq!(source.facts().dropped, counted.missing());
    });
}

#[test]
fn all_interfaces_together_and_the_loopback_are_decoded() {
    in_namespace("all_interfaces_together_and_the_loopback_are_decoded", || {
        for (interface, link) in [("any", 113), ("lo", 1)] {
            let filter = Some("udp port 9".to_owned());
            let (mut source, _) = watch(&Request { packets: Some(30), filter, ..Request::new(interface) });
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            // Nobody listens there.
            (0..30).for_each(|number| _ = socket.send_to(&[number; 64], "127.0.0.1:9"));
            let measured = pipeline::measure(&mut source, &Settings::default(), &Options::default(), &mut |_| Ok(())).unwrap();
            assert_eq!(measured.facts.link_types, [link], "{interface}");
            assert_eq!((measured.accounting.frames, measured.accounting.decoded), (30, 30), "{interface}");
        }
    });
}

#[test]
fn an_open_interface_needs_no_rights_any_more() {
    in_namespace("an_open_interface_needs_no_rights_any_more", || {
        let nobody = confine::user("nobody").unwrap();
        let (mut source, _) = watch(&Request { packets: Some(50), ..Request::new(WATCHED) });
        let mut sender = Sender::new();
        confine::become_user(&nobody).unwrap();
        let reads = source.reads();
        assert_eq!(reads.len(), 1);
        let restricted = confine::restrict(&Allowed { readable: reads.clone(), ..Allowed::default() });
        if matches!(restricted, Restricted::None(_)) {
            skipped("files", &restricted.to_string());
        } else {
            assert!(std::fs::read("/etc/passwd").is_err());
        }
        assert!(std::fs::read(reads[0].join("rx_missed_errors")).is_ok());
        sender.send((0..50).map(frame));
        assert_eq!(drain(&mut source).len(), 50);
        assert_eq!((source.warnings(), source.counters().now().missing()), (&[][..], 0));
    });
}

fn refused(request: &Request) -> (String, String) {
    let error = live::open(request, Arc::default()).map(drop).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn what_cannot_be_watched_is_said_with_what_to_do() {
    in_namespace("what_cannot_be_watched_is_said_with_what_to_do", || {
        let (problem, hint) = refused(&Request::new("nsm11"));
        assert!(problem.starts_with("cannot capture on nsm11: there is no such interface; there are "), "{problem}");
        assert!([SENDER, WATCHED, "lo", "any"].iter().all(|name| problem.contains(name)), "{problem}");
        assert!(hint.starts_with("did you mean nsm1?"), "{hint}");
        let filter = Some("tcp prot 80".to_owned());
        let (problem, hint) = refused(&Request { filter, ..Request::new(WATCHED) });
        assert!(problem.starts_with("the filter `tcp prot 80` cannot be used: ") && problem.contains("syntax error"), "{problem}");
        assert!(hint.contains("pcap-filter"), "{hint}");
        ip(&format!("link set {WATCHED} down"));
        let (problem, hint) = refused(&Request::new(WATCHED));
        assert!(problem.contains("not up") && hint.contains("ip link set nsm1 up"), "{problem}: {hint}");
        assert!(matches!(live::open(&Request::new("a\0b"), Arc::default()), Err(Error::Interface { .. })));
    });
}

#[test]
fn who_may_not_capture_is_told_how_to() {
    in_namespace_as("who_may_not_capture_is_told_how_to", Some(65_534), || {
        let (problem, hint) = refused(&Request::new(WATCHED));
        assert!(problem.starts_with("cannot capture on nsm1: "), "{problem}");
        assert!(hint.contains("setcap cap_net_raw,cap_net_admin=eip"), "{problem}: {hint}");
    });
}

#[test]
fn interfaces_are_listed_with_what_they_are() {
    in_namespace("interfaces_are_listed_with_what_they_are", || {
        ip(&format!("address add 192.0.2.7/24 dev {WATCHED}"));
        let listed = live::interfaces().unwrap();
        let of = |name: &str| listed.iter().find(|interface| interface.name == name).unwrap();
        assert!(of("lo").loopback && !of(WATCHED).loopback && of(WATCHED).up && of(WATCHED).running);
        assert_eq!(of(WATCHED).addresses, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(of(WATCHED).connected, Some(true));
        assert!(listed.iter().any(|interface| interface.name == "any"));
        assert!(!listed.iter().any(|interface| interface.name.starts_with("dbus")), "that is no network");
    });
}
