//! The tables as rules see them: which columns there are, what they hold, and in which unit.
//!
//! Knows names and kinds. Does not know how a value is made from a stored one (that is [`super::view`]).

use crate::config::nearest;
use crate::table::schema as col;

/// How a column is shown to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text such as `10.0.0.5` or `2001:db8::1`.
    Address,
    /// Text such as `02:00:5e:10:00:01`.
    Mac,
    Text,
    /// A whole number.
    Number,
    /// Whole seconds since 1970-01-01 UTC.
    Time,
    /// Whole milliseconds.
    Duration,
    /// True or false.
    Flag,
    /// How many distinct things were seen in the row (stored as a set).
    Members,
    /// How many of the minute's seconds (stored as one bit for each).
    Seconds,
}

impl Kind {
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Address => "address as text",
            Self::Mac => "hardware address as text",
            Self::Text => "text",
            Self::Number => "whole number",
            Self::Time => "seconds since 1970, UTC",
            Self::Duration => "milliseconds",
            Self::Flag => "true or false",
            Self::Members => "number of distinct ones in the row; of several rows take MAX, not SUM",
            Self::Seconds => "number of seconds",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

/// Where a table says how many connections a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// In this stored column.
    In(&'static str),
    /// Every row is one.
    Rows,
    Nowhere,
}

/// Connections one by one, which are kept only for rules.
pub const FLOWS: &str = "flows";

/// One of the tables that a rule can be about.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub about: &'static str,
    /// What a window is laid over; none where a row stands for the whole capture.
    pub time: Option<&'static str>,
    pub columns: &'static [Column],
    /// Who an alert names as attackers and victims unless the rule says otherwise.
    pub attackers: Option<&'static str>,
    pub victims: Option<&'static str>,
    /// Stored columns with the earliest and latest moment of a row.
    pub(super) first: &'static [&'static str],
    pub(super) last: &'static [&'static str],
    pub(super) connections: Counted,
    /// Stored column that counts packets.
    pub(super) packets: Option<&'static str>,
    /// Stored columns with the port that an alert names.
    pub(super) port: Option<&'static str>,
}

/// Columns that rules may use beside the stored ones, for every column of addresses and for the time.
pub const DERIVED: [(&str, &str); 4] = [
    ("<address>_scope", "'private' (not routed on the Internet), 'group' (multicast, broadcast, unspecified) or 'public'"),
    ("<address>_in_<network>", "true if it lies in the network of that name in the rule's `networks`"),
    (HOUR, "hour of the day of the row's time, 0 to 23, UTC"),
    (WEEKDAY, "day of the week of the row's time, 1 (Monday) to 7 (Sunday), UTC"),
];
pub const HOUR: &str = "hour";
pub const WEEKDAY: &str = "weekday";

const fn column(name: &'static str, kind: Kind, about: &'static str) -> Column {
    Column { name, kind, about }
}

const MINUTE: Column = column(col::MINUTE, Kind::Time, "start of the minute in which it began");
const FIRST_TS: Column = column(col::FIRST_TS, Kind::Time, "first packet");
const LAST_TS: Column = column(col::LAST_TS, Kind::Time, "last packet");
const CLIENT: Column = column(col::CLIENT, Kind::Address, "who asked");
const SERVER: Column = column(col::SERVER, Kind::Address, "who was asked");
const PORT: Column = column(col::PORT, Kind::Number, "port of the server");
const PROTO: Column = column(col::PROTO, Kind::Number, "IP protocol: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6");
const SERVICE: Column = column(col::SERVICE, Kind::Text, "by content: dns ftp http imap krb ldap pop3 rdp smb smtp ssh telnet ssl");
const VLAN: Column = column(col::VLAN, Kind::Number, "VLAN, 0 without");

/// In the order of the design.
pub static TABLES: [Table; 11] = [
    Table {
        name: FLOWS,
        about: "connections one by one, each when it has ended; a capture of more than fit says so, `contacts` has them all by the minute",
        time: Some(col::FIRST_TS),
        columns: &[
            FIRST_TS,
            LAST_TS,
            column(col::DURATION, Kind::Duration, "from the first packet to the last"),
            column(col::SOURCE, Kind::Address, "who opened it"),
            column(col::SOURCE_PORT, Kind::Number, "port of the source"),
            column(col::TARGET, Kind::Address, "to whom"),
            column(col::PORT, Kind::Number, "port of the target; 0 where the protocol has none"),
            PROTO,
            VLAN,
            column(col::CONN_STATE, Kind::Text, "as Zeek's: S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH"),
            column(col::OUTCOME, Kind::Text, "unanswered refused half_open empty data unknown"),
            SERVICE,
            column(col::SERVER_NAME, Kind::Text, "the name that the client asked for by TLS or HTTP; empty if none was seen"),
            column(col::PACKETS, Kind::Number, "packets both ways"),
            column(col::PACKETS_BACK, Kind::Number, "of these, from the target"),
            column(col::BYTES_OUT, Kind::Number, "payload bytes from source to target"),
            column(col::BYTES_BACK, Kind::Number, "payload bytes from target to source"),
            column(col::RETRANSMITTED, Kind::Number, "segments sent again, both ways"),
        ],
        attackers: Some(col::SOURCE),
        victims: Some(col::TARGET),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Rows,
        packets: Some(col::PACKETS),
        port: Some(col::PORT),
    },
    Table {
        name: "contacts",
        about: "who tried to reach which port of whom, by the minute, and what came of it",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            column(col::SOURCE, Kind::Address, "who opened the connections"),
            column(col::TARGET, Kind::Address, "to whom"),
            column(col::PORT, Kind::Number, "port of the target; 0 where the protocol has none"),
            PROTO,
            VLAN,
            FIRST_TS,
            LAST_TS,
            column(col::CONNECTIONS, Kind::Number, "connections that began in the minute, also those under way when first seen"),
            column(col::ATTEMPTS, Kind::Number, "of these, seen from their beginning"),
            column(col::UNANSWERED, Kind::Number, "attempts nobody answered"),
            column(col::REFUSED, Kind::Number, "attempts that were refused"),
            column(col::HALF_OPEN, Kind::Number, "attempts that were answered and not completed"),
            column(col::EMPTY, Kind::Number, "attempts that were completed without data"),
            column(col::DATA, Kind::Number, "attempts that carried data"),
            column(col::PACKETS, Kind::Number, "packets both ways"),
            column(col::BYTES_OUT, Kind::Number, "payload bytes from source to target"),
            column(col::BYTES_BACK, Kind::Number, "payload bytes from target to source"),
            column(col::SOURCE_PORT, Kind::Number, "port the first attempt came from"),
            column(col::SAME_SOURCE_PORT, Kind::Number, "attempts from the same port as the first"),
            column(col::PEAK_1S, Kind::Number, "most attempts in any sliding second"),
            column(col::PEAK_10S, Kind::Number, "most attempts in ten seconds of the clock"),
            column(col::BUSY_SECONDS, Kind::Seconds, "seconds with more than five attempts"),
            column(col::LONGEST, Kind::Duration, "the longest that one connection lasted"),
        ],
        attackers: Some(col::SOURCE),
        victims: Some(col::TARGET),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::In(col::CONNECTIONS),
        packets: Some(col::PACKETS),
        port: Some(col::PORT),
    },
    Table {
        name: "victims",
        about: "what arrived at a target, by the second while it is busy, else by the minute",
        time: Some(col::TS),
        columns: &[
            column(col::TS, Kind::Time, "start of the second or minute"),
            column(col::TARGET, Kind::Address, "at whom it arrived"),
            column(col::BUSY, Kind::Flag, "the row is one second; otherwise the quiet seconds of a minute"),
            column("packets", Kind::Number, "packets"),
            column("early", Kind::Number, "packets of the first halves of seconds"),
            column("bytes", Kind::Number, "bytes of IP packets"),
            column("syn", Kind::Number, "TCP SYN"),
            column("syn_ack", Kind::Number, "TCP SYN-ACK"),
            column("ack", Kind::Number, "TCP ACK without data"),
            column("rst", Kind::Number, "TCP RST"),
            column("fin", Kind::Number, "TCP FIN"),
            column("stray", Kind::Number, "TCP without SYN and without a connection"),
            column("handshakes", Kind::Number, "completed handshakes"),
            column("udp", Kind::Number, "UDP packets"),
            column("udp_bytes", Kind::Number, "bytes of UDP packets"),
            column("udp_answered", Kind::Number, "UDP packets of conversations in which the target spoke"),
            column("echo", Kind::Number, "ICMP echo requests"),
            column("icmp", Kind::Number, "ICMP packets"),
            column("fragments", Kind::Number, "fragments"),
            column("first_fragments", Kind::Number, "first fragments"),
            column("last_fragments", Kind::Number, "last fragments"),
            column("fragment_bytes", Kind::Number, "bytes of fragments"),
            column("fragment_needed", Kind::Number, "bytes that the datagrams of last fragments need"),
            column("unsolicited", Kind::Number, "answers nobody asked for"),
            column("unsolicited_bytes", Kind::Number, "their bytes"),
            column("folded", Kind::Number, "packets of a flood that were counted and not kept one by one"),
            column("duplicates", Kind::Number, "packets captured twice"),
            column(col::REFLECTED_PORT, Kind::Number, "port that most unsolicited answers came from"),
            column(col::TARGET_PORT, Kind::Number, "port that most packets went to"),
            column(col::SOURCES, Kind::Members, "sources"),
            column(col::REFLECTORS, Kind::Members, "sources of unsolicited answers"),
        ],
        attackers: None,
        victims: Some(col::TARGET),
        first: &[col::TS],
        last: &[col::TS],
        connections: Counted::Nowhere,
        packets: Some("packets"),
        port: Some(col::TARGET_PORT),
    },
    Table {
        name: "folds",
        about: "what a flood made and no connection was kept for, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            column(col::SOURCE, Kind::Address, "sender; :: where the row is of one target"),
            column(col::TARGET, Kind::Address, "receiver; :: where the row is of one source"),
            PROTO,
            FIRST_TS,
            LAST_TS,
            column(col::PACKETS, Kind::Number, "packets"),
            column(col::HOSTS, Kind::Members, "hosts at the other end"),
            column(col::PORTS, Kind::Members, "ports"),
        ],
        attackers: Some(col::SOURCE),
        victims: Some(col::TARGET),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: Some(col::PACKETS),
        port: None,
    },
    Table {
        name: "names",
        about: "DNS messages by client, registered domain, type and result, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            CLIENT,
            column(col::DOMAIN, Kind::Text, "registered domain: one label below the public suffix"),
            column(col::QTYPE, Kind::Number, "query type: 1 A, 10 NULL, 16 TXT, 28 AAAA"),
            column(col::RESULT, Kind::Number, "response code: 0 no error, 2 server failure, 3 no such name; 255 is the question itself"),
            column(col::MESSAGES, Kind::Number, "messages"),
            column(col::NAMES, Kind::Members, "whole names"),
            column(col::NAME_BYTES, Kind::Number, "bytes of the names beside the domain, added up"),
            column(col::LONGEST_NAME, Kind::Number, "most bytes of one name beside the domain"),
            column(col::ENTROPY, Kind::Number, "entropies of the names beside the domain, added up, in thousandths of a bit per byte"),
            column(col::ANSWER_BYTES, Kind::Number, "bytes of the answers"),
            column(col::SERVERS, Kind::Members, "servers"),
            FIRST_TS,
            LAST_TS,
        ],
        attackers: Some(col::CLIENT),
        victims: None,
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: Some(col::MESSAGES),
        port: None,
    },
    Table {
        name: "logins",
        about: "who tried to log in where as whom, by the minute, and what came of it",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            CLIENT,
            SERVER,
            PORT,
            SERVICE,
            column(col::USER, Kind::Text, "user name; empty where the protocol hides it"),
            column(col::FAILED, Kind::Number, "failures, as the server said"),
            column(col::FAILED_INFERRED, Kind::Number, "failures, as sizes and times say"),
            column(col::SUCCEEDED, Kind::Number, "successes, as the server said"),
            column(col::SUCCEEDED_INFERRED, Kind::Number, "successes, as sizes and times say"),
            column(col::DROPPED, Kind::Number, "the server hung up before it asked"),
            column(col::FIRST_FAILURE, Kind::Time, "first failure; NULL without"),
            column(col::LAST_FAILURE, Kind::Time, "last failure; NULL without"),
            column(col::FIRST_SUCCESS, Kind::Time, "first success; NULL without"),
            column(col::LAST_SUCCESS, Kind::Time, "last success; NULL without"),
        ],
        attackers: Some(col::CLIENT),
        victims: Some(col::SERVER),
        first: &[col::FIRST_FAILURE, col::FIRST_SUCCESS],
        last: &[col::LAST_FAILURE, col::LAST_SUCCESS],
        connections: Counted::Nowhere,
        packets: None,
        port: Some(col::PORT),
    },
    Table {
        name: "claims",
        about: "ARP and neighbour discovery: who asked for or announced which address, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            VLAN,
            column(col::KIND, Kind::Number, "0 ARP request, 1 ARP reply, 2 neighbour solicitation, 3 neighbour advertisement"),
            column(col::MAC, Kind::Mac, "hardware address that the message claims"),
            column(col::SOURCE, Kind::Address, "address that the message claims"),
            column(col::TARGET, Kind::Address, "address that is asked for or told"),
            column(col::COUNT, Kind::Number, "messages"),
            FIRST_TS,
            LAST_TS,
            column(col::FRAME_SRC, Kind::Mac, "sender of the frames"),
        ],
        attackers: Some(col::SOURCE),
        victims: Some(col::TARGET),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: Some(col::COUNT),
        port: None,
    },
    Table {
        name: "requests",
        about: "HTTP requests of a client to a server, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            CLIENT,
            SERVER,
            PORT,
            column(col::COMPLETE, Kind::Number, "requests whose headers were complete"),
            column(col::ERRORS, Kind::Number, "answers of 5xx"),
            column(col::UNFINISHED, Kind::Number, "connections that ended before their headers were complete"),
            column(col::LONGEST_UNFINISHED, Kind::Duration, "the longest that one of these was open"),
            column(col::PEAK, Kind::Number, "most complete requests in a second of the clock"),
            column(col::PATH_VOTES, Kind::Number, "by how many requests the commonest path outvoted the others"),
            FIRST_TS,
            LAST_TS,
        ],
        attackers: Some(col::CLIENT),
        victims: Some(col::SERVER),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: None,
        port: Some(col::PORT),
    },
    Table {
        name: "services",
        about: "which service was spoken where, and under which name; one row for the whole capture",
        time: None,
        columns: &[
            SERVER,
            PORT,
            PROTO,
            SERVICE,
            column(col::NAME, Kind::Text, "TLS server name or HTTP host; empty where none was given"),
            column(col::CONNECTIONS, Kind::Number, "connections"),
            column(col::CLIENTS, Kind::Members, "clients"),
            FIRST_TS,
            LAST_TS,
            column(col::JA4, Kind::Text, "JA4 fingerprint of the first TLS client"),
            column(col::CLIENT_SOFTWARE, Kind::Text, "what the first client calls itself"),
            column(col::SERVER_SOFTWARE, Kind::Text, "what the server calls itself"),
        ],
        attackers: None,
        victims: Some(col::SERVER),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::In(col::CONNECTIONS),
        packets: None,
        port: Some(col::PORT),
    },
    Table {
        name: "remote",
        about: "administration of Windows hosts: shares opened and pipes used, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            CLIENT,
            SERVER,
            PORT,
            column(col::WHAT, Kind::Text, "share or pipe, lower case: admin$, c$, svcctl ..."),
            column(col::COUNT, Kind::Number, "how often"),
            FIRST_TS,
            LAST_TS,
        ],
        attackers: Some(col::CLIENT),
        victims: Some(col::SERVER),
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: None,
        port: Some(col::PORT),
    },
    Table {
        name: "leases",
        about: "DHCP messages by what they offer, by the minute",
        time: Some(col::MINUTE),
        columns: &[
            MINUTE,
            VLAN,
            column(col::KIND, Kind::Number, "message type: 1 DISCOVER, 2 OFFER, 3 REQUEST, 5 ACK, 6 NAK"),
            column(col::SERVER, Kind::Address, "server that speaks or is spoken to"),
            column(col::ROUTER, Kind::Address, "router that is offered"),
            column(col::RESOLVER, Kind::Address, "DNS server that is offered"),
            column(col::RELAY, Kind::Address, "relay that passed it on"),
            column(col::MESSAGES, Kind::Number, "messages"),
            column(col::CLIENTS, Kind::Members, "hardware addresses of clients, by the message"),
            column(col::FRAME_SRCS, Kind::Members, "hardware addresses of the frames' senders"),
            column(col::MADE_UP, Kind::Number, "messages whose client address is locally administered"),
            column(col::MAC, Kind::Mac, "sender of the first frame"),
            FIRST_TS,
            LAST_TS,
        ],
        attackers: Some(col::SERVER),
        victims: None,
        first: &[col::FIRST_TS],
        last: &[col::LAST_TS],
        connections: Counted::Nowhere,
        packets: Some(col::MESSAGES),
        port: None,
    },
];

/// Tables that hold what one detector asks for, and say nothing without it.
#[cfg(test)]
const FOR_ONE_DETECTOR: [&str; 2] = ["echoes", "neighbours"];

/// Columns of the stored tables that rules do not see: numbers of frames (every alert has them), and what
/// is packed for a detector.
#[cfg(test)]
const HIDDEN: [&str; 8] =
    [col::FIRST_ORD, col::LAST_ORD, col::FIRST_OUTCOME, col::TECHNIQUES, col::FINGERPRINTS, col::SERIES, col::TTLS, col::PATH];

/// The table of that name.
///
/// # Errors
/// What is wrong with the name, in words.
pub fn find(name: &str) -> Result<&'static Table, String> {
    TABLES.iter().find(|table| table.name == name).ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        match nearest(name, names.iter().copied()) {
            Some(meant) => format!("there is no table `{name}`; did you mean `{meant}`?"),
            None => format!("there is no table `{name}`; the tables are {}", names.join(", ")),
        }
    })
}

impl Table {
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Names of every column of addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().filter(|column| column.kind == Kind::Address).map(|column| column.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::table::{self, Store};

    #[test]
    fn every_stored_column_is_shown_or_hidden_on_purpose() {
        let tables = Store::new(&table::Settings { keep_flows: true, ..table::Settings::of(&Config::default().base) })
            .finish(&mut |_| Ok(()))
            .unwrap();
        for (name, stored) in tables.frames().into_iter().filter(|(name, _)| !FOR_ONE_DETECTOR.contains(name)) {
            let shown = find(name).unwrap();
            for column in stored.get_column_names() {
                assert!(shown.column(column).is_some() || HIDDEN.contains(&column.as_str()), "{name}.{column}");
            }
            let used = shown.columns.iter().map(|column| column.name).chain(shown.first.iter().chain(shown.last).copied());
            let counted = if let Counted::In(column) = shown.connections { Some(column) } else { None };
            for column in used.chain([counted, shown.packets, shown.port, shown.time].into_iter().flatten()) {
                assert!(stored.column(column).is_ok(), "{name} has no column {column}");
            }
        }
    }

    #[test]
    fn a_table_that_is_not_there_is_answered_with_what_to_use() {
        assert!(find("contact").unwrap_err().contains("did you mean `contacts`?"));
        assert!(find("packets_of_yesterday").unwrap_err().contains("victims"));
    }
}
