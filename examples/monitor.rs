//! Watches the log of an SSH server: `journalctl -u ssh -o short-iso-precise | cargo run --release --example monitor -- -`,
//! or a file by its name. Without either it reads a short log of its own, in which somebody guesses passwords.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of one screen of code, which speaks to who runs it")]

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::process::ExitCode;

use network_security_monitor::monitor::{Connection, NetworkSecurityMonitor, Service, Timestamp};

/// The addresses are of RFC 5737.
const OWN: &str = "\
2024-05-01T10:00:01.000Z host sshd[911]: Failed password for root from 203.0.113.9 port 51234 ssh2
2024-05-01T10:00:03.100Z host sshd[913]: Failed password for invalid user admin from 203.0.113.9 port 51235 ssh2
2024-05-01T10:00:05.400Z host sshd[915]: Failed password for invalid user test from 203.0.113.9 port 51236 ssh2
2024-05-01T10:00:06.900Z host sshd[917]: Accepted publickey for carol from 192.0.2.4 port 40022 ssh2
2024-05-01T10:00:07.700Z host sshd[919]: Failed password for root from 203.0.113.9 port 51237 ssh2
2024-05-01T10:00:09.200Z host sshd[921]: Failed password for invalid user oracle from 203.0.113.9 port 51238 ssh2
2024-05-01T10:00:11.000Z host sshd[923]: Failed password for root from 203.0.113.9 port 51239 ssh2
2024-05-01T10:00:12.800Z host sshd[925]: Failed password for invalid user git from 203.0.113.9 port 51240 ssh2
2024-05-01T10:00:14.100Z host sshd[927]: Failed password for root from 203.0.113.9 port 51241 ssh2
2024-05-01T10:00:15.900Z host sshd[929]: Failed password for deploy from 203.0.113.9 port 51242 ssh2
2024-05-01T10:00:17.300Z host sshd[931]: Failed password for deploy from 203.0.113.9 port 51243 ssh2
2024-05-01T10:00:19.000Z host sshd[933]: Accepted password for deploy from 203.0.113.9 port 51244 ssh2
";

fn main() -> ExitCode {
    let watched = match std::env::args().nth(1).as_deref() {
        None => watch(OWN.as_bytes()),
        Some("-") => watch(io::stdin().lock()),
        Some(path) => File::open(path).map_err(Into::into).and_then(|file| watch(BufReader::new(file))),
    };
    match watched {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("monitor: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn watch(log: impl BufRead) -> Result<(), Box<dyn std::error::Error>> {
    let mut monitor = NetworkSecurityMonitor::new().named("sshd");
    let (mut logins, mut others) = (0, 0);
    for line in log.lines() {
        match login(&line?) {
            Some(connection) => {
                monitor.monitor(&connection);
                logins += 1;
            }
            None => others += 1,
        }
    }
    println!("{logins} lines are logins, {others} are something else");
    print!("{}", monitor.get_suspicious_activity_summary()?);
    for alert in monitor.alerts()? {
        // A debug string spells out what a name in a log could do to a terminal.
        println!("{}: {:?}", alert.severity.name(), alert.message);
    }
    Ok(())
}

/// `TIME HOST sshd[PID]: Failed password for [invalid user ]NAME from ADDRESS port PORT ssh2`, or `Accepted ...`.
fn login(line: &str) -> Option<Connection> {
    let (time, rest) = line.split_once(' ')?;
    let (_, message) = rest.split_once("]: ")?;
    let (failed, message) = match message.split_once(' ')? {
        ("Failed", rest) => (true, rest),
        ("Accepted", rest) => (false, rest),
        _ => return None,
    };
    let (_, message) = message.split_once(" for ")?;
    // A user may be called "x from 192.0.2.1 port 22": what the server wrote itself comes last.
    let (user, from) = message.strip_prefix("invalid user ").unwrap_or(message).rsplit_once(" from ")?;
    let mut words = from.split(' ');
    let source: IpAddr = words.next()?.parse().ok()?;
    let port: u16 = words.nth(1)?.parse().ok()?;
    let connection = Connection::new(source, 22, time.parse::<Timestamp>().ok()?).from_port(port).service(Service::Ssh);
    Some(if failed { connection.failed_login(user) } else { connection.successful_login(user) })
}
