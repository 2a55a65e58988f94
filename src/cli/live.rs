//! The flags of live capture: which interface, how it is watched, and what becomes of the packets.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::capture::live::{BUFFER_MIB, Request, SNAPLEN};
use crate::pcapng::Origin;
use crate::ring::Recording;

/// libpcap counts the bytes of its buffer in 31 bits.
const MOST_BUFFER_MIB: i64 = 2_047;
/// Less than the headers of a packet, and nothing can be said of it.
const LEAST_SNAPLEN: i64 = 64;
const MIB: u64 = 1 << 20;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live capture")]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub struct Live {
    /// Watch this interface instead of reading captures, until Ctrl-C; `any` stands for all (Linux), `-` for a capture
    /// on standard input that is still being written.
    ///
    /// An interface needs a build with `--features live`, and the right to capture: root, or
    /// `sudo setcap cap_net_raw,cap_net_admin=eip $(command -v nsm)`.
    #[arg(long = "live", value_name = "INTERFACE", value_hint = ValueHint::Other, conflicts_with_all = ["paths", "as_one", "carve", "save_baseline", "force", "list_interfaces"])]
    pub interface: Option<String>,

    /// List the interfaces that can be watched.
    #[arg(long, conflicts_with = "paths")]
    pub list_interfaces: bool,

    /// Only packets that match, in the language of tcpdump: `tcp port 443 and not host 10.0.0.1`. For captures too.
    #[arg(short, long, value_name = "EXPR", help_heading = "What to look for")]
    pub filter: Option<String>,

    /// Bytes kept of each packet.
    #[arg(long, value_name = "BYTES", default_value_t = SNAPLEN, value_parser = clap::value_parser!(u32).range(LEAST_SNAPLEN..=i64::from(SNAPLEN)), requires = "interface", conflicts_with = "paths")]
    pub snaplen: u32,

    /// Leave out what is addressed to others.
    #[arg(long, requires = "interface", conflicts_with = "paths")]
    pub no_promiscuous: bool,

    /// Take every packet at once instead of a tenth of a second's together: for a quiet interface, loses packets on a busy
    /// one.
    #[arg(long, requires = "interface", conflicts_with = "paths")]
    pub immediate: bool,

    /// Memory of the kernel for packets that were not read yet.
    #[arg(long, value_name = "MIB", default_value_t = BUFFER_MIB, value_parser = clap::value_parser!(u32).range(1..=MOST_BUFFER_MIB), requires = "interface", conflicts_with = "paths")]
    pub buffer: u32,

    /// End after this time: `30s`, `10m`, `2h`, `7d`, or seconds.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "interface", conflicts_with = "paths")]
    pub duration: Option<Duration>,

    /// End after so many packets.
    #[arg(long, value_name = "N", requires = "interface", conflicts_with = "paths")]
    pub packets: Option<NonZeroU64>,

    /// Write the packets to this capture file (pcapng) too, or to one in this directory. No file is overwritten.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, requires = "interface", conflicts_with = "paths")]
    pub write: Option<PathBuf>,

    /// Begin another file when one has this size; files are named as by dumpcap: `PATH_00001_20260301080000.pcapng`.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20), requires = "write")]
    pub ring_size: Option<u64>,

    /// Keep so many of these files, the newest.
    #[arg(long, value_name = "N", requires = "ring_size")]
    pub ring_files: Option<NonZeroUsize>,

    /// Give up the rights of root for those of this user once the interface is open.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, requires = "interface", conflicts_with = "paths")]
    pub user: Option<String>,

    /// Begin a new report every hour or day of packet time (UTC).
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Rotate::None, requires = "interface", conflicts_with = "paths")]
    pub rotate: Rotate,

    /// Alerts to standard output while they happen, a JSON object on a line for each.
    #[arg(long, requires = "interface", conflicts_with = "paths")]
    pub jsonl: bool,
}

/// When one report ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Rotate {
    Hour,
    Day,
    /// One report of everything.
    #[default]
    None,
}

impl Live {
    /// What to watch, if anything.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        Some(Request {
            interface: self.interface.clone()?,
            filter: self.filter.clone(),
            snaplen: self.snaplen,
            promiscuous: !self.no_promiscuous,
            immediate: self.immediate,
            buffer_bytes: self.buffer << 20,
            duration: self.duration,
            packets: self.packets.map(NonZeroU64::get),
        })
    }

    /// What to write of it, if anything.
    #[must_use]
    pub fn recording(&self, program: &str) -> Option<Recording> {
        let interface = self.interface.clone()?;
        Some(Recording {
            path: self.write.clone()?,
            size: self.ring_size.map(|mebibytes| mebibytes * MIB),
            files: self.ring_files.map(NonZeroUsize::get),
            origin: Origin { interface, filter: self.filter.clone() },
            snaplen: self.snaplen,
            program: program.to_owned(),
        })
    }
}

/// A time with its unit, or in seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let whole = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    let some = whole.filter(|seconds| *seconds > 0);
    some.map(Duration::from_secs).ok_or_else(|| "write it as 30s, 10m, 2h, 7d, or in seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Analyze, Cli, Command};
    use super::*;

    fn analyze(args: &[&str]) -> Result<Analyze, clap::Error> {
        match Cli::try_parse_from(["nsm", "analyze"].iter().chain(args))?.command {
            Command::Analyze(analyze) => Ok(*analyze),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_interface_is_watched_as_the_help_says() {
        let live = analyze(&["--live", "eth0"]).unwrap().live;
        assert_eq!(live.request(), Some(Request::new("eth0")));
        assert_eq!((live.recording("nsm"), live.rotate, live.user), (None, Rotate::None, None));
        assert_eq!(analyze(&["a.pcap", "-f", "tcp"]).unwrap().live.request(), None);
        assert!(analyze(&["--list-interfaces"]).unwrap().live.list_interfaces);
    }

    #[test]
    fn every_flag_reaches_what_it_is_for() {
        let args = "--live any -f udp --snaplen 96 --no-promiscuous --immediate --buffer 2047 --duration 2h --packets 5 \
                    --write ring.pcapng --ring-size 3 --ring-files 4 --user nobody --rotate day --jsonl";
        let live = analyze(&args.split_ascii_whitespace().collect::<Vec<_>>()).unwrap().live;
        let request = Request {
            interface: "any".into(),
            filter: Some("udp".into()),
            snaplen: 96,
            promiscuous: false,
            immediate: true,
            buffer_bytes: 2_047 * 1_048_576,
            duration: Some(Duration::from_secs(7_200)),
            packets: Some(5),
        };
        assert_eq!(live.request(), Some(request));
        let origin = Origin { interface: "any".into(), filter: Some("udp".into()) };
        let (size, files) = (Some(3 * 1_048_576), Some(4));
        let recording = Recording { path: "ring.pcapng".into(), size, files, origin, snaplen: 96, program: "nsm 0".into() };
        assert_eq!(live.recording("nsm 0"), Some(recording));
        assert_eq!((live.user.as_deref(), live.rotate, live.jsonl), (Some("nobody"), Rotate::Day, true));
    }

    #[test]
    fn times_have_units() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(["30", "30s", "10m", "2h", "7d"].map(seconds), [30, 30, 600, 7_200, 604_800].map(Some));
        for no_time in ["", "0", "0s", "s", "-1", "1.5h", "2 h", "1w", "99999999999999999999", "18446744073709551615d"] {
            assert_eq!(seconds(no_time), None, "{no_time}");
        }
    }

    #[test]
    fn what_has_no_meaning_together_is_refused() {
        for args in [
            "--live eth0 a.pcap",
            "--live eth0 --as-one",
            "--live eth0 --carve",
            "--live eth0 --list-interfaces",
            "--list-interfaces a.pcap",
            "a.pcap --duration 30s",
            "a.pcap --snaplen 96",
            "a.pcap --write b.pcapng",
            "a.pcap --jsonl",
            "--live eth0 --ring-size 5",
            "--live eth0 --write a.pcapng --ring-files 5",
            "--live eth0 --write a.pcapng --ring-size 0",
            "--live eth0 --snaplen 63",
            "--live eth0 --snaplen 262145",
            "--live eth0 --buffer 2048",
            "--live eth0 --packets 0",
            "--live eth0 --rotate minute",
        ] {
            assert!(analyze(&args.split(' ').collect::<Vec<_>>()).is_err(), "{args}");
        }
    }
}
