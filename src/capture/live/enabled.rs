//! An interface watched through libpcap.
//!
//! Knows how libpcap is asked and what its answers mean. What one second of traffic costs decided how it is read
//! (570 000 packets of 100 bytes, or 125 MB, a second through a pair of virtual interfaces, two cores):
//!
//! - `pcap_dispatch` with a limit copies frames out of the ring that kernel and process share, at 0.04 µs for a frame of
//!   100 bytes and 0.2 µs for one of 1514; `pcap_next_ex` takes 0.05 and 0.35 µs.
//! - Never blocking in libpcap: with `TPACKET_V3` its time-out does not run while nothing comes, so that a quiet
//!   interface would not hear of the end. Waiting is done here, with `poll`.
//! - Before waiting, a nap: without it this thread is woken for nearly every packet (20 000 times in 3 s at 10 000
//!   packets/s, with it 55 times).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Device, Packet, Precision, Stat};

use super::super::dlt;
use super::super::tally::{Record, Tally};
use super::super::walk::narrow;
use super::super::{Block, Source, SourceFacts};
use super::{Counters, Interface, Request};
use crate::config::nearest;
use crate::error::Error;
use crate::time::{EARLIEST, LATEST, Nanos, SECOND};
use crate::warning::Warning;

/// A block ends with so many frames, so many bytes, or so much time after it began: DESIGN section 1. An alert
/// is to be printed within a second of its packet.
const BLOCK_FRAMES: usize = 64 << 10;
const BLOCK_BYTES: usize = 16 << 20;
const BLOCK_TIME: Duration = Duration::from_millis(200);

/// The kernel hands over a part of its ring when it is full or this old, whichever comes first; milliseconds.
const RING_TIME: i32 = 100;
/// The longest time without a look at the stop flag. With [`LAST_LOOK`] it is over a quarter of a second after that
/// is set.
const WAIT: Duration = Duration::from_millis(100);
/// After the end was asked for, what the kernel has received but not handed over is waited for.
const LAST_LOOK: Duration = Duration::from_millis(120);
/// At 800 MB/s the kernel receives 4 MiB in it, of 64 that there is room for.
const NAP: Duration = Duration::from_millis(5);
/// How often libpcap is asked what was dropped.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Frames taken at once, so that the end and the time are looked at in between.
const FRAMES_AT_ONCE: usize = 1_024;

/// Bytes before the first record of a pcap file, and of each record header: the offset of a frame is where
/// `tcpdump -w` would put the record.
const FILE_HEADER: u64 = 24;
const RECORD_HEADER: u64 = 16;

/// The device of Linux that stands for all interfaces.
const ANY: &str = "any";
/// Devices that libpcap lists too and that are no networks. (Of the messages of D-Bus there is not even a descriptor to
/// wait for.)
const NO_NETWORKS: [&str; 4] = ["nfqueue", "usbmon", "bluetooth", "dbus-"];
/// What the packet filter of Linux logs; stamped in microseconds.
const LOGGED: &str = "nflog";

/// The interfaces there are, the most useful first, as libpcap orders them.
///
/// # Errors
/// When libpcap cannot list them.
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    let listed = Device::list().map_err(|cause| {
        let problem = format!("the interfaces cannot be listed: {}", told(cause));
        Error::Interface { interface: "any interface".into(), problem, hint: None }
    })?;
    Ok(listed.into_iter().filter(|device| is_network(&device.name)).map(described).collect())
}

fn is_network(interface: &str) -> bool {
    !NO_NETWORKS.iter().any(|device| interface.starts_with(device))
}

fn described(device: Device) -> Interface {
    let flags = &device.flags;
    let connected = match flags.connection_status {
        pcap::ConnectionStatus::Connected => Some(true),
        pcap::ConnectionStatus::Disconnected => Some(false),
        _ => None,
    };
    Interface {
        up: flags.is_up(),
        running: flags.is_running(),
        loopback: flags.is_loopback(),
        wireless: flags.is_wireless(),
        connected,
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        name: device.name,
        description: device.desc,
    }
}

/// Watches an interface until `stop` is set, or what the request says is reached.
///
/// # Errors
/// When there is no such interface, it must not be watched, or the filter is none; with what to do about it.
pub fn open(request: &Request, stop: Arc<AtomicBool>) -> Result<LiveSource, Error> {
    let capture = activate(request).map_err(|cause| refused(request, cause))?;
    let dlt = capture.get_datalink().0;
    let Some(link) = dlt::link_of(dlt) else {
        let problem = format!("its link type has the number {dlt}, which no capture file knows");
        return Err(Error::Interface { interface: request.interface.clone(), problem, hint: None });
    };
    let mut tally = Tally::default();
    tally.facts.format = "live".into();
    tally.interface(link, request.snaplen);
    let now = Instant::now();
    Ok(LiveSource {
        capture,
        interface: request.interface.clone(),
        reader: Reader { link, fraction: fraction(&request.interface), position: FILE_HEADER, tally },
        counters: Arc::default(),
        seen: Stat { received: 0, dropped: 0, if_dropped: 0 },
        counted: now,
        stop,
        deadline: request.duration.and_then(|duration| now.checked_add(duration)),
        left: request.packets,
        last_look: if request.immediate { Duration::ZERO } else { LAST_LOOK },
        nap: if request.immediate { Duration::ZERO } else { NAP },
        closing: None,
        is_down: false,
        ended: false,
    })
}

fn activate(request: &Request) -> Result<Capture<Active>, Refusal> {
    let interface = request.interface.as_str();
    if !is_network(interface) {
        return Err(Refusal::Device("it is no network".into()));
    }
    let limit = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
    let capture = Capture::from_device(interface)
        .map_err(|cause| Refusal::Device(told(cause)))?
        .snaplen(limit(request.snaplen))
        // All interfaces together have no such mode; libpcap says so as an error.
        .promisc(request.promiscuous && interface != ANY)
        .timeout(RING_TIME)
        .buffer_size(limit(request.buffer_bytes))
        .precision(if fraction(interface) == 1 { Precision::Nano } else { Precision::Micro })
        .immediate_mode(request.immediate)
        .open()
        .map_err(|cause| Refusal::Device(told(cause)))?;
    // Before the filter: from here on nothing waits inside of libpcap.
    let mut capture = capture.setnonblock().map_err(|cause| Refusal::Device(told(cause)))?;
    if let Some(expression) = &request.filter {
        capture.filter(expression, true).map_err(|cause| Refusal::Filter(told(cause)))?;
    }
    Ok(capture)
}

/// Nanoseconds in the unit of libpcap's fraction of a second. The crate does not tell whether nanoseconds were granted:
/// they are for every network interface of Linux and FreeBSD (`pcap_set_tstamp_precision(3PCAP)`).
fn fraction(interface: &str) -> Nanos {
    let knows_nanoseconds = cfg!(any(target_os = "linux", target_os = "freebsd"));
    if knows_nanoseconds && !interface.starts_with(LOGGED) { 1 } else { 1_000 }
}

/// Why a capture cannot begin, in the words of libpcap.
enum Refusal {
    Device(String),
    Filter(String),
}

/// The same, with what to do about it.
fn refused(request: &Request, refusal: Refusal) -> Error {
    let interface = request.interface.clone();
    let problem = match refusal {
        Refusal::Filter(problem) => return Error::Filter { expression: request.filter.clone().unwrap_or_default(), problem },
        Refusal::Device(problem) => problem,
    };
    let listed = interfaces().unwrap_or_default();
    let names: Vec<&str> = listed.iter().map(|interface| interface.name.as_str()).collect();
    if !names.is_empty() && !names.contains(&interface.as_str()) {
        let problem = format!("there is no such interface; there are {}", names.join(", "));
        let hint = nearest(&interface, names.iter().copied()).map(|name| format!("did you mean {name}?"));
        let list = "`nsm analyze --list-interfaces` says more of each".to_owned();
        return Error::Interface { interface, problem, hint: Some(hint.map_or_else(|| list.clone(), |hint| format!("{hint} {list}"))) };
    }
    let says = |words: &[&str]| words.iter().any(|word| problem.to_lowercase().contains(word));
    let hint = if says(&["permi", "cap_net_raw"]) {
        let grant = "sudo setcap cap_net_raw,cap_net_admin=eip $(command -v nsm)";
        Some(format!("capturing is for root, or for a program that was granted it: {grant}; or run it with sudo, and --user NAME"))
    } else if says(&["not up", "down"]) {
        Some(format!("switch it on: sudo ip link set {interface} up"))
    } else {
        None
    };
    Error::Interface { interface, problem, hint }
}

/// What libpcap says, without the prefix that the crate puts before it.
fn told(cause: pcap::Error) -> String {
    match cause {
        pcap::Error::PcapError(text) => text,
        other => other.to_string(),
    }
}

/// Frames of an interface.
pub struct LiveSource {
    capture: Capture<Active>,
    interface: String,
    reader: Reader,
    counters: Arc<Counters>,
    /// The counts of libpcap when it was asked last, and when that was.
    seen: Stat,
    counted: Instant,
    stop: Arc<AtomicBool>,
    deadline: Option<Instant>,
    /// Frames that may still be taken.
    left: Option<u64>,
    last_look: Duration,
    nap: Duration,
    /// The end was asked for: when the last look is over.
    closing: Option<Instant>,
    is_down: bool,
    ended: bool,
}

/// Turns packets into frames of a block.
struct Reader {
    link: u16,
    fraction: Nanos,
    position: u64,
    tally: Tally,
}

impl Reader {
    #[inline]
    fn take(&mut self, packet: &Packet, block: &mut Block) {
        let record = Record {
            interface: 0,
            ts: self.moment(packet),
            offset: self.position,
            start: narrow(block.bytes.len()),
            caplen: narrow(packet.data.len()),
            origlen: packet.header.len,
            link: self.link,
        };
        block.frames.push(self.tally.frame(record));
        block.bytes.extend_from_slice(packet.data);
        self.position += RECORD_HEADER + packet.data.len() as u64;
    }

    #[allow(clippy::useless_conversion, reason = "some systems count seconds in fewer bits")]
    fn moment(&self, packet: &Packet) -> Nanos {
        let seconds = Nanos::from(packet.header.ts.tv_sec).saturating_mul(SECOND);
        let fraction = Nanos::from(packet.header.ts.tv_usec).saturating_mul(self.fraction);
        seconds.saturating_add(fraction).clamp(EARLIEST, LATEST)
    }
}

impl LiveSource {
    /// What is counted, for other threads.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// What libpcap opens again and again while the interface is watched (Linux: its losses), for who restricts what may
    /// be opened ([`crate::confine`]).
    #[must_use]
    pub fn reads(&self) -> Vec<PathBuf> {
        let losses = Path::new("/sys/class/net").join(&self.interface).join("statistics");
        // The names in that directory are links; what is restricted is the place they lead to.
        losses.canonicalize().into_iter().collect()
    }

    /// How many frames are taken at once, so that they fit however long they are.
    fn most(&self, block: &Block) -> usize {
        let longest = self.reader.tally.facts.snaplen.max(1) as usize;
        let by_bytes = BLOCK_BYTES.saturating_sub(block.bytes.len()) / longest;
        let by_frames = BLOCK_FRAMES.saturating_sub(block.frames.len());
        let by_request = usize::try_from(self.left.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        by_bytes.max(1).min(by_frames).min(by_request).min(FRAMES_AT_ONCE)
    }

    /// Takes frames that are there.
    fn take(&mut self, most: usize, block: &mut Block) -> usize {
        let Self { capture, reader, .. } = self;
        match capture.dispatch(Some(most), |packet| reader.take(&packet, block)) {
            Ok(taken) => {
                self.left = self.left.map(|left| left.saturating_sub(taken as u64));
                self.counters.captured.store(self.reader.tally.frames(), Ordering::Relaxed);
                taken
            }
            Err(cause) => {
                self.lost(told(cause));
                0
            }
        }
    }

    /// The interface cannot be read any more.
    fn lost(&mut self, problem: String) {
        let frame = self.reader.tally.frames();
        self.reader.tally.warnings.push(Warning::InterfaceLost { interface: self.interface.clone(), frame, problem });
        self.ended = true;
    }

    /// Asked for, or reached: the end comes after a last look at what the kernel has.
    fn look_for_the_end(&mut self, now: Instant) {
        if self.closing.is_none() {
            let asked = self.stop.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| now >= deadline);
            self.closing = asked.then(|| now + self.last_look);
        }
        self.ended |= self.left == Some(0) || self.closing.is_some_and(|closing| now >= closing);
    }

    /// Until there is something to read, but not beyond `until`.
    fn wait(&mut self, now: Instant, until: Instant) {
        let until = [self.closing, self.deadline.filter(|_| self.closing.is_none())].into_iter().flatten().fold(until, Instant::min);
        let longest = until.saturating_duration_since(now).min(WAIT);
        let nap = self.nap.min(longest);
        thread::sleep(nap);
        self.look(longest.saturating_sub(nap));
    }

    /// Waits for something to read. Also the place to hear that the interface was switched off: the kernel says so once,
    /// to whoever asks first, and libpcap keeps it to itself. Whether the interface is gone, libpcap finds out.
    fn look(&mut self, longest: Duration) {
        if has_gone_down(&self.capture, longest) {
            self.is_down = true;
            // What came before it is still in the kernel's ring.
            let closing = Instant::now() + self.last_look;
            self.closing.get_or_insert(closing);
        }
    }

    /// Asks libpcap what was dropped. Its counts are of 32 bits and begin anew; what goes back is no count
    /// (libpcap reads the interface's losses from a file that may have become unreadable).
    fn count(&mut self, now: Instant) {
        self.counted = now;
        let Ok(stat) = self.capture.stats() else { return };
        let since = |new: u32, old: u32| u64::from(Some(new.wrapping_sub(old)).filter(|more| *more <= u32::MAX / 2).unwrap_or(0));
        let counters = &self.counters;
        counters.received.fetch_add(since(stat.received, self.seen.received), Ordering::Relaxed);
        counters.dropped.fetch_add(since(stat.dropped, self.seen.dropped), Ordering::Relaxed);
        counters.if_dropped.fetch_add(since(stat.if_dropped, self.seen.if_dropped), Ordering::Relaxed);
        self.seen = stat;
    }

    fn finish(&mut self) {
        self.count(Instant::now());
        if self.is_down {
            let down = Warning::InterfaceDown { interface: self.interface.clone(), frame: self.reader.tally.frames() };
            self.reader.tally.warnings.push(down);
        }
        self.reader.tally.finish();
    }
}

impl Source for LiveSource {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.clear();
        if self.ended {
            return Ok(false);
        }
        let until = Instant::now() + BLOCK_TIME;
        self.look(Duration::ZERO);
        while !self.ended {
            let most = self.most(block);
            let taken = self.take(most, block);
            let now = Instant::now();
            self.look_for_the_end(now);
            if now.duration_since(self.counted) >= COUNT_EVERY {
                self.count(now);
            }
            if now >= until || block.frames.len() >= BLOCK_FRAMES || block.bytes.len() >= BLOCK_BYTES {
                break;
            }
            // Where as many were there as were asked for, there are more.
            if taken < most && !self.ended {
                self.wait(now, until);
            }
        }
        if self.ended {
            self.finish();
        }
        Ok(!self.ended || !block.frames.is_empty())
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.finish();
        }
    }

    fn warnings(&self) -> &[Warning] {
        &self.reader.tally.warnings
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts { dropped: self.counters.now().missing(), ..self.reader.tally.facts() }
    }

    fn position(&self) -> u64 {
        self.reader.position
    }
}

/// Waits until there is something to read, or so long. Whether the kernel says that the interface was switched off.
#[cfg(unix)]
fn has_gone_down(capture: &Capture<Active>, longest: Duration) -> bool {
    use std::os::fd::AsFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let milliseconds = u16::try_from(longest.as_millis()).unwrap_or(u16::MAX);
    let mut waiting = [PollFd::new(capture.as_fd(), PollFlags::POLLIN)];
    // A signal ends the waiting early, and the stop flag is looked at.
    let is_woken = poll(&mut waiting, PollTimeout::from(milliseconds)).is_ok_and(|ready| ready > 0);
    is_woken && waiting.iter().filter_map(PollFd::revents).any(|events| events.contains(PollFlags::POLLERR))
}

#[cfg(not(unix))]
fn has_gone_down(_: &Capture<Active>, longest: Duration) -> bool {
    thread::sleep(longest.min(Duration::from_millis(10)));
    false
}
