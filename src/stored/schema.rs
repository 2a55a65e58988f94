//! The schema in words: every table that is stored, every column with its type, unit and meaning.
//!
//! What rules see of a table is described where rules are ([`crate::rules::TABLES`]); here is what is stored
//! otherwise, or besides.

use std::fmt::Write;

use polars::prelude::*;

use super::{FLOWS, flows, frames, small};
use crate::config::{Config, nearest};
use crate::error::Error;
use crate::rules::{self, Kind};
use crate::table::{self, Store, schema as col};

/// Tables that no rule is about.
const OTHER_TABLES: [(&str, &str); 6] = [
    ("neighbours", "which hardware address sent or received the frames of a host, for the whole capture"),
    ("echoes", "pings of a pair whose payload is unusual, by the minute"),
    ("hosts", "what each host sent and received, for the whole capture"),
    ("resolved", "the name that an address was first found under in an answer of DNS"),
    ("timeline", "traffic over time; the width of a row is `timeline_s` in capture.json"),
    ("mixture", "how mixed the traffic was over time; the width of a row is `mixture_s` in capture.json"),
];

const NANOSECONDS: &str = "ns since 1970-01-01 UTC";
const SET: &str = "set: up to 64 hashes of 8 bytes, or 1 024 registers of a HyperLogLog";

/// Name, unit and meaning of columns that rules do not see, or see otherwise, in whichever table.
const OTHER_COLUMNS: [(&str, &str, &str); 49] = [
    (col::FIRST_ORD, "frame number", "first frame, from 1"),
    (col::LAST_ORD, "frame number", "last frame"),
    (col::FIRST_TS, NANOSECONDS, "first packet"),
    (col::LAST_TS, NANOSECONDS, "last packet"),
    (col::MINUTE, NANOSECONDS, "start of the minute"),
    (col::TS, NANOSECONDS, "start of the row's time"),
    (col::FIRST_OUTCOME, "0 unanswered, 1 refused, 2 half open, 3 empty, 4 data, 5 unknown", "outcome of the first attempt"),
    (col::TECHNIQUES, "bits", "what the attempts looked like (SYN, FIN, NULL, XMAS, ACK, replies only, told of and not captured ...)"),
    (col::FINGERPRINTS, "bits", "kinds of SYN (class of TTL, layout of options), one bit each: several hosts behind one address"),
    (col::SERIES, "binary", "start, duration and size of each connection, packed"),
    (col::SOURCE, "address as text", "who asked"),
    (col::TARGET, "address as text", "who was asked"),
    (col::ADDRESS, "address as text", "the host"),
    (col::REQUESTS, "packets", "requests"),
    (col::REPLIES, "packets", "replies"),
    (col::UNLIKE, "packets", "replies that do not carry what their request did"),
    (col::UNASKED, "packets", "replies without a request"),
    (col::LARGE, "packets", "with more payload than the usual programs send"),
    (col::LARGE_BYTES, "bytes", "payload of the large ones"),
    (col::ENTROPY, "thousandths of a bit a byte", "entropy of the large ones, summed"),
    (col::LENGTHS, SET, "lengths of payloads"),
    (col::CONTENTS, SET, "payloads that differ"),
    (col::UID, "text", "the connection's id, as in flows.csv"),
    (col::HISTORY, "text", "as Zeek's: letters in the order of what happened"),
    (col::DIRECTION_CERTAIN, "0 or 1", "the SYN was seen; else who opened it is a guess"),
    (col::JA4, "text", "TLS client fingerprint"),
    (col::IP_BYTES_OUT, "bytes", "IP bytes from source to target"),
    (col::IP_BYTES_BACK, "bytes", "IP bytes from target to source"),
    (col::ICMP_ERRORS, "packets", "ICMP errors about the connection"),
    (col::COMMUNITY_ID, "text", "Community ID 1.0"),
    (col::ORIGINATED, "connections", "opened by the host"),
    (col::RESPONDED, "connections", "opened to the host"),
    (col::PACKETS_SENT, "packets", "sent"),
    (col::PACKETS_RECEIVED, "packets", "received"),
    (col::BYTES_SENT, "IP bytes", "sent"),
    (col::BYTES_RECEIVED, "IP bytes", "received"),
    (col::PACKETS, "packets", "packets"),
    (col::BYTES, "bytes on the wire", "bytes"),
    (col::TCP, "packets", "TCP"),
    (col::UDP, "packets", "UDP"),
    (col::ICMP, "packets", "ICMP"),
    (col::SYN, "packets", "TCP SYN without ACK"),
    (col::VLAN, "number", "VLAN, 0 without"),
    (col::MAC, "number of 48 bits", "hardware address"),
    (col::ROLE, "0 sender, 1 receiver", "what the hardware address was of the frames"),
    (col::COUNT, "times", "how often it was looked at: once for a short connection"),
    (col::PATH, "hash", "the path of most requests"),
    (col::NAME, "text", "the name"),
    (col::TTLS, "bits", "time-to-live values seen, one bit for each modulo 64"),
];

/// The documentation of one table, or of all.
///
/// # Errors
/// When there is no such table.
pub fn documentation(wanted: Option<&str>) -> Result<String, Error> {
    let tables = tables()?;
    let names = || tables.iter().map(|(name, _)| *name);
    if let Some(name) = wanted.filter(|wanted| !names().any(|name| name == *wanted)) {
        let meant =
            nearest(name, names()).map_or_else(|| names().collect::<Vec<_>>().join(", "), |meant| format!("did you mean `{meant}`?"));
        return Err(Error::Usage(format!("there is no stored table `{name}`: {meant}")));
    }
    let mut text = format!("Stored tables, schema version {}\n", col::VERSION);
    for (name, frame) in tables.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)) {
        _ = write!(text, "\n{name}: {}\n", about_table(name).unwrap_or_default());
        for column in frame.columns() {
            let (unit, about) = about_column(name, column.name()).unwrap_or_default();
            _ = writeln!(text, "  {:<24} {:<8} {about} ({unit})", column.name(), type_of(column.dtype()));
        }
    }
    Ok(text)
}

/// Every stored table, without rows, as it is in its file.
fn tables() -> Result<Vec<(&'static str, DataFrame)>, Error> {
    let empty = Store::new(&table::Settings::of(&Config::default().base)).finish(&mut |_| Ok(()))?;
    let mut all = vec![(FLOWS, flows::frame(&[])?)];
    for (name, frame) in empty.frames() {
        all.push((name, frames::shown(frame, &empty.addresses)?));
    }
    all.extend(small::frames(&empty)?);
    Ok(all)
}

fn about_table(name: &str) -> Option<&'static str> {
    let other = OTHER_TABLES.iter().find(|(table, _)| *table == name).map(|(_, about)| *about);
    other.or_else(|| rules::find_table(name).ok().map(|table| table.about))
}

/// Unit and meaning.
fn about_column(table: &str, column: &str) -> Option<(String, String)> {
    if let Some(shown) = rules::find_table(table).ok().and_then(|table| table.column(column)) {
        return Some((stored_unit(shown.kind).to_owned(), shown.about.to_owned()));
    }
    if let Some((_, unit, about)) = OTHER_COLUMNS.iter().find(|(name, _, _)| *name == column) {
        return Some(((*unit).to_owned(), (*about).to_owned()));
    }
    let entropy =
        column.strip_suffix("_entropy_bits").map(|of| ("bits".to_owned(), format!("entropy of {} over the packets", of.replace('_', " "))));
    entropy.or_else(|| {
        let (unit, about) = about_column(table, column.strip_suffix(frames::BYTES)?)?;
        unit.starts_with("address").then(|| ("16 bytes, IPv4 as ::ffff:a.b.c.d".to_owned(), about))
    })
}

/// What a rule sees in another unit.
const fn stored_unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Address => "address as text",
        Kind::Mac => "number of 48 bits",
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Time => NANOSECONDS,
        Kind::Duration => "ns",
        Kind::Flag => "0 or 1",
        Kind::Members => SET,
        Kind::Seconds => "one bit for each second of the minute",
    }
}

fn type_of(dtype: &DataType) -> &'static str {
    match dtype {
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Int64 => "int64",
        DataType::Float64 => "float64",
        DataType::String => "string",
        DataType::Binary => "binary",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_and_column_that_is_stored_is_described() {
        for (name, frame) in tables().unwrap() {
            assert!(about_table(name).is_some(), "{name}");
            for column in frame.columns() {
                let (unit, about) = about_column(name, column.name()).unwrap_or_else(|| panic!("{name}.{}", column.name()));
                assert!(!unit.is_empty() && !about.is_empty() && type_of(column.dtype()) != "other", "{name}.{}", column.name());
            }
        }
    }

    #[test]
    fn no_description_is_of_something_that_is_not_stored() {
        let tables = tables().unwrap();
        for (name, _) in OTHER_TABLES {
            assert!(tables.iter().any(|(table, _)| *table == name), "{name}");
        }
        for (name, _, _) in OTHER_COLUMNS {
            assert!(tables.iter().any(|(_, frame)| frame.column(name).is_ok()), "{name}");
        }
    }

    #[test]
    fn a_table_is_told_alone_and_an_unknown_one_is_answered() {
        let text = documentation(Some("hosts")).unwrap();
        assert!(text.contains("hosts: ") && !text.contains("contacts: "));
        assert!(documentation(Some("host")).unwrap_err().to_string().contains("did you mean `hosts`?"));
    }
}
