//! `report.html` as the program writes it: of a capture full of hostile texts, and in a browser.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says where")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{TestBench, sample};
use etherparse::PacketBuilder;

const IMAGE: &str = "\"><img src=x onerror=alert(1)>";
const SCRIPT: &str = "<script>alert(1)</script>";
/// A browser that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(90);

/// A capture in the classic pcap format, one frame every 50 ms.
struct Capture {
    bytes: Vec<u8>,
    frames: u32,
}

#[derive(Clone, Copy)]
struct Socket([u8; 4], u16);

impl Capture {
    fn new() -> Self {
        let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1];
        Self { bytes: header.iter().flat_map(|word| word.to_le_bytes()).collect(), frames: 0 }
    }

    fn frame(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        let record = [1_709_629_200 + self.frames / 20, self.frames % 20 * 50_000, length, length];
        self.bytes.extend(record.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(frame);
        self.frames += 1;
    }

    fn udp(&mut self, from: Socket, to: Socket, payload: &[u8]) {
        let mut frame = Vec::new();
        let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from.0, to.0, 64).udp(from.1, to.1);
        packet.write(&mut frame, payload).unwrap();
        self.frame(&frame);
    }

    /// A whole connection: handshake, what is said in turn (`true`: by the client), and the end.
    fn tcp(&mut self, client: Socket, server: Socket, said: &[(bool, &[u8])]) {
        let (mut sent, mut received) = (1_000_u32, 9_000_u32);
        self.segment(client, server, (sent, 0), "S", b"");
        self.segment(server, client, (received, sent + 1), "SA", b"");
        (sent, received) = (sent + 1, received + 1);
        self.segment(client, server, (sent, received), "A", b"");
        for (by_client, text) in said {
            let length = u32::try_from(text.len()).unwrap();
            if *by_client {
                self.segment(client, server, (sent, received), "PA", text);
                sent += length;
            } else {
                self.segment(server, client, (received, sent), "PA", text);
                received += length;
            }
        }
        self.segment(client, server, (sent, received), "FA", b"");
        self.segment(server, client, (received, sent + 1), "FA", b"");
        self.segment(client, server, (sent + 1, received + 1), "A", b"");
    }

    fn segment(&mut self, from: Socket, to: Socket, (sequence, acknowledged): (u32, u32), flags: &str, payload: &[u8]) {
        let mut packet =
            PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from.0, to.0, 64).tcp(from.1, to.1, sequence, 60_000);
        for flag in flags.chars() {
            packet = match flag {
                'S' => packet.syn(),
                'F' => packet.fin(),
                'P' => packet.psh(),
                _ => packet.ack(acknowledged),
            };
        }
        let mut frame = Vec::new();
        packet.write(&mut frame, payload).unwrap();
        self.frame(&frame);
    }
}

/// An answer that gives `name` this address (RFC 1035, section 4).
fn dns_answer(name: &str, address: [u8; 4]) -> (Vec<u8>, Vec<u8>) {
    let labels: Vec<u8> =
        name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()).chain([0]).collect();
    let question = [&labels[..], &[0, 1, 0, 1]].concat();
    let query = [&[0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0], &question[..]].concat();
    let head = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    let answer = [&head[..], &question, &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &address].concat();
    (query, answer)
}

/// A TLS 1.2 client hello that asks for `name` (RFC 8446, section 4.1.2; RFC 6066, section 3).
fn client_hello(name: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let entry = [&[0], &sized(name.as_bytes())[..]].concat();
    let extension = [&[0, 0], &sized(&sized(&entry))[..]].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0], &sized(&extension)].concat();
    let message = [&[1, 0], &sized(&body)[..]].concat();
    [&[0x16, 3, 1], &sized(&message)[..]].concat()
}

const CLIENT: [u8; 4] = [10, 0, 5, 20];
const SERVER: [u8; 4] = [203, 0, 113, 9];

/// Guessed FTP logins of a user whose name is markup, at a server whose every name is.
fn hostile_capture() -> Vec<u8> {
    let mut capture = Capture::new();
    let (query, answer) = dns_answer(&format!("{IMAGE}.evil.example"), SERVER);
    capture.udp(Socket(CLIENT, 5_353), Socket([10, 0, 0, 53], 53), &query);
    capture.udp(Socket([10, 0, 0, 53], 53), Socket(CLIENT, 5_353), &answer);
    let request = format!("GET /{SCRIPT} HTTP/1.1\r\nHost: {SCRIPT}\r\nUser-Agent: {IMAGE}\r\n\r\n");
    let page = b"HTTP/1.1 200 OK\r\nServer: <b>\r\nContent-Length: 2\r\n\r\nok";
    capture.tcp(Socket(CLIENT, 40_000), Socket(SERVER, 80), &[(true, request.as_bytes()), (false, page)]);
    let hello = client_hello(IMAGE);
    capture.tcp(Socket(CLIENT, 40_001), Socket(SERVER, 443), &[(true, &hello), (false, &[0x15, 3, 3, 0, 2, 2, 40])]);
    let user = format!("USER {IMAGE}\r\n");
    for number in 0..60 {
        let said: [(bool, &[u8]); 5] = [
            (false, b"220 FTP server ready\r\n"),
            (true, user.as_bytes()),
            (false, b"331 Password required\r\n"),
            (true, b"PASS secret\r\n"),
            (false, b"530 Login incorrect\r\n"),
        ];
        capture.tcp(Socket(CLIENT, 41_000 + number), Socket(SERVER, 21), &said);
    }
    capture.bytes
}

fn analysed(bench: &TestBench, capture: &Path) -> PathBuf {
    bench.nsm(["analyze".as_ref(), capture.as_os_str(), "--format".as_ref(), "html,json".as_ref()]).expect_code(0);
    bench.reports().join(capture.file_name().unwrap()).join("report.html")
}

#[test]
fn hostile_texts_of_a_capture_reach_the_page_and_stay_text() {
    let bench = TestBench::new();
    let capture = bench.write("<svg onload=alert(1)>.pcap", hostile_capture());
    bench.nsm(["analyze", capture.file_name().unwrap().to_str().unwrap(), "--format", "html,json"]).expect_code(0);
    let report = bench.reports().join(capture.file_name().unwrap());
    let alerts = common::alerts(&report);
    assert!(alerts.iter().any(|alert| alert["type"] == "brute_force"), "{alerts:#?}");
    let page = fs::read_to_string(report.join("report.html")).unwrap();
    // The name of the file, the name from DNS, the server name of TLS and the host of HTTP can be read ...
    for (text, least) in [("&lt;svg onload=alert(1)&gt;.pcap", 3), ("&gt;&lt;img src=x onerror=alert(1)&gt;", 3), ("&lt;script&gt;", 1)] {
        assert!(page.matches(text).count() >= least, "{text}: {}", page.matches(text).count());
    }
    // ... and none of them is markup.
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    for markup in ["<img", "<svg onload", "<b>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(!page.contains("secret"), "no password is in a report");
}

#[test]
fn the_page_is_the_same_in_every_run() {
    let bench = TestBench::new();
    let capture = bench.write("a.pcap", sample("port-scan").bytes());
    let first = fs::read(analysed(&bench, &capture)).unwrap();
    fs::remove_dir_all(bench.reports()).unwrap();
    assert_eq!(first, fs::read(analysed(&bench, &capture)).unwrap());
}

/// What the browser has made of the page, and what it had to say meanwhile.
fn opened(page: &Path, profile: &Path) -> Option<(String, String)> {
    let (dom, said) = (profile.join("dom"), profile.join("said"));
    let child = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(fs::File::create(&dom).unwrap())
        .stderr(fs::File::create(&said).unwrap())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: there is no chromium; the page was not opened in a browser");
        return None;
    };
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not finish within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    Some((text(&dom), text(&said)))
}

#[test]
fn a_browser_runs_our_script_and_no_other_and_has_nothing_to_complain_of() {
    let bench = TestBench::new();
    for (name, bytes) in [("hostile.pcap", hostile_capture()), ("mixed.pcap", sample("mixed-incident").bytes().to_vec())] {
        let page = analysed(&bench, &bench.write(name, bytes));
        let profile = bench.path().join(format!("{name}-browser"));
        fs::create_dir_all(&profile).unwrap();
        let Some((dom, said)) = opened(&page, &profile) else { return };
        assert!(!said.contains("CONSOLE"), "{name}: {said}");
        // The script has run: it alone makes buttons.
        assert!(
            dom.contains("<th class=\"n\" scope=\"col\"><button type=\"button\">No.</button>"),
            "{name}: {}",
            &dom[..dom.len().min(3_000)]
        );
        assert_eq!(dom.matches("<script").count(), 1, "{name}");
        assert!(!dom.contains("<img"), "{name}");
    }
}

#[test]
fn the_page_of_a_batch_is_sorted_and_filtered_by_the_same_script() {
    let bench = TestBench::new();
    bench.write("in/<img src=x onerror=alert(1)>.pcap", hostile_capture());
    bench.write("in/scan.pcap", sample("port-scan").bytes());
    for name in ["a", "b", "c", "d"] {
        bench.write(&format!("in/{name}.txt"), "no capture");
    }
    bench.nsm(["analyze", "in", "--format", "html"]).expect_code(0);
    let profile = bench.path().join("browser");
    fs::create_dir_all(&profile).unwrap();
    let Some((dom, said)) = opened(&bench.reports().join("index.html"), &profile) else { return };
    assert!(!said.contains("CONSOLE"), "{said}");
    assert!(dom.contains("aria-sort=\"descending\"><button type=\"button\">Alerts</button>"), "{}", &dom[..dom.len().min(3_000)]);
    assert!(dom.contains("placeholder=\"filter rows\""));
    assert_eq!((dom.matches("<script").count(), dom.matches("<img").count()), (1, 0));
}
