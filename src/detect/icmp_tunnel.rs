#![doc = include_str!("docs/icmp_tunnel.md")]

use std::collections::BTreeMap;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, share};
use super::flood_seconds::{measured, steps};
use super::rows::{i64s, sketches, u32s, u64s};
use super::wording::{counted, grouped};
use crate::config::Icmp;
use crate::error::Error;
use crate::stats::rounded;
use crate::table::{Address, Distinct, EchoRow, Merge, USUAL_ECHO, schema as col};
use crate::time::{self, from_seconds};

pub(super) struct IcmpTunnel;

const DOCUMENTATION: &str = include_str!("docs/icmp_tunnel.md");

impl Detector for IcmpTunnel {
    fn id(&self) -> &'static str {
        "icmp_tunnel"
    }

    fn summary(&self) -> &'static str {
        "ping that carries data: contents that change, or replies unlike their requests"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        for rows in exchanges(context)?.values() {
            let episodes = rows.chunk_by(|a, b| b.echoes.first_ts - a.echoes.last_ts <= gap);
            alerts.extend(episodes.filter_map(|episode| judge(context, episode)));
        }
        Ok(alerts)
    }
}

/// Echoes of two hosts in one minute, asked by one of them.
#[derive(Clone, Debug)]
struct Exchange {
    source: Address,
    target: Address,
    echoes: EchoRow,
}

impl Exchange {
    /// Contents beyond one for each length.
    fn varied(&self) -> u64 {
        self.echoes.contents.count().saturating_sub(self.echoes.lengths.count())
    }

    /// Bits per byte.
    fn entropy(&self) -> f64 {
        share(self.echoes.entropy_millibits, self.echoes.large) / 1_000.0
    }

    fn unlike_share(&self) -> f64 {
        share(self.echoes.unlike, self.echoes.replies.saturating_sub(self.echoes.unasked))
    }

    /// How bad it is, and in what way, if it is a tunnel at all.
    fn judge(&self, settings: &Icmp) -> Option<(Severity, &'static str)> {
        let enough = u64::from(settings.echoes);
        let varied = self.varied();
        let lengths = self.echoes.lengths.count() >= u64::from(settings.lengths);
        if self.echoes.unlike >= enough && self.unlike_share() >= settings.unlike {
            Some((Severity::High, "replies unlike their requests"))
        } else if varied >= enough && lengths && self.entropy() >= settings.entropy_bits {
            Some((Severity::High, "changing contents that look encrypted"))
        } else if varied >= enough {
            Some((Severity::Medium, "changing contents"))
        } else if varied >= u64::from(settings.contents) {
            Some((Severity::Low, "changing contents"))
        } else {
            None
        }
    }
}

/// By the two hosts, in the order of time.
fn exchanges(context: &Context<'_>) -> Result<BTreeMap<(Address, Address), Vec<Exchange>>, Error> {
    let table = &context.tables.facts.echoes;
    let (sources, targets) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?);
    let (requests, replies) = (u64s(table, col::REQUESTS)?, u64s(table, col::REPLIES)?);
    let (unlike, unasked) = (u64s(table, col::UNLIKE)?, u64s(table, col::UNASKED)?);
    let (large, large_bytes, entropy) = (u64s(table, col::LARGE)?, u64s(table, col::LARGE_BYTES)?, u64s(table, col::ENTROPY)?);
    let (lengths, contents) = (sketches(table, col::LENGTHS)?, sketches(table, col::CONTENTS)?);
    let (first, last) = (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let mut pairs: BTreeMap<(Address, Address), Vec<Exchange>> = BTreeMap::new();
    for row in 0..table.height() {
        let (source, target) = (sources[row], targets[row]);
        pairs.entry((source.min(target), source.max(target))).or_default().push(Exchange {
            source,
            target,
            echoes: EchoRow {
                requests: requests[row],
                replies: replies[row],
                unlike: unlike[row],
                unasked: unasked[row],
                large: large[row],
                large_bytes: large_bytes[row],
                entropy_millibits: entropy[row],
                lengths: Distinct::from_bytes(lengths.get(row).unwrap_or_default()),
                contents: Distinct::from_bytes(contents.get(row).unwrap_or_default()),
                first_ts: first[row],
                last_ts: last[row],
                first_ordinal: first_ord[row],
                last_ordinal: last_ord[row],
            },
        });
    }
    pairs.values_mut().for_each(|rows| rows.sort_by_key(|exchange| (exchange.echoes.first_ts, exchange.echoes.first_ordinal)));
    Ok(pairs)
}

fn judge(context: &Context<'_>, episode: &[Exchange]) -> Option<Alert> {
    let settings = &context.settings(episode.first()?.source).icmp;
    let mut all = episode.first()?.clone();
    let mut detected_at = all.judge(settings).map(|_| all.echoes.last_ts);
    for exchange in episode.get(1..)? {
        all.echoes.merge(&exchange.echoes);
        if detected_at.is_none() && all.judge(settings).is_some() {
            detected_at = Some(exchange.echoes.last_ts);
        }
    }
    let (severity, how) = all.judge(settings)?;
    let (source, target) = (context.address(all.source), context.address(all.target));
    let packets = all.echoes.requests + all.echoes.replies;
    Some(Alert {
        kind: "icmp_tunnel",
        technique: Some(if all.echoes.unlike >= u64::from(settings.echoes) { "unlike" } else { "contents" }),
        title: format!("Ping between {source} and {target} carries data"),
        message: format!(
            "{source} and {target} exchanged {} in {} with {how}: {} with more than {USUAL_ECHO} bytes had {} in {}; {} of {} were unlike what was sent",
            counted(packets, "echo packet"),
            time::duration(all.echoes.last_ts - all.echoes.first_ts),
            grouped(all.echoes.large),
            counted(all.echoes.contents.count(), "content"),
            counted(all.echoes.lengths.count(), "length"),
            grouped(all.echoes.unlike),
            if all.echoes.replies == 1 { "1 reply".to_owned() } else { format!("{} replies", grouped(all.echoes.replies)) },
        ),
        severity,
        confidence: match severity {
            Severity::High => 0.9,
            Severity::Medium => 0.7,
            _ => 0.5,
        },
        attack: &["T1095", "T1572"],
        first_seen: all.echoes.first_ts,
        last_seen: all.echoes.last_ts,
        detected_at: detected_at.unwrap_or(all.echoes.last_ts),
        attackers: vec![source.to_string()],
        attacker_count: 1,
        victims: vec![target.to_string()],
        victim_count: 1,
        ports: Vec::new(),
        port_count: 0,
        protocol: if source.is_v4() { "icmp" } else { "icmp6" },
        measured: vec![
            measured("contents beyond one per length", all.varied() as f64, "payloads", Some(f64::from(settings.contents))),
            measured("payload lengths", all.echoes.lengths.count() as f64, "lengths above 64 bytes", Some(f64::from(settings.lengths))),
            measured("unlike replies", all.echoes.unlike as f64, "packets", Some(f64::from(settings.echoes))),
            measured("unlike_ratio", rounded(all.unlike_share(), 3), "share of replies", Some(settings.unlike)),
            measured("entropy", rounded(all.entropy(), 3), "bits per byte", Some(settings.entropy_bits)),
            measured("replies without a request", all.echoes.unasked as f64, "packets", None),
            measured("payload", all.echoes.large_bytes as f64, "bytes", None),
        ],
        window_s: context.config.base.alert.join_gap_s,
        flow_count: 1,
        packet_count: packets,
        frames: FrameSpan { first: all.echoes.first_ordinal, last: all.echoes.last_ordinal },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Read the payload of some of the packets in Wireshark (filter: icmp || icmpv6).",
            "Find the program that sends them: no ping program changes what it sends.",
            "Allow echo only where it is needed, and of the usual size.",
        ]),
        picture: Picture::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{Capture, host};

    /// Bytes that look like chance, other ones for each seed.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        (0..length as u64).map(|n| (crate::net::mix(seed, n) & 0xff) as u8).collect()
    }

    fn pings(number: u32, request: impl Fn(u32) -> Vec<u8>, reply: impl Fn(u32) -> Vec<u8>) -> Vec<(Severity, Option<&'static str>)> {
        let mut capture = Capture::default();
        for n in 0..number {
            capture.at_ms(i64::from(n) * 1_000).echo_with(5, 9, false, 7 << 16 | n, &request(n));
            capture.at_ms(i64::from(n) * 1_000 + 20).echo_with(9, 5, true, 7 << 16 | n, &reply(n));
        }
        capture.judge(&IcmpTunnel).iter().map(|alert| (alert.severity, alert.technique)).collect()
    }

    /// As Linux fills it: a time stamp, then counted bytes.
    fn linux(n: u32, length: usize) -> Vec<u8> {
        let mut payload: Vec<u8> = (0..length).map(|place| place as u8).collect();
        payload[..16].copy_from_slice(&noise(u64::from(n), 16));
        payload
    }

    #[test]
    fn replies_that_carry_something_else_are_a_tunnel() {
        assert_eq!(pings(20, |n| linux(n, 56), |n| noise(u64::from(n), 50)), [(Severity::High, Some("unlike"))]);
        assert!(pings(19, |n| linux(n, 56), |n| noise(u64::from(n), 50)).is_empty());
    }

    #[test]
    fn encrypted_contents_of_many_lengths_are_a_tunnel() {
        let data = |n: u32| noise(u64::from(n), 300 + n as usize % 10 * 50);
        assert_eq!(pings(40, data, data), [(Severity::High, Some("contents"))]);
    }

    #[test]
    fn a_few_long_commands_are_worth_a_look() {
        let command = |n: u32| {
            let mut payload = vec![0; 788];
            payload[500..504].copy_from_slice(&n.to_be_bytes());
            payload
        };
        assert_eq!(pings(5, command, command), [(Severity::Low, Some("contents"))]);
        // Four contents of one length are three beyond one.
        assert!(pings(4, command, command).is_empty());
    }

    #[test]
    fn ordinary_pings_of_any_length_are_quiet() {
        for length in [32, 56, 64, 65, 500, 1_472] {
            assert!(pings(300, |n| linux(n, length), |n| linux(n, length)).is_empty(), "{length}");
        }
    }

    #[test]
    fn a_search_for_the_path_mtu_is_quiet() {
        let probe = |n: u32| vec![0xab; 1_000 + n as usize * 8];
        assert!(pings(60, probe, probe).is_empty());
    }

    #[test]
    fn servers_that_return_only_the_beginning_are_quiet() {
        assert!(pings(40, |n| linux(n, 1_000), |n| linux(n, 1_000)[..64].to_vec()).is_empty());
    }

    #[test]
    fn who_and_how_much_is_told() {
        let mut capture = Capture::default();
        (0..30_u32).for_each(|n| capture.at_ms(i64::from(n) * 100).echo_with(5, 9, false, 1, &noise(n.into(), 100)));
        let alerts = capture.judge(&IcmpTunnel);
        assert_eq!((alerts.len(), alerts[0].severity, alerts[0].packet_count), (1, Severity::Medium, 30));
        assert_eq!((&alerts[0].attackers, &alerts[0].victims), (&vec![host(5)], &vec![host(9)]));
        assert_eq!((alerts[0].measured[0].value, alerts[0].frames), (29.0, FrameSpan { first: 1, last: 30 }));
    }
}
