//! A connection as a program tells of it: what it knows, and nothing it does not.

use std::net::IpAddr;
use std::time::Duration;

use super::Timestamp;
use crate::decode::Packet;
use crate::decode::app::{self, Login, LoginOutcome, Moment, Service};
use crate::net::Addr;
use crate::table::{Outcome, Told};
use crate::time::{LATEST, Nanos};

/// Payload of one end that is counted, 16 TiB: a million connections add up without overflow, whatever a log says.
const MOST_BYTES: u64 = 1 << 44;

/// A connection, or the attempt to make one.
///
/// Only the source, the port that was asked for and the time must be known. Without a destination it is the
/// monitored host; without an outcome nobody claims that it failed or worked, unless bytes or a login show it.
///
/// ```
/// use std::net::Ipv4Addr;
/// use network_security_monitor::monitor::{Connection, Outcome, Service};
///
/// let client = Ipv4Addr::new(203, 0, 113, 9);
/// let server = Ipv4Addr::new(192, 0, 2, 10);
/// let refused = Connection::new(client, 445, 1_691_247_811.0).to(server).outcome(Outcome::Refused);
/// let guess = Connection::new(client, 22, 1_691_247_812.5).to(server).service(Service::Ssh).failed_login("root");
/// let upload = Connection::new(server, 443, 1_691_247_900.0).to(client).bytes(150_000_000, 20_000);
/// # drop((refused, guess, upload));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Connection {
    source: Addr,
    source_port: u16,
    destination: Option<Addr>,
    port: u16,
    udp: bool,
    at: Timestamp,
    lasted: Duration,
    outcome: Option<Outcome>,
    service: Service,
    bytes_out: u64,
    bytes_back: u64,
    login: Option<(String, LoginOutcome)>,
}

impl Connection {
    /// Somebody at `source` asked for TCP port `port`, at the beginning of the connection.
    pub fn new(source: impl Into<IpAddr>, port: u16, at: impl Into<Timestamp>) -> Self {
        Self {
            source: Addr::from(source.into()),
            source_port: 0,
            destination: None,
            port,
            udp: false,
            at: at.into(),
            lasted: Duration::ZERO,
            outcome: None,
            service: Service::Unknown,
            bytes_out: 0,
            bytes_back: 0,
            login: None,
        }
    }

    /// Whom it went to, where that is not the monitored host.
    pub fn to(mut self, destination: impl Into<IpAddr>) -> Self {
        self.destination = Some(Addr::from(destination.into()));
        self
    }

    /// The port it came from.
    pub const fn from_port(mut self, port: u16) -> Self {
        self.source_port = port;
        self
    }

    /// It was UDP and not TCP.
    pub const fn udp(mut self) -> Self {
        self.udp = true;
        self
    }

    /// What came of it.
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// What was spoken.
    pub const fn service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// Payload of the source and of the destination, bytes; at most 16 TiB each are counted.
    pub fn bytes(mut self, out: u64, back: u64) -> Self {
        (self.bytes_out, self.bytes_back) = (out.min(MOST_BYTES), back.min(MOST_BYTES));
        self
    }

    /// How long it was open.
    pub const fn lasting(mut self, lasted: Duration) -> Self {
        self.lasted = lasted;
        self
    }

    /// The source tried to log in as `user` and was refused; the name may be empty where it is not known.
    pub fn failed_login(self, user: impl Into<String>) -> Self {
        self.login(user, LoginOutcome::Failed)
    }

    /// The source logged in as `user`.
    pub fn successful_login(self, user: impl Into<String>) -> Self {
        self.login(user, LoginOutcome::Succeeded)
    }

    fn login(mut self, user: impl Into<String>, outcome: LoginOutcome) -> Self {
        self.login = Some((user.into(), outcome));
        self
    }

    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// As the tables take it, not numbered yet and without elapsed time; `host` is the monitored one.
    pub(super) fn told(&self, host: Addr) -> Told {
        let ts = self.at.nanos();
        let destination = self.destination.unwrap_or(host);
        let opening = Told::opening((self.source, self.source_port), (destination, self.port), self.udp);
        let login = self.login.as_ref().map(|(user, outcome)| Login {
            user: app::name(user.as_bytes()),
            outcome: *outcome,
            certain: true,
            at: Moment { ts, ordinal: 0 },
        });
        Told {
            opening: Packet { ts, ..opening },
            outcome: self.outcome.unwrap_or_else(|| self.shown()),
            lasted: Nanos::try_from(self.lasted.as_nanos()).unwrap_or(LATEST).min(LATEST - ts),
            bytes_out: self.bytes_out,
            bytes_back: self.bytes_back,
            service: self.service,
            login,
        }
    }

    /// The outcome that follows from the rest: payload goes over TCP only once the handshake is complete.
    const fn shown(&self) -> Outcome {
        let answered = self.bytes_back > 0 || self.login.is_some() || !self.udp && self.bytes_out > 0;
        if answered { Outcome::Data } else { Outcome::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn plain() -> Connection {
        Connection::new(Ipv4Addr::new(203, 0, 113, 9), 22, 1.0)
    }

    #[test]
    fn what_is_not_told_is_claimed_only_where_the_rest_shows_it() {
        let outcome = |connection: Connection| connection.told(Addr::from_v4(1)).outcome;
        assert_eq!(outcome(plain()), Outcome::Unknown);
        assert_eq!(outcome(plain().bytes(1, 0)), Outcome::Data);
        assert_eq!([outcome(plain().udp().bytes(1, 0)), outcome(plain().udp().bytes(1, 1))], [Outcome::Unknown, Outcome::Data]);
        assert_eq!(outcome(plain().failed_login("root")), Outcome::Data);
        assert_eq!(outcome(plain().failed_login("root").outcome(Outcome::Refused)), Outcome::Refused);
    }

    #[test]
    fn it_goes_to_the_monitored_host_unless_another_is_named() {
        let host = Addr::from_v4(1);
        let to = |connection: Connection| connection.told(host).opening.dst;
        assert_eq!(to(plain()), host);
        assert_eq!(to(plain().to(Ipv4Addr::new(0, 0, 0, 2))), Addr::from_v4(2));
    }

    #[test]
    fn absurd_numbers_of_bytes_do_not_overflow() {
        let told = plain().bytes(u64::MAX, u64::MAX).told(Addr::from_v4(1));
        assert_eq!((told.bytes_out, told.bytes_back), (MOST_BYTES, MOST_BYTES));
    }

    /// However long a program says, the end is a moment within the range.
    #[test]
    fn its_end_is_held_to_the_range_too() {
        let told = plain().lasting(Duration::MAX).told(Addr::from_v4(1));
        assert_eq!(told.opening.ts + told.lasted, LATEST);
    }
}
