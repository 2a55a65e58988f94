//! How a syslog message travels: UDP (RFC 5426), TCP (RFC 6587, octet counting), or a local socket.
//!
//! Knows connections and how messages are told apart on them. Does not know what a message says.
//!
//! A datagram says little about its arrival: where nobody listens, some systems answer, and the answer comes with the
//! next datagram; that counts as one lost. A message that was handed to a connection counts as sent.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::retry::Trouble;
use crate::config;
use crate::error::Error;

/// RFC 5426, 3.1.
const UDP_PORT: u16 = 514;
/// What receivers of datagrams should take (RFC 5424, 6.1; RFC 5426, 3.2).
const DATAGRAM: usize = 2_048;
/// What rsyslog takes unless told otherwise; a connection itself has no limit.
const MESSAGE: usize = 8_192;
/// Reads for what a receiver says that should say nothing: 64 KiB.
const ANSWERS: usize = 16;

/// Where syslog messages go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Receiver {
    Udp(Place),
    Tcp(Place),
    /// A datagram socket such as `/dev/log`, or a stream socket.
    Unix(PathBuf),
}

/// Host name or address, and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    host: String,
    port: u16,
}

impl Receiver {
    /// `udp://HOST[:PORT]`, `tcp://HOST:PORT` or `unix:PATH`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`Error::Usage`] that says how to write it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed = if let Some(place) = text.strip_prefix("udp://") {
            Place::parse(place, Some(UDP_PORT)).map(Self::Udp)
        } else if let Some(place) = text.strip_prefix("tcp://") {
            // RFC 6587, 3.3: no port is assigned.
            Place::parse(place, None).map(Self::Tcp)
        } else if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            (cfg!(unix) && !path.is_empty()).then(|| Self::Unix(path.into()))
        } else {
            None
        };
        let form = "write it as udp://HOST[:PORT], tcp://HOST:PORT or unix:/dev/log";
        parsed.ok_or_else(|| Error::Usage(format!("--syslog {text}: not a receiver of syslog; {form}")))
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(place) => write!(f, "udp://{place}"),
            Self::Tcp(place) => write!(f, "tcp://{place}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Place {
    fn parse(text: &str, usual_port: Option<u16>) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if port.is_empty() => usual_port?,
            None => return None,
        };
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
        is_host.then(|| Self { host: host.to_owned(), port })
    }

    fn addresses(&self) -> io::Result<impl Iterator<Item = std::net::SocketAddr>> {
        (self.host.as_str(), self.port).to_socket_addrs()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// A connection to the receiver, made when it is needed and made anew when it broke.
pub(super) struct Transport {
    receiver: Receiver,
    timeout: Duration,
    connection: Option<Connection>,
}

enum Connection {
    Udp(UdpSocket),
    #[cfg(unix)]
    Datagram(std::os::unix::net::UnixDatagram),
    Stream(Box<dyn Stream>, Framing),
}

/// How messages are told apart on a connection.
#[derive(Clone, Copy)]
enum Framing {
    /// RFC 6587, 3.4.1: the length before each message.
    OctetCounting,
    /// RFC 6587, 3.4.2: a line each, which is what local daemons read. No message of ours holds the end of a line.
    #[cfg(unix)]
    Newline,
}

trait Stream: Read + Write + Send {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }
}

impl Transport {
    pub fn new(receiver: &Receiver, settings: &config::Outlet) -> Self {
        Self { receiver: receiver.clone(), timeout: Duration::from_secs_f64(settings.timeout_s), connection: None }
    }

    /// Bytes that a message may have.
    pub const fn longest(&self) -> usize {
        if matches!(self.receiver, Receiver::Udp(_)) { DATAGRAM } else { MESSAGE }
    }

    /// Hands the message over; whatever goes wrong, the next one has a new connection.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Trouble> {
        // Where the receiver has hung up, what is written is lost without a word.
        if self.connection.as_mut().is_some_and(|connection| !connection.is_open()) {
            self.connection = None;
        }
        let mut connection = match self.connection.take() {
            Some(open) => open,
            None => connect(&self.receiver, self.timeout).map_err(|cause| Trouble::passing(format!("cannot be reached: {cause}")))?,
        };
        match connection.send(message, self.timeout) {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            // The answer to the datagram before this one: that one was lost. This one is sent, and may arrive.
            Err(cause) if matches!(connection, Connection::Udp(_)) && cause.kind() == ErrorKind::ConnectionRefused => {
                if connection.send(message, self.timeout).is_ok() {
                    self.connection = Some(connection);
                }
                Err(Trouble::Lasting("nobody listens there".into()))
            }
            Err(cause) => Err(Trouble::passing(format!("does not take messages: {cause}"))),
        }
    }
}

impl Connection {
    fn send(&mut self, message: &[u8], timeout: Duration) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(message).map(|_| ()),
            #[cfg(unix)]
            Self::Datagram(socket) => socket.send(message).map(|_| ()),
            Self::Stream(stream, framing) => {
                let framed = match framing {
                    Framing::OctetCounting => [format!("{} ", message.len()).as_bytes(), message].concat(),
                    #[cfg(unix)]
                    Framing::Newline => [message, b"\n"].concat(),
                };
                write_by(&mut **stream, &framed, Instant::now() + timeout)
            }
        }
    }

    fn is_open(&mut self) -> bool {
        let Self::Stream(stream, _) = self else { return true };
        if stream.set_nonblocking(true).is_err() {
            return false;
        }
        // A receiver of syslog says nothing; what one does say is read away, up to where it hung up.
        let mut answer = [0; 4_096];
        let silence = (0..ANSWERS).find_map(|_| match stream.read(&mut answer) {
            Ok(0) => Some(false),
            Ok(_) => None,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => None,
            Err(cause) => Some(cause.kind() == ErrorKind::WouldBlock),
        });
        // Who never ends to talk is there.
        let is_open = silence.unwrap_or(true);
        is_open && stream.set_nonblocking(false).is_ok()
    }
}

/// All of it, or an error: each single write has the connection's time-out, and all together end with the deadline.
fn write_by(stream: &mut dyn Stream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

fn connect(receiver: &Receiver, timeout: Duration) -> io::Result<Connection> {
    match receiver {
        Receiver::Udp(place) => udp(place).map(Connection::Udp),
        Receiver::Tcp(place) => Ok(Connection::Stream(Box::new(tcp(place, timeout)?), Framing::OctetCounting)),
        #[cfg(unix)]
        Receiver::Unix(path) => unix(path, timeout),
        #[cfg(not(unix))]
        Receiver::Unix(_) => Err(ErrorKind::Unsupported.into()),
    }
}

/// Connected, so that the answer of a host where nobody listens is heard.
fn udp(place: &Place) -> io::Result<UdpSocket> {
    let mut trouble = no_address();
    for address in place.addresses()? {
        let any: std::net::SocketAddr =
            if address.is_ipv4() { (std::net::Ipv4Addr::UNSPECIFIED, 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
        match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(cause) => trouble = cause,
        }
    }
    Err(trouble)
}

fn tcp(place: &Place, timeout: Duration) -> io::Result<TcpStream> {
    let mut trouble = no_address();
    for address in place.addresses()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_write_timeout(Some(timeout))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(cause) => trouble = cause,
        }
    }
    Err(trouble)
}

#[cfg(unix)]
fn unix(path: &std::path::Path, timeout: Duration) -> io::Result<Connection> {
    use std::os::unix::net::{UnixDatagram, UnixStream};
    let socket = UnixDatagram::unbound()?;
    match socket.connect(path) {
        Ok(()) => {
            socket.set_write_timeout(Some(timeout))?;
            Ok(Connection::Datagram(socket))
        }
        // It is a stream socket.
        Err(cause) if cause.raw_os_error() == Some(nix::libc::EPROTOTYPE) => {
            let stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(Connection::Stream(Box::new(stream), Framing::Newline))
        }
        Err(cause) => Err(cause),
    }
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::AddrNotAvailable, "the name has no address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_read_as_they_are_written() {
        for (text, shown) in [
            ("udp://192.0.2.1", "udp://192.0.2.1:514"),
            ("udp://192.0.2.1:5514", "udp://192.0.2.1:5514"),
            ("udp://[2001:db8::1]", "udp://[2001:db8::1]:514"),
            ("tcp://[2001:db8::1]:6514", "tcp://[2001:db8::1]:6514"),
            ("tcp://logs.example:601", "tcp://logs.example:601"),
            ("unix:/dev/log", "unix:/dev/log"),
            ("unix:///dev/log", "unix:/dev/log"),
        ] {
            assert_eq!(Receiver::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "/dev/log",
            "udp://",
            "udp://:514",
            "udp://a:0",
            "udp://a:99999",
            "udp://a:5 14",
            "udp://a/b",
            "udp://u@a",
            "udp://2001:db8::1",
            "udp://[::1",
            "udp://[::1]514",
            "udp://[a]:1",
            "tcp://a",
            "tcp://[::1]",
            "unix:",
            "http://a",
            "tls://a:6514",
        ] {
            let refused = Receiver::parse(text).unwrap_err().to_string();
            assert!(refused.contains("write it as udp://HOST"), "{text}: {refused}");
        }
    }
}
