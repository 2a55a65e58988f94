#![doc = include_str!("docs/long_connection.md")]

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::Context;
use super::crowds;
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::services::named;
use super::wording::{counted, grouped};
use crate::config;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, pattern, schema as col};
use crate::time::{self, Nanos, SECOND, from_seconds};

pub(super) struct LongConnection;

const DOCUMENTATION: &str = include_str!("docs/long_connection.md");

impl Detector for LongConnection {
    fn id(&self) -> &'static str {
        "long_connection"
    }

    fn summary(&self) -> &'static str {
        "a connection that stays open for hours"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let mut lasting = find(context)?;
        lasting.sort_by_key(|row| (row.source, row.target, row.port, row.proto, row.first));
        let same = |a: &Lasting, b: &Lasting| (a.source, a.target, a.port, a.proto) == (b.source, b.target, b.port, b.proto);
        let mut connections: Vec<&[Lasting]> = lasting.chunk_by(same).collect();
        connections.sort_by_key(|rows| rows.first().map(|row| (row.first, row.frames.first)));
        Ok(crowds::tell(&connections, context.config, |rows| alert(context, rows)))
    }
}

/// The contacts of one minute in which a long connection began.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    source: Address,
    target: Address,
    port: u16,
    proto: u8,
    first: Nanos,
    last: Nanos,
    longest: Nanos,
    frames: FrameSpan,
    packets: u64,
    bytes_out: u64,
    bytes_back: u64,
}

fn find(context: &Context<'_>) -> Result<Vec<Lasting>, Error> {
    let table = &context.tables.contacts;
    let (longest, protos, packets) = (i64s(table, col::LONGEST)?, u8s(table, col::PROTO)?, u64s(table, col::PACKETS)?);
    let (sources, targets, ports) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u16s(table, col::PORT)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let (out, back) = (u64s(table, col::BYTES_OUT)?, u64s(table, col::BYTES_BACK)?);
    let (flow, techniques) = (&context.config.base.flow, u16s(table, col::TECHNIQUES)?);
    let is_long = |row: &usize| {
        let settings = &context.settings(targets[*row]).beacon;
        longest[*row] >= from_seconds(settings.long_s)
            && !context.address(targets[*row]).is_group()
            // Who tells how long it was open does not tell its packets.
            && (techniques[*row] & pattern::TOLD != 0 || is_kept_alive(flow, protos[*row], longest[*row], packets[*row]))
    };
    let lasting = |row: usize| Lasting {
        source: sources[row],
        target: targets[row],
        port: ports[row],
        proto: protos[row],
        first: first[row],
        last: last[row],
        longest: longest[row],
        frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
        packets: packets[row],
        bytes_out: out[row],
        bytes_back: back[row],
    };
    Ok((0..table.height()).filter(is_long).map(lasting).collect())
}

/// A connection that is silent for longer than its time-out is over. One with fewer packets than
/// time-outs was not long: the capture's clock was set while it was open.
fn is_kept_alive(flow: &config::Flow, proto: u8, longest: Nanos, packets: u64) -> bool {
    let idle = match proto {
        ip_proto::TCP => flow.tcp_idle_s,
        ip_proto::UDP => flow.udp_idle_s,
        _ => return false,
    };
    packets as f64 * idle >= longest as f64 / SECOND as f64
}

fn alert(context: &Context<'_>, rows: &[Lasting]) -> Option<Alert> {
    let head = rows.iter().max_by_key(|row| (row.longest, std::cmp::Reverse(row.first)))?;
    let settings = &context.settings(head.target).beacon;
    let (source, target) = (context.address(head.source), context.address(head.target));
    let (out, back) = (rows.iter().map(|row| row.bytes_out).sum::<u64>(), rows.iter().map(|row| row.bytes_back).sum::<u64>());
    let outside = !target.is_private();
    let very_long = head.longest >= from_seconds(settings.very_long_s);
    let protocol = if head.proto == ip_proto::UDP { "udp" } else { "tcp" };
    let others = match rows.len() as u64 - 1 {
        0 => String::new(),
        others => format!(", and {} like it", counted(others, "other")),
    };
    Some(Alert {
        kind: "long_connection",
        technique: None,
        title: format!("Long connection from {source} to {target}"),
        message: format!(
            "a connection of {source} to {protocol} port {} of {target} was open for {}{others}, with {} bytes out and {} back",
            named(head.port),
            time::duration(head.longest),
            grouped(out),
            grouped(back),
        ),
        severity: if very_long && outside && out.min(back) > 0 { Severity::Low } else { Severity::Info },
        confidence: 0.3,
        attack: &["T1071", "T1572"],
        first_seen: rows.iter().map(|row| row.first).min()?,
        last_seen: rows.iter().map(|row| row.last).max()?,
        detected_at: rows.iter().map(|row| (row.first + from_seconds(settings.long_s)).min(row.last)).min()?,
        attackers: vec![source.to_string()],
        attacker_count: 1,
        victims: vec![target.to_string()],
        victim_count: 1,
        ports: vec![head.port],
        port_count: 1,
        protocol,
        measured: vec![
            measured("longest connection", head.longest as f64 / SECOND as f64, "seconds", Some(settings.long_s)),
            measured("payload out", out as f64, "bytes", None),
            measured("payload back", back as f64, "bytes", None),
        ],
        window_s: head.longest as f64 / SECOND as f64,
        flow_count: rows.len() as u64,
        packet_count: rows.iter().map(|row| row.packets).sum(),
        frames: FrameSpan { first: rows.iter().map(|row| row.frames.first).min()?, last: rows.iter().map(|row| row.frames.last).max()? },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Find the program that holds the connection (ss -tnp, netstat -abno): remote administration, a VPN, a push service or something unknown?",
            "Look up who owns the destination; a tunnel out of the network should be known to someone.",
        ]),
        picture: Picture::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};

    /// 203.0.113.7
    const OUTSIDE: u32 = 0xcb00_7107;

    /// A connection with something to say every four minutes.
    fn held(minutes: i64, to: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        capture.at_ms(0).conversation(5, 2_000, to, 443);
        for minute in (4..=minutes).step_by(4) {
            let at = capture.at_ms(minute * 60_000);
            at.tcp(5, 2_000, to, 443, crate::decode::flag::ACK);
            at.tcp(to, 443, 5, 2_000, crate::decode::flag::ACK);
        }
        capture.judge(&LongConnection)
    }

    #[test]
    fn four_hours_are_listed_and_less_is_not() {
        let found = held(240, OUTSIDE);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(OUTSIDE)]));
        assert_eq!(found[0].detected_at, Capture::START + 240 * 60 * SECOND);
        assert!(held(236, OUTSIDE).is_empty());
    }

    #[test]
    fn half_a_day_to_an_address_outside_is_worth_a_look() {
        assert_eq!(held(720, OUTSIDE)[0].severity, Severity::Low);
        assert_eq!(held(720, 9)[0].severity, Severity::Info);
    }

    #[test]
    fn pings_and_groups_are_none() {
        let mut capture = Capture::default();
        for half_minute in 0..600 {
            capture.at_ms(half_minute * 30_000).echo(5, OUTSIDE);
            capture.udp(5, 2_000, 0xefff_fffa, 7_000);
        }
        assert!(capture.judge(&LongConnection).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_makes_no_long_connection() {
        let day = 24 * time::HOUR;
        assert!(!is_kept_alive(&config::Flow::default(), ip_proto::TCP, day, 6));
        assert!(is_kept_alive(&config::Flow::default(), ip_proto::TCP, day, 300));
    }
}
