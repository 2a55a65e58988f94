//! `nsm analyze --live -`: a capture on standard input that is still being written, as from `tcpdump -w -`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::TestBench;
use serde_json::Value;

/// Far above what anything here takes; reached only where something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// `nsm` following what it is fed.
struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    reports: PathBuf,
}

impl Live {
    fn begin(bench: &TestBench, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nsm"))
            .args(["analyze", "--live", "-", "-o", "reports", "--format", "csv,json,parquet"])
            .args(args)
            .current_dir(bench.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdin = child.stdin.take();
        let live = Self { child, stdin, lines, reports: bench.path().join("reports/live-stdin") };
        // From here on it can be signalled.
        live.hear("watching stdin");
        live
    }

    fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until a line says this.
    fn hear(&self, part: &str) -> String {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
            if line.contains(part) {
                return line;
            }
            heard.push(line);
        }
        panic!("{part:?} was not said, but:\n{}", heard.join("\n"));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Reports that are whole, in the order of their periods.
    fn reports(&self) -> Vec<PathBuf> {
        let mut whole: Vec<PathBuf> = fs::read_dir(&self.reports)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("manifest.json").exists())
            .collect();
        whole.sort();
        whole
    }

    fn wait_for_reports(&self, number: usize) -> Vec<PathBuf> {
        let begun = Instant::now();
        while self.reports().len() < number && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        let reports = self.reports();
        assert_eq!(reports.len(), number);
        reports
    }

    /// The end of the capture; the exit code.
    fn end(mut self) -> (i32, Vec<PathBuf>) {
        drop(self.stdin.take());
        let code = self.child.wait().unwrap().code().unwrap();
        (code, self.reports())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(common::samples().into_iter().find(|sample| sample.name == name).unwrap().capture).unwrap()
}

/// Alerts as they are to be the same, whatever the capture is called.
fn alerts(report: &Path) -> Vec<Value> {
    let mut alerts = common::alerts(report);
    alerts.iter_mut().for_each(|alert| drop(alert.as_object_mut().unwrap().remove("capture")));
    alerts
}

#[test]
fn an_alert_is_told_while_the_capture_goes_on_and_the_report_is_that_of_the_file() {
    let bench = TestBench::new();
    let capture = sample("mixed-incident");
    let mut live = Live::begin(&bench, &[]);
    live.feed(&capture);
    live.hear("port_scan: ");
    assert!(live.reports().is_empty(), "it goes on");
    let (code, reports) = live.end();
    assert_eq!((code, reports.len()), (0, 1));
    bench.write("whole.pcapng", &capture);
    bench.nsm(["analyze", "whole.pcapng", "--quiet"]).expect_code(0);
    let whole = bench.reports().join("whole.pcapng");
    let told = alerts(&reports[0]);
    assert!(!told.is_empty());
    assert_eq!(told, alerts(&whole));
    for table in ["flows.csv", "hosts.csv", "protocols.csv", "timeline.csv"] {
        assert_eq!(fs::read_to_string(reports[0].join(table)).unwrap(), fs::read_to_string(whole.join(table)).unwrap(), "{table}");
    }
}

#[test]
fn a_report_can_be_asked_for_and_the_next_goes_on_from_there() {
    let bench = TestBench::new();
    let capture = sample("port-scan");
    let mut live = Live::begin(&bench, &[]);
    live.feed(&capture[..capture.len() / 2]);
    live.hear("port_scan: ");
    live.signal("-USR1");
    let first = live.wait_for_reports(1);
    live.feed(&capture[capture.len() / 2..]);
    let (code, reports) = live.end();
    assert_eq!((code, reports.len(), &reports[0]), (0, 2, &first[0]));
    let frames = |report: &Path| common::json(&report.join("summary.json"))["capture"]["frames"].as_u64().unwrap();
    bench.write("whole.pcap", &capture);
    bench.nsm(["analyze", "whole.pcap", "--quiet"]).expect_code(0);
    let whole = bench.reports().join("whole.pcap");
    assert_eq!(frames(&reports[0]) + frames(&reports[1]), frames(&whole), "every frame in one report");
    // The scan that crosses the turn is told in both, and is one event.
    let scan = |report: &Path| alerts(report).into_iter().find(|alert| alert["type"] == "port_scan").unwrap();
    assert_eq!(scan(&reports[0])["first_seen"], scan(&whole)["first_seen"]);
    let rejudged = bench.nsm(["judge", reports[1].to_str().unwrap()]).expect_code(0);
    assert!(rejudged.stdout.contains("0 appear, 0 disappear, 0 change"), "{}", rejudged.stdout);
    let log = fs::read_to_string(reports[0].with_file_name("security_monitor.log")).unwrap();
    assert_eq!(
        log.lines().filter(|line| line.contains("- port_scan: ") && !line.contains("over: ") && !line.contains("grows: ")).count(),
        1,
        "{log}"
    );
}

#[test]
fn the_log_is_opened_anew_when_asked() {
    let bench = TestBench::new();
    let capture = sample("port-scan");
    let mut live = Live::begin(&bench, &[]);
    live.feed(&capture);
    live.hear("port_scan: ");
    let log = live.reports.join("security_monitor.log");
    fs::rename(&log, live.reports.join("moved.log")).unwrap();
    live.signal("-HUP");
    thread::sleep(Duration::from_secs(1));
    let (reports_dir, (code, _)) = (live.reports.clone(), live.end());
    assert_eq!(code, 0);
    assert!(fs::read_to_string(reports_dir.join("moved.log")).unwrap().contains("port_scan"));
    assert!(fs::read_to_string(log).unwrap().contains("capture stdin ends"));
}

#[test]
fn an_interrupt_ends_with_a_complete_report() {
    for signal in ["-INT", "-TERM"] {
        let bench = TestBench::new();
        let mut live = Live::begin(&bench, &[]);
        live.feed(&sample("port-scan"));
        live.hear("port_scan: ");
        live.signal(signal);
        let begun = Instant::now();
        let code = live.child.wait().unwrap().code();
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert_eq!((code, live.reports().len()), (Some(0), 1), "{signal}");
        assert!(alerts(&live.reports()[0]).iter().any(|alert| alert["type"] == "port_scan"));
    }
}

#[test]
fn a_quiet_office_makes_no_alarm_at_any_moment() {
    let bench = TestBench::new();
    let capture = sample("office");
    let mut live = Live::begin(&bench, &[]);
    for piece in capture.chunks(capture.len().div_ceil(20)) {
        live.feed(piece);
        thread::sleep(Duration::from_millis(100));
    }
    let (reports_dir, (code, reports)) = (live.reports.clone(), live.end());
    assert_eq!((code, reports.len()), (0, 1));
    let log = fs::read_to_string(reports_dir.join("security_monitor.log")).unwrap();
    let alarms: Vec<&str> =
        log.lines().filter(|line| [" - WARNING - ", " - ERROR - ", " - CRITICAL - "].iter().any(|level| line.contains(level))).collect();
    assert_eq!(alarms, [""; 0]);
}

/// A receiver that takes the connection and says nothing ever.
#[test]
fn a_receiver_that_hangs_holds_nothing_up_and_its_loss_is_said() {
    let bench = TestBench::new();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hanging.local_addr().unwrap());
    let settings = ["--webhook", &url, "--set", "outlet.timeout_s=30", "--set", "outlet.patience_s=0.2"];
    let mut live = Live::begin(&bench, &settings);
    live.feed(&sample("mixed-incident"));
    // Three alerts are told although nobody takes the first.
    for kind in ["port_scan: ", "syn_flood: "] {
        live.hear(kind);
    }
    drop(live.stdin.take());
    let said = live.hear("were not delivered");
    assert!(said.contains("webhook http://127.0.0.1"), "{said}");
    let told = alerts(&live.wait_for_reports(1)[0]).len();
    let lost: usize = said.split(" of ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(lost >= told, "each alert was told at least once: {said}");
    assert_eq!(live.child.wait().unwrap().code(), Some(0));
}

/// In a file system of its own that holds no report.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_does_not_end_the_capture_and_leaves_no_report_that_looks_whole() {
    let bench = TestBench::new();
    let small = bench.path().join("small");
    fs::create_dir(&small).unwrap();
    bench.write("capture.pcap", sample("mixed-incident"));
    let mounted = format!(
        "mount -t tmpfs -o size=256k none {small} || exit 99; cat capture.pcap | {nsm} analyze --live - -o {small} --format csv,json,parquet; \
         code=$?; find {small} -name manifest.json; exit $code",
        small = small.display(),
        nsm = env!("CARGO_BIN_EXE_nsm"),
    );
    let run = Command::new("unshare").args(["--mount", "sh", "-c", &mounted]).current_dir(bench.path()).output();
    let run = match run {
        Ok(run) if run.status.code() != Some(99) && !String::from_utf8_lossy(&run.stderr).starts_with("unshare") => run,
        _ => return common::skipped("a full disk", "no file system can be mounted here"),
    };
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains("port_scan: ") && stderr.contains("syn_flood: "), "told although nothing can be written: {stderr}");
    assert!(stderr.contains("could be written: cannot write"), "{stderr}");
    assert_eq!((run.status.code(), String::from_utf8_lossy(&run.stdout).as_ref()), (Some(3), ""), "{stderr}");
}

/// A scan, a report on request, and then other traffic: the report has told the scan, and nothing unsays it.
#[test]
fn what_a_report_has_told_is_not_withdrawn_afterwards() {
    let bench = TestBench::new();
    let mut live = Live::begin(&bench, &[]);
    live.feed(&pcap(&scan(0, 1_000, 40)));
    live.hear("port_scan: ");
    live.signal("-USR1");
    live.wait_for_reports(1);
    for second in 0..20 {
        live.feed(&records(&[(1_030 + second, conversation(second))]));
        thread::sleep(Duration::from_millis(150));
    }
    let (reports_dir, (code, reports)) = (live.reports.clone(), live.end());
    assert_eq!((code, reports.len()), (0, 2));
    let log = fs::read_to_string(reports_dir.join("security_monitor.log")).unwrap();
    assert!(!log.contains("withdrawn") && log.contains("port_scan: over: "), "{log}");
    assert!(alerts(&reports[1]).iter().all(|alert| alert["type"] != "port_scan"), "it was over before this period");
}

/// One frame from 2096, then a turn: what comes after it is seen all the same.
#[test]
fn a_frame_from_another_year_blinds_nobody() {
    let bench = TestBench::new();
    let mut live = Live::begin(&bench, &[]);
    live.feed(&pcap(&[(1_000, conversation(1)), (3_977_000_000, conversation(2))]));
    thread::sleep(Duration::from_millis(700));
    live.signal("-USR1");
    live.wait_for_reports(1);
    live.feed(&records(&scan(0, 1_010, 40)));
    live.hear("port_scan: ");
    let (code, reports) = live.end();
    assert_eq!((code, reports.len()), (0, 2));
    let found = reports.iter().flat_map(|report| alerts(report)).filter(|alert| alert["type"] == "port_scan").count();
    assert_eq!(found, 1);
}

/// SYNs of 10.0.0.66 to ports of 10.0.0.1 from a second on, ten a second, and their refusals.
fn scan(first: u16, from: u32, ports: u16) -> Vec<(u32, Vec<u8>)> {
    let at = |port: u16| from + u32::from(port) / 10;
    (first..first + ports)
        .flat_map(|port| [(at(port), segment(66, 1, 40_000, 1 + port, 0x02)), (at(port), segment(1, 66, 1 + port, 40_000, 0x14))])
        .collect()
}

/// A frame of a host that asks nothing of anybody.
fn conversation(number: u32) -> Vec<u8> {
    segment(7, 8, 50_000, 443, if number == 0 { 0x02 } else { 0x10 })
}

fn segment(from: u8, to: u8, sport: u16, dport: u16, flags: u8) -> Vec<u8> {
    let ip = [&[0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to][..]].concat();
    let tcp = [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0]].concat();
    [&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0][..], &ip, &tcp].concat()
}

/// Records of a pcap file: seconds and frames.
fn records(frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let record = |(second, frame): &(u32, Vec<u8>)| {
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        [&second.to_le_bytes()[..], &[0; 4], &length, &length, frame].concat()
    };
    frames.iter().flat_map(record).collect()
}

fn pcap(frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    [&header[..], &records(frames)].concat()
}
