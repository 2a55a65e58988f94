//! Alerts at their receivers: real sockets, servers and programs on this machine, well-behaved, slow, hanging and dead.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{TestBench, sample};
use network_security_monitor::config::{self, Config};
use network_security_monitor::detect::{Alert, FrameSpan, Notice, Picture, Severity, Status};
use network_security_monitor::outlet::{Delivery, Destination, Outlets};
use serde_json::Value;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Short pauses; the rest as everybody has it.
fn settings(changes: &[(&str, &str)]) -> config::Outlet {
    let mut config = Config::default();
    for (name, value) in [("backoff_s", "0.02"), ("timeout_s", "2"), ("patience_s", "10")].iter().chain(changes) {
        config.set(&format!("outlet.{name}"), value).unwrap();
    }
    config.base.outlet
}

fn start(destination: Destination, changes: &[(&str, &str)]) -> Outlets {
    Outlets::start(&[destination], &settings(changes), Severity::Info).unwrap()
}

fn notice(number: usize) -> Arc<Notice> {
    let alert = Alert {
        kind: "port_scan",
        technique: None,
        title: format!("Scan {number}"),
        message: format!("scan {number} of 192.0.2.10"),
        severity: Severity::High,
        confidence: 0.5,
        attack: &["T1046"],
        first_seen: 1_691_247_811_000_000_001,
        last_seen: 1_691_247_812_000_000_000,
        detected_at: 1_691_247_811_500_000_000,
        attackers: vec!["203.0.113.66".into()],
        attacker_count: 1,
        victims: vec!["192.0.2.10".into()],
        victim_count: 1,
        ports: vec![1, 2],
        port_count: 2,
        protocol: "tcp",
        measured: Vec::new(),
        window_s: 300.0,
        flow_count: 2,
        packet_count: 4,
        frames: FrameSpan { first: 1, last: 4 },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: Vec::new(),
        picture: Picture::None,
    };
    Arc::new(Notice { id: format!("{number:016x}"), status: Status::Final, alert, capture: "a.pcap".into() })
}

/// Ends of lines, quotes, brackets, terminal sequences, NUL, commands, direction marks; often.
fn hostile(length: usize) -> Arc<Notice> {
    const EVIL: &str = "-rf\n<34>1 - forged\r\"]\\ \x1b[2J\0 $(touch owned) `touch owned` ; touch owned\u{202e}é";
    let text = EVIL.repeat(length / EVIL.len() + 1);
    let mut notice = (*notice(0)).clone();
    notice.capture.clone_from(&text);
    notice.alert.title.clone_from(&text);
    notice.alert.message.clone_from(&text);
    notice.alert.attackers = vec![text.clone()];
    notice.alert.victims = vec![text];
    Arc::new(notice)
}

fn tell(outlets: &Outlets, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| outlets.tell(&notice(number)));
}

/// The only outlet's result, with nothing unaccounted for.
fn end(outlets: Outlets, told: u64) -> Delivery {
    let mut all = outlets.finish();
    assert_eq!(all.len(), 1);
    let delivery = all.remove(0);
    assert_eq!(delivery.sent + delivery.dropped + delivery.failed, told, "{delivery:?}");
    delivery
}

fn all_sent(delivery: &Delivery) {
    assert_eq!((delivery.dropped, delivery.failed, &delivery.last_error), (0, 0, &None), "{delivery:?}");
}

fn syslog(scheme: &str, address: SocketAddr) -> Destination {
    Destination::syslog(&format!("{scheme}://{address}")).unwrap()
}

/// A port of this machine where nobody listens.
fn dead_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A listener whose next caller can be waited for.
trait Listens {
    type Stream;
    fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()>;
    fn next(&self) -> std::io::Result<Self::Stream>;
    fn patient(stream: &Self::Stream) -> std::io::Result<()>;
}

impl Listens for TcpListener {
    type Stream = TcpStream;
    fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }
    fn next(&self) -> std::io::Result<TcpStream> {
        self.accept().map(|(stream, _)| stream)
    }
    fn patient(stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
    }
}

impl Listens for UnixListener {
    type Stream = UnixStream;
    fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }
    fn next(&self) -> std::io::Result<UnixStream> {
        self.accept().map(|(stream, _)| stream)
    }
    fn patient(stream: &UnixStream) -> std::io::Result<()> {
        stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
    }
}

/// The next caller.
fn accept<L: Listens>(listener: &L) -> L::Stream {
    listener.set_nonblocking(true).unwrap();
    let mut stream = None;
    until("somebody calls", || {
        stream = listener.next().ok();
        stream.is_some()
    });
    let stream = stream.unwrap();
    L::patient(&stream).unwrap();
    stream
}

/// Header and text of a message of RFC 5424, with the structured data taken off: `<PRI>1 … MSGID` and MSG.
fn parts(message: &str) -> (Vec<&str>, &str) {
    let header: Vec<&str> = message.splitn(7, ' ').take(6).collect();
    let data = message.splitn(7, ' ').nth(6).unwrap();
    assert!(data.starts_with("[nsm@32473 "), "{message}");
    // The end of the data: a bracket that is not escaped.
    let mut is_escaped = false;
    let end = data.bytes().position(|byte| {
        let ends = byte == b']' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    (header, data[end.unwrap() + 1..].strip_prefix(' ').unwrap())
}

mod over_syslog {
    use super::*;

    #[test]
    fn udp_carries_one_message_in_a_datagram() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let outlets = start(syslog("udp", receiver.local_addr().unwrap()), &[]);
        tell(&outlets, 0..5);
        outlets.tell(&hostile(100_000));
        let mut buffer = [0; 16_384];
        let messages: Vec<String> = (0..6)
            .map(|_| {
                let length = receiver.recv(&mut buffer).unwrap();
                assert!(length <= 2_048, "{length}");
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            })
            .collect();
        all_sent(&end(outlets, 6));
        for (number, message) in messages[..5].iter().enumerate() {
            let (header, text) = parts(message);
            // Facility 21, severity 3.
            assert_eq!((header[0], header[1], header[3], header[5]), ("<171>1", "2023-08-05T15:03:31.500000Z", "nsm", "port_scan"));
            assert_eq!(header[4], std::process::id().to_string());
            assert_eq!(text, format!("port_scan (high, final): scan {number} of 192.0.2.10"));
        }
        let (header, text) = parts(&messages[5]);
        assert_eq!(header[0], "<171>1");
        assert!(text.starts_with("\u{feff}port_scan (high, final): -rf\\n<34>1 - forged\\r\"]\\ \\u{1b}[2J"), "{text}");
        assert!(!messages[5].chars().any(char::is_control));
    }

    /// Reads `LENGTH SP MESSAGE` (RFC 6587, 3.4.1).
    fn counted(stream: &mut impl BufRead) -> Option<String> {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).ok()?;
        let length: usize = std::str::from_utf8(&length).ok()?.trim_end().parse().ok()?;
        let mut message = vec![0; length];
        stream.read_exact(&mut message).ok()?;
        String::from_utf8(message).ok()
    }

    #[test]
    fn tcp_counts_octets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outlets = start(syslog("tcp", listener.local_addr().unwrap()), &[]);
        tell(&outlets, 0..3);
        outlets.tell(&hostile(100_000));
        tell(&outlets, 4..6);
        let mut stream = BufReader::new(accept(&listener));
        let messages: Vec<String> = (0..6).map(|_| counted(&mut stream).unwrap()).collect();
        all_sent(&end(outlets, 6));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "and nothing else");
        assert!(messages.iter().all(|message| message.len() <= 8_192));
        let numbers: Vec<&str> = messages.iter().map(|message| parts(message).1).filter(|text| text.contains(" of 192")).collect();
        assert_eq!(numbers.len(), 5);
        assert_eq!(numbers[4], "port_scan (high, final): scan 5 of 192.0.2.10");
    }

    #[test]
    fn a_tcp_receiver_that_hung_up_is_called_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outlets = start(syslog("tcp", listener.local_addr().unwrap()), &[]);
        for number in 0..3 {
            tell(&outlets, number..number + 1);
            let mut stream = BufReader::new(accept(&listener));
            assert!(counted(&mut stream).unwrap().ends_with(&format!("scan {number} of 192.0.2.10")));
            // It says something, which nobody asked it for, and goes.
            stream.get_mut().write_all(b"goodbye\n").unwrap();
        }
        all_sent(&end(outlets, 3));
    }

    #[test]
    fn a_receiver_that_comes_late_gets_everything() {
        let address = dead_port();
        let outlets = start(syslog("tcp", address), &[("retries", "100")]);
        tell(&outlets, 0..3);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(outlets.lost(), 0);
        let listener = TcpListener::bind(address).unwrap();
        let mut stream = BufReader::new(accept(&listener));
        assert!((0..3).all(|_| counted(&mut stream).is_some()));
        all_sent(&end(outlets, 3));
    }

    #[test]
    fn dead_receivers_are_said_to_be_dead() {
        let dir = tempfile::tempdir().unwrap();
        let unix = Destination::syslog(&format!("unix:{}", dir.path().join("no").display())).unwrap();
        for destination in [syslog("tcp", dead_port()), unix] {
            let outlets = start(destination, &[("retries", "1")]);
            tell(&outlets, 0..2);
            let delivery = end(outlets, 2);
            assert_eq!((delivery.sent, delivery.failed), (0, 2));
            assert!(delivery.last_error.unwrap().starts_with("cannot be reached: "));
        }
    }

    #[test]
    fn a_dead_udp_port_is_noticed_with_the_next_datagram() {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let outlets = start(syslog("udp", address), &[]);
        for number in 0..3 {
            tell(&outlets, number..number + 1);
            thread::sleep(Duration::from_millis(100));
        }
        let delivery = end(outlets, 3);
        assert_eq!((delivery.sent, delivery.failed, delivery.last_error.as_deref()), (1, 2, Some("nobody listens there")));
    }

    #[test]
    fn a_local_datagram_socket_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let outlets = start(Destination::syslog(&format!("unix:{}", path.display())).unwrap(), &[]);
        tell(&outlets, 0..1);
        outlets.tell(&hostile(100_000));
        let mut buffer = [0; 16_384];
        let mut receive = || {
            let length = receiver.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(parts(&receive()).1, "port_scan (high, final): scan 0 of 192.0.2.10");
        assert!(receive().len() <= 8_192);
        all_sent(&end(outlets, 2));
    }

    #[test]
    fn a_local_stream_socket_is_served_with_a_line_each() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let listener = UnixListener::bind(&path).unwrap();
        let outlets = start(Destination::syslog(&format!("unix:{}", path.display())).unwrap(), &[]);
        outlets.tell(&hostile(1_000));
        tell(&outlets, 1..3);
        let mut lines = BufReader::new(accept(&listener)).lines().map(Result::unwrap);
        let messages: Vec<String> = lines.by_ref().take(3).collect();
        all_sent(&end(outlets, 3));
        assert_eq!(parts(&messages[2]).1, "port_scan (high, final): scan 2 of 192.0.2.10");
        assert!(messages.iter().all(|message| message.starts_with("<171>1 ")));
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_receiver_that_does_not_read_delays_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outlets = start(syslog("tcp", listener.local_addr().unwrap()), &[("queue", "50"), ("timeout_s", "60"), ("patience_s", "0.3")]);
        // More than the buffers of both sides take.
        let big = hostile(8_000);
        let begin = Instant::now();
        (0..200_000).for_each(|_| outlets.tell(&big));
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        let _silent = accept(&listener);
        until("the queue is full", || {
            outlets.tell(&big);
            outlets.lost() > 200_000
        });
        assert!(Arc::strong_count(&big) <= 52, "memory is bounded");
        let begin = Instant::now();
        let delivery = outlets.finish().remove(0);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        assert_eq!(delivery.failed, 1, "{delivery:?}");
        assert!(delivery.sent < delivery.dropped);
    }
}

mod over_http {
    use super::*;

    /// A request as it came.
    struct Request {
        head: String,
        body: String,
    }

    /// Answers each request with the next of these; then it listens no more.
    fn server(answers: &[&str]) -> (SocketAddr, Receiver<Request>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let (seen, requests) = channel();
        thread::spawn(move || answers.iter().for_each(|answer| serve(&listener, answer, &seen)));
        (address, requests)
    }

    fn serve(listener: &TcpListener, answer: &str, seen: &Sender<Request>) {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).unwrap() > 0);
        }
        let length = head.to_lowercase().split_once("content-length: ").map(|(_, rest)| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        let status = answer.split(' ').next().unwrap();
        let headers = answer.split_once(' ').map_or("", |(_, headers)| headers);
        write!(stream.get_mut(), "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n").unwrap();
        seen.send(Request { head, body: String::from_utf8(body).unwrap() }).unwrap();
    }

    fn webhook(address: SocketAddr) -> Destination {
        Destination::webhook(&format!("http://user:s3cret@{address}/hook?token=s3cret")).unwrap()
    }

    fn received(requests: &Receiver<Request>) -> Vec<Request> {
        std::iter::from_fn(|| requests.recv_timeout(Duration::from_millis(300)).ok()).collect()
    }

    #[test]
    fn an_alert_is_posted_as_in_alerts_jsonl_and_nothing_else() {
        let (address, requests) = server(&["200", "204", "200"]);
        let outlets = start(webhook(address), &[]);
        let told = [notice(0), notice(1), hostile(100_000)];
        told.iter().for_each(|notice| outlets.tell(notice));
        let delivery = end(outlets, 3);
        all_sent(&delivery);
        assert_eq!(delivery.outlet, format!("webhook http://{address}/..."));
        let requests = received(&requests);
        for (request, notice) in requests.iter().zip(&told) {
            let head = request.head.to_lowercase();
            assert!(head.starts_with("post /hook?token=s3cret http/1.1\r\n"), "{head}");
            assert!(head.contains("\r\ncontent-type: application/json\r\n") && head.contains("\r\nuser-agent: nsm/"), "{head}");
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(body, serde_json::to_value(notice.record()).unwrap());
            assert!(!request.body.chars().any(char::is_control));
        }
        assert_eq!(requests.len(), 3);
    }

    #[test]
    fn what_passes_is_tried_again() {
        let (address, requests) = server(&["500", "429 Retry-After: 0\r\n", "200", "200"]);
        let outlets = start(webhook(address), &[]);
        tell(&outlets, 0..2);
        all_sent(&end(outlets, 2));
        let bodies: Vec<String> = received(&requests).into_iter().map(|request| request.body).collect();
        assert_eq!(bodies.len(), 4);
        assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2] && bodies[2] != bodies[3]);
    }

    #[test]
    fn what_lasts_is_not_and_a_redirect_leads_nowhere() {
        let (elsewhere, strangers) = server(&["200"]);
        let redirect = format!("307 Location: http://{elsewhere}/\r\n");
        let (address, requests) = server(&["404", &redirect, "200"]);
        let outlets = start(webhook(address), &[]);
        tell(&outlets, 0..3);
        let delivery = end(outlets, 3);
        assert_eq!((delivery.sent, delivery.failed), (1, 2));
        let reason = delivery.last_error.unwrap();
        assert!(reason.contains("307") && reason.contains("not followed") && !reason.contains("s3cret"), "{reason}");
        assert_eq!((received(&requests).len(), received(&strangers).len()), (3, 0));
    }

    #[test]
    fn a_dead_receiver_fails_after_its_retries() {
        let outlets = start(webhook(dead_port()), &[("retries", "2")]);
        tell(&outlets, 0..2);
        let delivery = end(outlets, 2);
        assert_eq!((delivery.sent, delivery.failed), (0, 2));
        let reason = delivery.last_error.unwrap();
        assert!(reason.starts_with("no connection") && !reason.contains("s3cret"), "{reason}");
    }

    #[test]
    fn a_receiver_that_never_answers_costs_its_time_out_and_the_run_no_more_than_its_patience() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let changes = [("timeout_s", "0.2"), ("retries", "0")];
        let outlets = start(webhook(address), &changes);
        tell(&outlets, 0..2);
        let delivery = end(outlets, 2);
        assert_eq!((delivery.failed, delivery.last_error.as_deref()), (2, Some("no answer in time")));

        let outlets = start(webhook(address), &[("timeout_s", "60"), ("patience_s", "0.2"), ("queue", "5")]);
        let begin = Instant::now();
        tell(&outlets, 0..1_000);
        assert!(begin.elapsed() < Duration::from_secs(5));
        let begin = Instant::now();
        let delivery = end(outlets, 1_000);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        assert_eq!((delivery.sent, delivery.failed), (0, 1));
        assert!(delivery.last_error.unwrap().contains("the run ended"));
    }

    #[test]
    fn https_says_nothing_in_the_clear() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/hook", listener.local_addr().unwrap());
        let outlets = start(Destination::webhook(&url).unwrap(), &[("retries", "0")]);
        tell(&outlets, 0..1);
        let mut stream: TcpStream = accept(&listener);
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).unwrap();
        // RFC 8446, 5.1: a handshake record.
        assert_eq!((hello[0], hello[1]), (22, 3));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        let delivery = end(outlets, 1);
        assert_eq!((delivery.sent, delivery.failed), (0, 1), "{delivery:?}");
    }
}

mod to_a_command {
    use super::*;

    /// Notes arguments, environment and input, one file for each alert.
    const RECORDER: &str = r#"
        dir=$1; shift
        file=$dir/$NSM_ALERT_ID
        for word in "$@"; do printf 'arg %s\n' "$word"; done > "$file.args"
        env -0 | grep -z '^NSM_ALERT_' > "$file.env"
        cat > "$file.in"
        echo noise
    "#;

    fn script(bench: &TestBench, text: &str) -> String {
        let path = bench.write("script.sh", text);
        // Read by a shell that the user asked for, and not started as a program: no other test may hold it open.
        format!("/bin/sh {}", path.display())
    }

    fn command(line: &str) -> Destination {
        Destination::command(line).unwrap()
    }

    fn recorded(bench: &TestBench, id: &str, what: &str) -> String {
        fs::read_to_string(bench.path().join(format!("{id}.{what}"))).unwrap()
    }

    #[test]
    fn it_gets_the_alert_on_its_input_and_fields_in_its_environment() {
        let bench = TestBench::new();
        let line = format!("{} {} -x 'two words' $", script(&bench, RECORDER), bench.path().display()).replace('$', r"\$HOME");
        let outlets = start(command(&line), &[]);
        let told = notice(7);
        outlets.tell(&told);
        all_sent(&end(outlets, 1));
        assert_eq!(recorded(&bench, &told.id, "args"), "arg -x\narg two words\narg $HOME\n");
        let input: Value = serde_json::from_str(&recorded(&bench, &told.id, "in")).unwrap();
        assert_eq!(input, serde_json::to_value(told.record()).unwrap());
        let mut fields: Vec<String> = recorded(&bench, &told.id, "env")
            .split_terminator('\0')
            .map(|field| field.trim_start_matches("NSM_ALERT_").to_owned())
            .collect();
        fields.sort();
        let want = [
            "ATTACKERS=203.0.113.66",
            "CAPTURE=a.pcap",
            "CONFIDENCE=0.5",
            "FIRST_SEEN=2023-08-05T15:03:31.000000001Z",
            "ID=0000000000000007",
            "LAST_SEEN=2023-08-05T15:03:32.000000000Z",
            "MESSAGE=scan 7 of 192.0.2.10",
            "SEVERITY=high",
            "STATUS=final",
            "TECHNIQUE=",
            "TITLE=Scan 7",
            "TYPE=port_scan",
            "VICTIMS=192.0.2.10",
        ];
        assert_eq!(fields, want);
    }

    #[test]
    fn nothing_of_an_alert_becomes_an_argument_or_a_command() {
        let bench = TestBench::new();
        let line = format!("{} {}", script(&bench, RECORDER), bench.path().display());
        let outlets = start(command(&line), &[]);
        let told = hostile(200_000);
        outlets.tell(&told);
        all_sent(&end(outlets, 1));
        assert_eq!(recorded(&bench, &told.id, "args"), "");
        let fields = recorded(&bench, &told.id, "env");
        assert_eq!(fields.split_terminator('\0').count(), 13);
        assert!(fields.split_terminator('\0').all(|field| field.len() < 4_200 && !field.chars().any(char::is_control)));
        let input = recorded(&bench, &told.id, "in");
        assert_eq!(input.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Value>(&input).unwrap()["message"], told.alert.message);
        assert!(!Path::new("owned").exists() && !bench.path().join("owned").exists());
    }

    #[test]
    fn exit_codes_are_failures_and_one_runs_at_a_time() {
        let bench = TestBench::new();
        let text = r#"
            cd "$1"
            mkdir running || exit 99
            sleep 0.05
            rmdir running
            [ "$NSM_ALERT_ID" = 0000000000000001 ] && exit 3
            exit 0
        "#;
        let outlets = start(command(&format!("{} {}", script(&bench, text), bench.path().display())), &[]);
        tell(&outlets, 0..5);
        let delivery = end(outlets, 5);
        assert_eq!((delivery.sent, delivery.failed, delivery.last_error.as_deref()), (4, 1, Some("ended with exit code 3")));
    }

    #[test]
    fn what_does_not_end_is_killed() {
        let bench = TestBench::new();
        let pid = bench.path().join("pid");
        let text = format!("echo $$ > {}; exec sleep 600", pid.display());
        let outlets = start(command(&script(&bench, &text)), &[("command_s", "0.3")]);
        outlets.tell(&hostile(300_000));
        let delivery = end(outlets, 1);
        assert!(delivery.last_error.unwrap().contains("killed"));
        assert!(is_gone(&pid), "it was killed for its time");

        let outlets = start(command(&script(&bench, &text)), &[("patience_s", "0.3")]);
        fs::remove_file(&pid).unwrap();
        tell(&outlets, 0..2);
        until("it runs", || fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')));
        let begin = Instant::now();
        let delivery = end(outlets, 2);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        assert_eq!((delivery.failed, delivery.dropped), (1, 1));
        assert!(is_gone(&pid), "it was killed with the run");
    }

    fn is_gone(pid: &Path) -> bool {
        !Path::new("/proc").join(fs::read_to_string(pid).unwrap().trim()).exists()
    }

    #[test]
    fn a_program_that_does_not_read_its_input_is_none_that_fails() {
        let outlets = start(command("true"), &[]);
        (0..5).for_each(|_| outlets.tell(&hostile(300_000)));
        all_sent(&end(outlets, 5));
    }

    #[test]
    fn a_program_that_cannot_be_run_is_refused_at_the_start() {
        let bench = TestBench::new();
        let path = bench.write("plain.sh", "exit 0\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Destination::command(path.to_str().unwrap()).unwrap_err().to_string().contains("no program that can be run"));
    }
}

mod of_the_program {
    use super::*;

    /// Fast, and enough where the files do not matter.
    const LEAN: [&str; 4] = ["--format", "json", "--hash", "none"];

    fn analyze(bench: &TestBench, args: &[&str]) -> common::Run {
        bench.nsm(["analyze"].iter().chain(args).chain(&LEAN))
    }

    fn capture(name: &str) -> String {
        sample(name).capture.to_str().unwrap().to_owned()
    }

    fn lines(path: &Path) -> Vec<Value> {
        fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn alerts_of_a_report_are_told_when_it_is_written() {
        let bench = TestBench::new();
        let (eve, ecs) = (bench.path().join("eve.json"), bench.path().join("ecs.json"));
        let args = [&capture("intrusion"), "--eve", "eve.json", "--ecs", "ecs.json", "--notify-from", "info", "-v"];
        analyze(&bench, &args).expect_code(0).expect_message("eve eve.json: ");
        let alerts = bench.alerts(Path::new(&capture("intrusion")).file_name().unwrap().to_str().unwrap());
        assert!(!alerts.is_empty());
        for (path, time) in [(&eve, "timestamp"), (&ecs, "@timestamp")] {
            let told = lines(path);
            let records: Vec<&Value> = told.iter().map(|line| &line["nsm"]).collect();
            assert_eq!(records, alerts.iter().collect::<Vec<_>>());
            assert!(told.iter().all(|line| line[time].is_string()));
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(lines(&eve)[0]["event_type"], "alert");
        assert_eq!(lines(&ecs)[0]["event"]["kind"], "alert");
        // What is not severe enough is not told, and a file that is there is appended to.
        let severe = alerts.iter().filter(|alert| ["high", "critical"].contains(&alert["severity"].as_str().unwrap())).count();
        analyze(&bench, &[&capture("intrusion"), "--eve", "eve.json", "--notify-from", "high", "--force"]).expect_code(0);
        assert_eq!(lines(&eve).len(), alerts.len() + severe);
        assert!(severe < alerts.len());
    }

    #[test]
    fn standard_output_takes_lines_too() {
        let bench = TestBench::new();
        let run = analyze(&bench, &[&capture("port-scan"), "--eve", "-"]).expect_code(0);
        let line: Value = serde_json::from_str(run.stdout.trim_end()).unwrap();
        assert_eq!(line["nsm"], bench.alerts("capture.pcap")[0]);
        assert_eq!(line["src_ip"], "203.0.113.66");
    }

    #[test]
    fn a_batch_tells_of_what_it_analyses_and_not_of_what_it_keeps() {
        let bench = TestBench::new();
        bench.write("captures/a.pcap", sample("port-scan").bytes());
        bench.write("captures/b.pcap", sample("syn-flood").bytes());
        let args = ["analyze", "captures", "--eve", "eve.json", "--format", "json"];
        bench.nsm(args).expect_code(0);
        let told = lines(&bench.path().join("eve.json"));
        let captures: std::collections::BTreeSet<&str> = told.iter().map(|line| line["nsm"]["capture"]["file"].as_str().unwrap()).collect();
        assert_eq!(captures.into_iter().collect::<Vec<_>>(), ["captures/a.pcap", "captures/b.pcap"]);
        // Other settings of the outlets are no reason to analyse again.
        bench.nsm(args.iter().chain(&["--set", "outlet.queue=77"])).expect_code(0).expect_message("kept 2");
        assert_eq!(lines(&bench.path().join("eve.json")).len(), told.len());
    }

    #[test]
    fn what_the_allow_list_silences_is_not_told() {
        let bench = TestBench::new();
        bench.write("allow.yaml", "allow:\n  - { detector: port_scan }\n");
        analyze(&bench, &[&capture("port-scan"), "-C", "allow.yaml", "--eve", "eve.json", "--notify-from", "info"]).expect_code(0);
        assert_eq!(fs::read_to_string(bench.path().join("eve.json")).unwrap(), "");
    }

    #[test]
    fn what_was_not_delivered_is_said_and_changes_no_exit_code() {
        let bench = TestBench::new();
        let dead = format!("tcp://{}", dead_port());
        let args = [&capture("port-scan"), "--syslog", &dead, "--set", "outlet.retries=0", "-q"];
        let run = analyze(&bench, &args).expect_code(0);
        let want = format!("warning: syslog {dead}: 1 of 1 alerts were not delivered: cannot be reached: ");
        assert!(run.stderr.starts_with(&want), "{}", run.stderr);
        analyze(&bench, &[&capture("port-scan"), "--on-alert", "false", "--force", "--fail-on", "high"])
            .expect_code(4)
            .expect_message("ended with exit code 1");
    }

    #[test]
    fn no_secret_is_in_the_report_or_on_the_terminal() {
        let bench = TestBench::new();
        bench.write("url", format!("http://{}/s3cret", dead_port()));
        let url = format!("http://s3cret:s3cret@{}/s3cret?s3cret", dead_port());
        let joined = format!("--webhook=http://{}/s3cret/2", dead_port());
        let capture = capture("port-scan");
        let args = [
            "analyze",
            &capture,
            "--webhook",
            &url,
            &joined,
            "--webhook",
            "@url",
            "--on-alert",
            "true s3cret",
            "--set",
            "outlet.retries=0",
            "-v",
        ];
        let run = bench.nsm(args).expect_code(0).expect_message("webhook http://127.0.0.1:");
        assert!(!run.stderr.contains("s3cret") && !run.stdout.contains("s3cret"), "{}", run.stderr);
        for (name, bytes) in common::tree(&bench.reports()) {
            assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"), "{name}");
        }
        let manifest = common::json(&bench.reports().join("capture.pcap/manifest.json"));
        let line: Vec<&str> = manifest["command_line"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        assert!(line[4].starts_with("http://127.0.0.1:") && line[4].ends_with("/..."), "{line:?}");
        assert_eq!(line[9], "true ...");
        let refused = bench.nsm(["analyze", &capture, "--webhook", "s3cret://x"]).expect_code(2).expect_message("--webhook");
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }

    #[test]
    fn destinations_that_cannot_be_meant_are_refused_before_anything_is_read() {
        let bench = TestBench::new();
        let capture = capture("port-scan");
        for (args, want) in [
            (&["--syslog", "192.0.2.1"][..], "write it as udp://HOST"),
            (&["--on-alert", "mail | cat"], "no shell reads the command"),
            (&["--on-alert", "no-such-program-of-ours"], "no program that can be run"),
            (&["--eve", "x", "--eve", "x"], "to the same place twice"),
            (&["--notify-from", "bad"], "possible values"),
            (&["--set", "outlet.queue=0"], "from 1 to 1000000"),
        ] {
            analyze(&bench, &[&[capture.as_str()], args].concat()).expect_code(2).expect_message(want);
        }
        analyze(&bench, &[&capture, "--eve", "."]).expect_code(1).expect_message("not a regular file");
        assert!(!bench.reports().exists());
    }
}
