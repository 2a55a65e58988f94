#![doc = include_str!("docs/ip_protocol_scan.md")]

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::Detector;
use super::alert::{Alert, FrameSpan, Measured, Picture, Severity};
use super::context::Context;
use super::rows::{i64s, u8s, u32s, u64s};
use super::window;
use crate::error::Error;
use crate::table::{Address, schema as col};
use crate::time::{self, Nanos, from_seconds};

pub struct IpProtocolScan;

impl Detector for IpProtocolScan {
    fn id(&self) -> &'static str {
        "ip_protocol_scan"
    }

    fn summary(&self) -> &'static str {
        "many IP protocol numbers tried on one host"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/ip_protocol_scan.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        for ((source, target), mut asked) in questions(context)? {
            asked.sort_by_key(|question| (question.ts, question.first_ordinal));
            alerts.extend(asked.chunk_by(|a, b| b.ts - a.ts <= gap).filter_map(|episode| judge(context, source, target, episode)));
        }
        Ok(alerts)
    }
}

#[derive(Clone, Copy)]
struct Question {
    ts: Nanos,
    last_ts: Nanos,
    proto: u8,
    refused: bool,
    first_ordinal: u64,
    last_ordinal: u64,
    packets: u64,
    attempts: u32,
}

/// Contacts in which nothing was exchanged, by pair; only pairs with more protocols than two hosts
/// ordinarily speak.
fn questions(context: &Context<'_>) -> Result<BTreeMap<(Address, Address), Vec<Question>>, Error> {
    let table = &context.tables.contacts;
    let (source, target, proto) = (u32s(table, col::SOURCE)?, u32s(table, col::TARGET)?, u8s(table, col::PROTO)?);
    let (first_ts, last_ts, data, refused) =
        (i64s(table, col::FIRST_TS)?, i64s(table, col::LAST_TS)?, u32s(table, col::DATA)?, u32s(table, col::REFUSED)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let (packets, attempts) = (u64s(table, col::PACKETS)?, u32s(table, col::ATTEMPTS)?);
    let mut asked: BTreeMap<(Address, Address), Vec<Question>> = BTreeMap::new();
    // Protocols other than TCP and UDP are few in any capture: a pair is looked at once it has one.
    let unusual: HashSet<(Address, Address)> =
        (0..table.height()).filter(|row| !matches!(proto[*row], 1 | 2 | 6 | 17 | 58)).map(|row| (source[row], target[row])).collect();
    for row in (0..table.height())
        .filter(|row| !unusual.is_empty() && attempts[*row] > 0 && data[*row] == 0 && unusual.contains(&(source[*row], target[*row])))
    {
        asked.entry((source[row], target[row])).or_default().push(Question {
            ts: first_ts[row],
            last_ts: last_ts[row],
            proto: proto[row],
            refused: refused[row] > 0,
            first_ordinal: first_ord[row],
            last_ordinal: last_ord[row],
            packets: packets[row],
            attempts: attempts[row],
        });
    }
    Ok(asked)
}

fn judge(context: &Context<'_>, source: Address, target: Address, asked: &[Question]) -> Option<Alert> {
    let settings = context.settings(source);
    let (discovery, width) = (&settings.discovery, from_seconds(settings.scan.window_s));
    let all = window::distinct(asked.iter().map(|question| (question.ts, question.proto)), width, discovery.protocols);
    let refused = window::distinct(
        asked
            .iter()
            .filter(|question| question.refused && !matches!(question.proto, 1 | 6 | 17 | 58))
            .map(|question| (question.ts, question.proto)),
        width,
        discovery.protocols_refused,
    );
    let detected_at = [all.reached, refused.reached].into_iter().flatten().min()?;
    let (attacker, victim) = (context.address(source).to_string(), context.address(target).to_string());
    let (first_seen, last_seen) = (asked.first()?.ts, asked.iter().map(|question| question.last_ts).max()?);
    Some(Alert {
        kind: "ip_protocol_scan",
        technique: Some("ip_protocol"),
        title: format!("IP protocol scan of {victim} by {attacker}"),
        message: format!(
            "{attacker} tried {} IP protocols on {victim} in {}; {} were refused",
            all.most,
            time::duration(last_seen - first_seen),
            refused.most
        ),
        severity: Severity::Medium,
        confidence: 0.85,
        attack: &["T1046"],
        first_seen,
        last_seen,
        detected_at,
        next_steps: vec![
            format!("find out who runs {attacker}"),
            format!("see in flows.csv which protocols {victim} answered: tunnels and routing protocols among them can be abused"),
        ],
        attackers: vec![attacker],
        attacker_count: 1,
        victims: vec![victim],
        victim_count: 1,
        ports: Vec::new(),
        port_count: 0,
        protocol: "ip",
        measured: vec![
            Measured {
                name: "protocols",
                value: f64::from(all.most),
                unit: "in the window",
                threshold: Some(f64::from(discovery.protocols)),
            },
            Measured {
                name: "refused",
                value: f64::from(refused.most),
                unit: "in the window",
                threshold: Some(f64::from(discovery.protocols_refused)),
            },
        ],
        window_s: settings.scan.window_s,
        flow_count: asked.iter().map(|question| u64::from(question.attempts)).sum(),
        packet_count: asked.iter().map(|question| question.packets).sum(),
        frames: FrameSpan {
            first: asked.iter().map(|question| question.first_ordinal).min()?,
            last: asked.iter().map(|question| question.last_ordinal).max()?,
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        picture: Picture::None,
    })
}
