//! Nothing in a capture reaches the machine of who looks at the results: not through the terminal, a table, a page, a log,
//! a receiver of alerts, a program that is run for them, the names of files, links that lie in wait, or a report that
//! somebody else put there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{TestBench, sample, tree};
use etherparse::PacketBuilder;
use network_security_monitor::digest::{Hmac, hex};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes that mean something to a terminal, a log, a spreadsheet, a browser, a shell, or to nobody.
const HOSTILE: [&[u8]; 14] = [
    b"=cmd|' /C calc'!A0",
    b"+1+cmd|x",
    b"-2+3-cmd",
    b"@SUM(1+cmd)",
    b"\t=1+cmd",
    b"a;=cmd|' /C calc'!A0",
    b"\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    b"x\r\n2024-03-05 09:00:00 - INFO - forged\n<34>1 - forged",
    b"<script>alert(1)</script>",
    b"\"><img src=x onerror=alert(1)>",
    "gnp.\u{202e}exe\u{200b}\u{9b}2J".as_bytes(),
    b"nul\0nul",
    b"\xff\xfe\xc3\x28\xed\xa0\x80",
    b"$(touch owned)`touch owned`;touch owned|touch owned",
];
/// What the markup above would be, if it were any.
const MARKUP: [&str; 2] = ["<script>alert", "<img"];

const CLIENT: [u8; 4] = [10, 0, 5, 20];
const SERVER: [u8; 4] = [203, 0, 113, 9];
const RESOLVER: [u8; 4] = [10, 0, 0, 53];

/// A capture in pcapng, one frame every 20 ms.
struct Capture {
    bytes: Vec<u8>,
    frames: u64,
    /// The client's next port.
    port: u16,
}

impl Capture {
    /// With hostile texts wherever the file itself has room for texts.
    fn new() -> Self {
        let mut capture = Self { bytes: Vec::new(), frames: 0, port: 20_000 };
        let texts: Vec<u8> = HOSTILE.iter().flat_map(|text| option(1, text)).collect();
        let machine = [option(2, HOSTILE[6]), option(3, HOSTILE[7]), option(4, HOSTILE[8])].concat();
        let section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        capture.block(0x0a0d_0d0a, &[&section[..], &texts, &machine, &option(0, b"")].concat());
        let names = [option(2, HOSTILE[6]), option(3, HOSTILE[9]), option(11, HOSTILE[0])].concat();
        capture.block(1, &[&[1, 0, 0, 0, 0, 0, 4, 0][..], &names, &texts, &option(0, b"")].concat());
        for (number, text) in HOSTILE.iter().enumerate() {
            let record = [&[10, 0, 6, u8::try_from(number).unwrap()][..], text, b"\0"].concat();
            capture.block(4, &[option(1, &record), option(0, b"")].concat());
        }
        capture
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(12 + padded).unwrap().to_le_bytes();
        self.bytes.extend([&kind.to_le_bytes()[..], &length, body, &vec![0; padded - body.len()], &length].concat());
    }

    fn frame(&mut self, frame: &[u8]) {
        let micros = 1_709_629_200_000_000 + self.frames * 20_000;
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        let words = [0_u32, u32::try_from(micros >> 32).unwrap(), u32::try_from(micros & 0xffff_ffff).unwrap()];
        let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).chain(length).chain(length).collect();
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        let text = HOSTILE[usize::try_from(self.frames).unwrap() % HOSTILE.len()];
        body.extend([option(1, text), option(0, b"")].concat());
        self.block(6, &body);
        self.frames += 1;
    }

    fn udp(&mut self, (from, from_port): ([u8; 4], u16), (to, to_port): ([u8; 4], u16), payload: &[u8]) {
        let mut frame = Vec::new();
        let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from, to, 64).udp(from_port, to_port);
        packet.write(&mut frame, payload).unwrap();
        self.frame(&frame);
    }

    /// A whole connection to this port: what is said in turn (`true`: by the client), in segments of at most 1 400 bytes.
    fn tcp(&mut self, port: u16, said: &[(bool, &[u8])]) {
        self.port += 1;
        let (client, server) = ((CLIENT, self.port), (SERVER, port));
        let (mut sent, mut received) = (1_001_u32, 9_001_u32);
        self.segment(client, server, (sent - 1, None), "S", b"");
        self.segment(server, client, (received - 1, Some(sent)), "S", b"");
        self.segment(client, server, (sent, Some(received)), "", b"");
        for (by_client, text) in said {
            for piece in text.chunks(1_400) {
                let length = u32::try_from(piece.len()).unwrap();
                if *by_client {
                    self.segment(client, server, (sent, Some(received)), "P", piece);
                    sent += length;
                } else {
                    self.segment(server, client, (received, Some(sent)), "P", piece);
                    received += length;
                }
            }
        }
        self.segment(client, server, (sent, Some(received)), "F", b"");
        self.segment(server, client, (received, Some(sent + 1)), "F", b"");
        self.segment(client, server, (sent + 1, Some(received + 1)), "", b"");
    }

    fn segment(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), numbers: (u32, Option<u32>), flag: &str, payload: &[u8]) {
        let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from.0, to.0, 64);
        let mut packet = packet.tcp(from.1, to.1, numbers.0, 60_000);
        packet = match flag {
            "S" => packet.syn(),
            "P" => packet.psh(),
            "F" => packet.fin(),
            _ => packet,
        };
        if let Some(acknowledged) = numbers.1 {
            packet = packet.ack(acknowledged);
        }
        let mut frame = Vec::new();
        packet.write(&mut frame, payload).unwrap();
        self.frame(&frame);
    }
}

/// An option of a pcapng block, padded.
fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = [&code.to_le_bytes()[..], &u16::try_from(value.len()).unwrap().to_le_bytes(), value].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

/// A name of these labels as DNS writes it, each in at most 63 bytes.
fn dns_name(labels: &[&[u8]]) -> Vec<u8> {
    let label = |text: &&[u8]| {
        let text = &text[..text.len().min(63)];
        [&[u8::try_from(text.len()).unwrap()], text].concat()
    };
    labels.iter().flat_map(label).chain([0]).collect()
}

fn dns(capture: &mut Capture, labels: &[&[u8]], kind: u8) {
    let question = [dns_name(labels), vec![0, kind, 0, 1]].concat();
    capture.udp((CLIENT, 5_353), (RESOLVER, 53), &[&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question[..]].concat());
    let answer = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &SERVER[..]].concat();
    let head = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    capture.udp((RESOLVER, 53), (CLIENT, 5_353), &[&head[..], &question, &answer].concat());
}

/// A TLS 1.2 client hello that asks for `name` (RFC 8446, section 4.1.2; RFC 6066, section 3).
fn client_hello(name: &[u8]) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let entry = [&[0], &sized(name)[..]].concat();
    let extension = [&[0, 0], &sized(&sized(&entry))[..]].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0], &sized(&extension)].concat();
    let message = [&[1, 0], &sized(&body)[..]].concat();
    [&[0x16, 3, 1], &sized(&message)[..]].concat()
}

/// A request for a lease by a client that calls itself so (RFC 2131, RFC 2132).
fn dhcp(name: &[u8], number: u8) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[28..34].copy_from_slice(&[2, 0, 0, 0, 9, number]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    let length = u8::try_from(name.len()).unwrap();
    [&message[..], &[53, 1, 1, 12, length], name, &[60, length], name, &[255]].concat()
}

/// Every text in every place of every protocol, and logins that are guessed, so that alerts tell of some.
fn hostile_capture() -> Vec<u8> {
    let mut capture = Capture::new();
    let long = b"=cmd\x1b[2J<script>alert(1)</script>".repeat(2_000);
    assert!(long.len() > 64 << 10);
    for (number, text) in (0..).zip(HOSTILE.iter().copied().chain([&long[..]])) {
        let short = &text[..text.len().min(200)];
        dns(&mut capture, &[text, b"evil", b"example"], 1);
        capture.udp(([0; 4], 68), ([255; 4], 67), &dhcp(short, number));
        capture.tcp(443, &[(true, &client_hello(&text[..text.len().min(16_000)])), (false, &[0x15, 3, 3, 0, 2, 2, 40])]);
        let request = [b"GET /", text, b" HTTP/1.1\r\nHost: ", text, b"\r\nUser-Agent: ", text, b"\r\n\r\n"].concat();
        capture.tcp(80, &[(true, &request), (false, b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok")]);
        capture.tcp(22, &[(false, &[b"SSH-2.0-", text, b"\r\n"].concat()), (true, &[b"SSH-2.0-", text, b"\r\n"].concat())]);
        let (user, encoded) = ([b"USER ", text, b"\r\n"].concat(), STANDARD.encode(short) + "\r\n");
        let basic = format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {}\r\n\r\n", STANDARD.encode([short, b":p"].concat()));
        // Alerts name those who were tried most: the end of a line, markup, and letters that deceive are among them.
        for _ in 0..if [7, 8, 10].contains(&number) { 12 } else { 8 } {
            let ftp: [(bool, &[u8]); 5] =
                [(false, b"220 ready\r\n"), (true, &user), (false, b"331 password\r\n"), (true, b"PASS p\r\n"), (false, b"530 no\r\n")];
            capture.tcp(21, &ftp);
            let smtp: [(bool, &[u8]); 9] = [
                (false, b"220 mail.example ESMTP\r\n"),
                (true, b"EHLO x\r\n"),
                (false, b"250-mail.example\r\n250 AUTH LOGIN\r\n"),
                (true, b"AUTH LOGIN\r\n"),
                (false, b"334 VXNlcm5hbWU6\r\n"),
                (true, encoded.as_bytes()),
                (false, b"334 UGFzc3dvcmQ6\r\n"),
                (true, b"cA==\r\n"),
                (false, b"535 no\r\n"),
            ];
            capture.tcp(25, &smtp);
            capture.tcp(80, &[(true, basic.as_bytes()), (false, b"HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n")]);
        }
    }
    // Data in names below a domain that is hostile itself.
    for number in 0..150_u32 {
        let data = format!("{}{number:04x}", "q7z3x9k1w5v8".repeat(4));
        dns(&mut capture, &[data.as_bytes(), b"=cmd\x1b[2J<img>", b"com"], 16);
    }
    capture.bytes
}

/// Controls, marks of direction, and what cannot be seen (Unicode 15, general categories Cc and Cf, and the separators of lines).
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a text file can be shown as it is: UTF-8, a line where it says so, and nothing that deceives.
fn check_text(name: &str, bytes: &[u8]) {
    let text = str::from_utf8(bytes).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    let found = text.chars().find(|&c| c != '\n' && is_deceptive(c));
    assert_eq!(found, None, "{name}: {:?}", text.lines().find(|line| line.contains(is_deceptive)));
}

/// No cell begins as a formula does, not even where another program takes `;` for the end of a cell.
fn check_csv(name: &str, bytes: &[u8]) {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    for row in rows.records().map(Result::unwrap) {
        for cell in row.iter().flat_map(|cell| cell.split(';')) {
            let begins = cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
            assert!(!begins || cell.parse::<f64>().is_ok(), "{name}: {cell:?}");
        }
    }
}

fn check_files(files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        let kind = Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default();
        match kind {
            "png" | "parquet" => continue,
            "csv" => check_csv(name, bytes),
            "jsonl" => drop(json_lines(bytes)),
            "json" => drop(serde_json::from_slice::<Value>(bytes).unwrap()),
            "html" => {
                let page = String::from_utf8_lossy(bytes);
                assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1), "{name}");
                MARKUP.iter().for_each(|markup| assert!(!page.contains(markup), "{name}: {markup}"));
            }
            "log" => check_log(name, bytes),
            "seal" => {}
            other => panic!("{name}: what is a {other}?"),
        }
        check_text(name, bytes);
    }
}

/// Each line is one of ours: moment, level, message.
fn check_log(name: &str, bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        let parts: Vec<&str> = line.splitn(3, " - ").collect();
        let is_moment = parts[0].len() == 19 && parts[0].bytes().all(|byte| byte.is_ascii_digit() || b"- :".contains(&byte));
        assert!(is_moment && ["INFO", "WARNING", "ERROR", "CRITICAL"].contains(&parts[1]), "{name}: {line}");
    }
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A program that writes down what it is told.
fn hook(bench: &TestBench) -> PathBuf {
    let path = bench.write("hook", "#!/bin/sh\nenv | grep -a -v '^PWD=\\|^_=\\|^SHLVL=' >> environment\ncat >> input\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn datagrams(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut buffer = vec![0; 65_536];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())).collect()
}

#[test]
fn nothing_of_a_hostile_capture_acts_in_any_format_or_outlet() {
    let bench = TestBench::new();
    // In the name of the file, too.
    let capture = bench.path().join(OsStr::from_bytes(b"=cmd\x1b[2J<script>alert(1)\n\xff.pcapng"));
    fs::write(&capture, hostile_capture()).unwrap();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let syslog = format!("udp://{}", receiver.local_addr().unwrap());
    let hook = hook(&bench);
    let mut args: Vec<&OsStr> =
        ["analyze", "-v", "--carve", "--notify-from", "info", "--eve", "eve", "--ecs", "ecs"].map(OsStr::new).to_vec();
    args.extend([OsStr::new("--syslog"), syslog.as_ref(), OsStr::new("--on-alert"), hook.as_os_str(), capture.as_os_str()]);
    let run = bench.nsm(args).expect_code(0);
    check_text("standard output", run.stdout.as_bytes());
    check_text("standard error", run.stderr.as_bytes());

    let mut files = tree(&bench.reports());
    assert!(files.keys().any(|name| name.ends_with("/traffic.png")), "{:?}", files.keys());
    files.retain(|name, _| Path::new(name).extension() != Some(OsStr::new("pcapng")));
    // Names of files are ours, but for the capture's own.
    let inside: Vec<&str> = files.keys().filter_map(|name| name.split_once(".pcapng/").map(|(_, inside)| inside)).collect();
    assert!(inside.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))), "{inside:?}");
    check_files(&files);

    // It all was there: users and domains of the capture are in the alerts.
    let of_report = |end: &str| files.iter().find(|(name, _)| name.ends_with(end)).unwrap().1;
    let alerts = json_lines(of_report("/alerts.jsonl"));
    let told = alerts.iter().map(|alert| alert["message"].as_str().unwrap()).collect::<String>();
    for text in ["=cmd", "\x1b", "<script>", "\u{202e}", "forged"] {
        assert!(told.contains(text), "{text:?} is in no alert: {told:?}");
    }
    let page = String::from_utf8_lossy(of_report("/report.html"));
    assert!(page.contains("&lt;script&gt;") && page.contains("\\u{1b}"));

    // One record of one line for each alert, at every receiver.
    for name in ["eve", "ecs", "input"] {
        let lines = fs::read(bench.path().join(name)).unwrap();
        check_text(name, &lines);
        assert_eq!(json_lines(&lines).len(), alerts.len(), "{name}");
    }
    let messages = datagrams(&receiver);
    assert_eq!(messages.len(), alerts.len());
    for message in &messages {
        let text = str::from_utf8(message).unwrap();
        // RFC 5424, 6.4: a byte-order mark before text that is not ASCII is the only one allowed.
        assert!(text.starts_with("<17") && !text.replacen('\u{feff}', "", 1).contains(is_deceptive), "{text:?}");
    }
    let environment = fs::read_to_string(bench.path().join("environment")).unwrap();
    check_text("environment", environment.as_bytes());
    let ours = environment.lines().filter(|line| line.starts_with("NSM_ALERT_")).count();
    assert_eq!(ours, 13 * alerts.len());
    assert!(!environment.lines().any(|line| line.starts_with("2024-03-05") || line.starts_with("<34>")), "{environment}");
    assert!(!bench.path().join("owned").exists());
}

#[test]
fn nothing_acts_when_a_capture_is_looked_at_judged_or_watched() {
    let bench = TestBench::new();
    let bytes = hostile_capture();
    bench.write("hostile.pcapng", &bytes);
    for args in [&["info", "hostile.pcapng"][..], &["info", "--json", "hostile.pcapng"], &["analyze", "hostile.pcapng"]] {
        let run = bench.nsm(args).expect_code(0);
        check_text("standard output", run.stdout.as_bytes());
        check_text("standard error", run.stderr.as_bytes());
    }
    let judged = bench.nsm(["judge", "reports/hostile.pcapng", "--set", "scan.ports=20", "-o", "judged"]).expect_code(0);
    check_text("judge", judged.stdout.as_bytes());
    let compared = bench.nsm(["compare", "reports/hostile.pcapng", "hostile.pcapng"]).expect_code(0);
    check_text("compare", [compared.stdout, compared.stderr].concat().as_bytes());
    let live = bench.nsm_fed(["analyze", "--live", "-", "--jsonl", "-o", "live"], &bytes).expect_code(0);
    check_text("live", live.stdout.as_bytes());
    check_text("live, told", live.stderr.as_bytes());
    assert!(!json_lines(live.stdout.as_bytes()).is_empty());
    let mut files = tree(bench.path());
    files.retain(|name, _| Path::new(name).extension() != Some(OsStr::new("pcapng")));
    check_files(&files);
    // What is no capture is shown by its first bytes.
    bench.write("none", HOSTILE[6]);
    let refused = bench.nsm(["analyze", "none"]).expect_code(1);
    check_text("refusal", refused.stderr.as_bytes());
}

#[test]
fn reports_are_for_their_owner() {
    let bench = TestBench::new();
    bench.write("in/a.pcap", sample("port-scan").bytes());
    bench.nsm(["analyze", "in", "--carve"]).expect_code(0);
    let mut seen = 0;
    let mut left = vec![bench.reports()];
    while let Some(path) = left.pop() {
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            left.extend(common::files_of(&path));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} files");
}

/// The directories and files that lie in wait, and what nobody may touch.
struct Trap {
    bench: TestBench,
    /// Every file of an undisturbed run, by its path below the output directory.
    names: Vec<String>,
}

impl Trap {
    fn new() -> Self {
        let bench = TestBench::new();
        bench.write("in/a.pcap", sample("port-scan").bytes());
        bench.nsm(["analyze", "in", "--carve", "-o", "undisturbed"]).expect_code(0);
        let names: Vec<String> = tree(&bench.path().join("undisturbed")).into_keys().collect();
        assert!(names.len() > 20, "{names:?}");
        Self { bench, names }
    }

    /// A link at `name` below the output directory, to a file of its own that holds something.
    fn set(&self, name: &str) -> PathBuf {
        let victim = self.bench.write(&format!("victims/{}", name.replace('/', "_")), "precious");
        let link = self.bench.reports().join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&victim, &link).unwrap();
        victim
    }

    /// Nothing was written through a link, or beside what one leads to.
    fn is_untouched(&self, victims: &[PathBuf]) {
        for victim in victims {
            assert_eq!(fs::read(victim).unwrap(), b"precious", "{}", victim.display());
        }
        let directory = self.bench.path().join("victims");
        assert_eq!(common::files_of(&directory).len(), victims.len());
    }
}

/// As a file is named while it is written.
fn partial(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((parent, file)) => format!("{parent}/.{file}.partial"),
        None => format!(".{name}.partial"),
    }
}

#[test]
fn links_in_the_place_of_files_are_replaced_and_not_followed() {
    let trap = Trap::new();
    let names = trap.names.iter().flat_map(|name| [name.clone(), partial(name)]);
    let others = [".owner.partial", "a.pcap/.manifest.json.replaced.partial", "a.pcap/manifest.seal"].map(str::to_owned);
    let victims: Vec<PathBuf> = names.chain(others).collect::<std::collections::BTreeSet<_>>().iter().map(|name| trap.set(name)).collect();
    trap.bench.nsm(["analyze", "in", "--carve"]).expect_code(2);
    trap.is_untouched(&victims);
    trap.bench.nsm(["analyze", "in", "--carve", "--force"]).expect_code(0);
    trap.is_untouched(&victims);
    for name in &trap.names {
        assert!(fs::symlink_metadata(trap.bench.reports().join(name)).unwrap().is_file(), "{name} is a link still");
    }
    // The same for one report.
    fs::remove_dir_all(trap.bench.path().join("victims")).unwrap();
    fs::remove_dir_all(trap.bench.reports()).unwrap();
    let inside = trap.names.iter().filter_map(|name| name.strip_prefix("a.pcap/")).map(|name| format!("in/a.pcap/{name}"));
    let victims: Vec<PathBuf> = inside.flat_map(|name| [partial(&name), name]).map(|name| trap.set(&name)).collect();
    trap.bench.nsm(["analyze", "in/a.pcap", "--carve", "--force"]).expect_code(0);
    trap.is_untouched(&victims);
}

#[test]
fn links_in_the_place_of_directories_are_refused() {
    for (inside, paths) in [
        ("a.pcap", "in"),
        ("a.pcap/charts", "in"),
        ("a.pcap/tables", "in"),
        ("a.pcap/carved", "in"),
        ("in", "in/a.pcap"),
        ("in/a.pcap", "in/a.pcap"),
    ] {
        let trap = Trap::new();
        let elsewhere = trap.bench.write("victims/precious", "precious");
        let link = trap.bench.reports().join(inside);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(elsewhere.parent().unwrap(), &link).unwrap();
        let run = trap.bench.nsm(["analyze", paths, "--carve", "--force"]);
        assert_ne!(run.code, 0, "{inside}: {}", run.stderr);
        trap.is_untouched(&[elsewhere]);
    }
}

#[test]
fn a_link_in_the_place_of_the_log_of_a_live_capture_is_not_followed() {
    let bench = TestBench::new();
    let victim = bench.write("victim", "precious");
    for name in ["security_monitor.log", "security_monitor.log.1"] {
        fs::create_dir_all(bench.reports()).unwrap();
        symlink(&victim, bench.reports().join(name)).unwrap();
    }
    bench.nsm_fed(["analyze", "--live", "-"], &sample("port-scan").bytes());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

/// What an attacker does to a manifest, and to its file.
type Change<'a> = &'a dyn Fn(&mut Value);
type Spoil<'a> = &'a dyn Fn(&Path);

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn analyzed(bench: &TestBench, args: &[&str]) -> common::Run {
    bench.nsm(["analyze", "in", "--format", "csv,json"].iter().chain(args)).expect_code(0)
}

/// Alerts of the scan that a planted report is to hide.
fn scan_is_told(bench: &TestBench, run: &common::Run) {
    assert!(run.stderr.contains("kept 0,"), "a planted report was kept:\n{}", run.stderr);
    assert!(bench.alerts("scan.pcap").iter().any(|alert| alert["type"] == "port_scan"));
}

#[test]
fn a_planted_report_never_stands_for_one_of_ours() {
    let bench = TestBench::new();
    let scan = sample("port-scan").bytes();
    // What the attacker has: nsm itself, and a harmless capture to run it on, under the name of the other one.
    let attacker = TestBench::new();
    attacker.write("in/scan.pcap", sample("below-threshold").bytes());
    analyzed(&attacker, &["--only", "syn_flood"]);
    let planted = tree(&attacker.reports());
    let place = bench.reports().join("scan.pcap");
    // Sealed with the victim's own key, only what the manifest says can give it away; the last has the attacker's seal.
    let own_key = || fs::read(common::state_home().join("nsm/report.key")).unwrap();
    let plant = |change: &dyn Fn(&mut Value), key: &[u8]| {
        if bench.reports().exists() {
            fs::remove_dir_all(bench.reports()).unwrap();
        }
        for (name, bytes) in &planted {
            bench.write(&format!("reports/{name}"), bytes);
        }
        let mut manifest: Value = common::json(&place.join("manifest.json"));
        change(&mut manifest);
        let text = serde_json::to_vec_pretty(&manifest).unwrap();
        fs::write(place.join("manifest.seal"), hex(&Hmac::new(key).of(&text)) + "\n").unwrap();
        fs::write(place.join("manifest.json"), text).unwrap();
    };
    bench.write("in/scan.pcap", &scan);
    let right = |manifest: &mut Value| {
        manifest["inputs"][0]["sha256"] = sha256(&scan).into();
        manifest["inputs"][0]["bytes"] = scan.len().into();
        manifest["choices"].as_object_mut().unwrap().remove("only");
    };
    let changes: [(&str, Change<'_>); 5] = [
        ("name and size are right, the hash is not", &|manifest| manifest["inputs"][0]["bytes"] = scan.len().into()),
        ("the hash is right, the choices are not", &|manifest| {
            right(manifest);
            manifest["choices"]["only"] = serde_json::json!(["syn_flood"]);
        }),
        ("the hash is right, the configuration is not", &|manifest| {
            right(manifest);
            manifest["configuration"]["scan"]["ports"] = 30_000.into();
        }),
        ("all is right, and a file is missing", &|manifest| {
            right(manifest);
            manifest["files"].as_array_mut().unwrap().pop();
        }),
        ("all that can be known is right", &right),
    ];
    for (number, (what, change)) in changes.into_iter().enumerate() {
        let key = if number < 4 { own_key() } else { vec![7; 32] };
        plant(change, &key);
        let run = analyzed(&bench, &[]);
        assert!(run.stderr.contains("redone 1"), "{what}: {}", run.stderr);
        scan_is_told(&bench, &run);
        analyzed(&bench, &[]).expect_message("kept 1");
    }
    // What is no manifest, in its place.
    let whole = fs::read(place.join("manifest.json")).unwrap();
    let spoil: [(&str, Spoil<'_>); 4] = [
        ("cut", &|path| fs::write(path, &whole[..whole.len() / 2]).unwrap()),
        ("link", &|path| {
            let elsewhere = bench.write("elsewhere.json", &whole);
            fs::remove_file(path).unwrap();
            symlink(elsewhere, path).unwrap();
        }),
        ("huge", &|path| {
            let mut long = whole.clone();
            long.resize(64 << 20, b' ');
            fs::write(path, long).unwrap();
        }),
        ("deep", &|path| fs::write(path, "[".repeat(1 << 20)).unwrap()),
    ];
    for (what, spoil) in spoil {
        spoil(&place.join("manifest.json"));
        let run = analyzed(&bench, &[]);
        assert!(run.stderr.contains("kept 0, redone 1"), "{what}: {}", run.stderr);
        scan_is_told(&bench, &run);
    }
}
