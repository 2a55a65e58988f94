#![doc = include_str!("docs/arp_spoof.md")]

use std::collections::{BTreeMap, BTreeSet};

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, listed};
use super::flood_seconds::{measured, steps};
use super::ownership::{Carried, Claim, Link, Ownership, Passage, Taken};
use super::wording::{counted, grouped};
use crate::error::Error;
use crate::net::Mac;
use crate::table::Address;
use crate::time::{self, Nanos, from_seconds};

pub(super) struct ArpSpoof;

const DOCUMENTATION: &str = include_str!("docs/arp_spoof.md");

impl Detector for ArpSpoof {
    fn id(&self) -> &'static str {
        "arp_spoof"
    }

    fn summary(&self) -> &'static str {
        "one machine claiming the address of another (ARP, IPv6 neighbour discovery)"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let ownership = Ownership::of(context)?;
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let mut alerts = Vec::new();
        let mut accused: BTreeMap<(Link, Mac), Vec<&Claim>> = BTreeMap::new();
        for ((link, _), claims) in &ownership.claims {
            // Who tells nobody anything unasked is no liar, whoever else has the address.
            let loudest = Ownership::loudest(claims);
            let lies = claims.iter().filter(|claim| claim.reply && loudest.contains(&claim.mac));
            lies.for_each(|claim| accused.entry((*link, claim.mac)).or_default().push(claim));
        }
        for ((link, mac), mut lies) in accused {
            lies.sort_by_key(|claim| (claim.first_ts, claim.first_ordinal));
            let own = ownership.own(link, mac);
            let passage = ownership.passage(link, mac, &own);
            let machine = Accused { context, ownership: &ownership, link, mac, own, passage };
            let episodes = lies.chunk_by(|a, b| b.first_ts - a.last_ts <= gap);
            alerts.extend(episodes.filter_map(|episode| machine.judge(episode)));
        }
        let lying: BTreeSet<String> = alerts.iter().flat_map(|alert: &Alert| alert.victims.iter().cloned()).collect();
        let quarrels =
            ownership.claims.iter().filter_map(|((link, address), claims)| conflict(context, &ownership, *link, *address, claims));
        alerts.extend(quarrels.filter(|alert| alert.victims.iter().all(|victim| !lying.contains(victim))));
        Ok(alerts)
    }
}

/// A machine, and what there is to judge it by.
struct Accused<'a> {
    context: &'a Context<'a>,
    ownership: &'a Ownership,
    link: Link,
    mac: Mac,
    /// Addresses that nobody else claims.
    own: BTreeSet<Address>,
    passage: Passage,
}

/// What speaks against a machine for one address.
struct Evidence<'a> {
    address: Address,
    severity: Severity,
    detected_at: Nanos,
    unasked: u64,
    peak: u64,
    flips: u64,
    /// What went through the machine since.
    taken: Taken<'a>,
    rivals: BTreeSet<Mac>,
}

/// The first so many addresses that a machine claims in an episode are looked at: as many as the hosts of a
/// large link, and enough to accuse it. Each is held against all that went through the machine, and whoever
/// makes up claims makes up packets as well.
const MOST_CLAIMED: usize = 4_096;

impl Accused<'_> {
    fn judge(&self, episode: &[&Claim]) -> Option<Alert> {
        let mut by_address: BTreeMap<Address, Vec<&Claim>> = BTreeMap::new();
        for claim in episode {
            if by_address.len() < MOST_CLAIMED || by_address.contains_key(&claim.address) {
                by_address.entry(claim.address).or_default().push(claim);
            }
        }
        let found: Vec<Evidence<'_>> = by_address.iter().filter_map(|(address, claims)| self.weigh(*address, claims)).collect();
        self.alert(&found, episode)
    }

    fn weigh(&self, address: Address, claims: &[&Claim]) -> Option<Evidence<'_>> {
        let Self { context, ownership, link, mac, own, passage } = self;
        let settings = &context.settings(address).arp;
        // What was said once may be damage.
        if ownership.said(*link, address, *mac) < 2 || ownership.repeats(*link, address, *mac) {
            return None;
        }
        let (from, to) = (claims.first()?.first_ts, claims.iter().map(|claim| claim.last_ts).max()?);
        let unasked: u64 = claims.iter().map(|claim| claim.unasked).sum();
        let mut minutes: BTreeMap<Nanos, (u64, Nanos)> = BTreeMap::new();
        for claim in claims {
            let minute = minutes.entry(claim.minute).or_default();
            *minute = (minute.0 + claim.unasked, minute.1.max(claim.last_ts));
        }
        let peak = minutes.values().map(|(count, _)| *count).max().unwrap_or_default();
        let insistent = minutes.values().find(|(count, _)| *count >= u64::from(settings.unasked)).map(|(_, last)| *last);
        let rivals = ownership.rivals(*link, address, *mac);
        let (flips, last_flip) = ownership.flips(*link, address, *mac, (from, to), from_seconds(settings.window_s));
        let taken = passage.taken(address, from);
        let contradicted = !rivals.is_empty();
        // Frames that went elsewhere before prove another owner even if it never speaks up.
        let worked = if contradicted { taken.began() } else { taken.moved(from) };
        let fights = flips >= u64::from(settings.flips) && unasked >= 2;
        let detected_at = match (insistent.filter(|_| contradicted), worked, last_flip.filter(|_| fights)) {
            (None, None, None) => insistent.filter(|_| own.iter().any(|other| *other != address))?,
            (insistent, worked, fought) => insistent.into_iter().chain(worked).chain(fought).min()?,
        };
        let severity = match (worked, contradicted) {
            (Some(_), _) => Severity::Critical,
            (None, true) if fights => Severity::High,
            (None, true) => Severity::Medium,
            (None, false) => Severity::Low,
        };
        let taken = if worked.is_some() { taken } else { Taken::default() };
        Some(Evidence { address, severity, detected_at, unasked, peak, flips, taken, rivals })
    }

    fn alert(&self, found: &[Evidence<'_>], episode: &[&Claim]) -> Option<Alert> {
        let Self { context, link, mac, own, .. } = self;
        let worst = found.iter().max_by_key(|evidence| (evidence.severity, evidence.unasked, std::cmp::Reverse(evidence.address)))?;
        let settings = &context.settings(worst.address).arp;
        let addresses: BTreeSet<Address> = found.iter().map(|evidence| evidence.address).collect();
        let lies: Vec<&&Claim> = episode.iter().filter(|claim| addresses.contains(&claim.address)).collect();
        let told: BTreeSet<Address> = lies.iter().filter(|claim| claim.unasked > 0).map(|claim| claim.target).collect();
        let (claimed, claimed_count) = listed(addresses.iter().map(|address| context.address(*address)).collect());
        let (victims, victim_count) = listed(addresses.union(&told).map(|address| context.address(*address)).collect());
        let is_own = |address: &&Address| !addresses.contains(address);
        let (mut attackers, mut attacker_count) = listed(own.iter().filter(is_own).map(|address| context.address(*address)).collect());
        let who = attackers.first().map_or_else(|| mac.to_string(), |ip| format!("{mac} ({ip})"));
        attackers.insert(0, mac.to_string());
        attackers.truncate(super::alert::LISTED);
        attacker_count += 1;
        let unasked: u64 = found.iter().map(|evidence| evidence.unasked).sum();
        let strangers = most_taken(found);
        let taken = || strangers.iter().chain(found.iter().flat_map(|evidence| evidence.taken.claimed));
        let carried: BTreeSet<Address> = taken().map(|row| row.address).collect();
        let how = if link.nd { "advertisement" } else { "ARP answer" };
        let owner = match worst.rivals.first() {
            Some(rival) => format!(", which {rival} also uses and which changed hands {} times", worst.flips),
            None if worst.severity == Severity::Critical => ", though packets went through another machine before".to_owned(),
            None => ", while it has an address of its own".to_owned(),
        };
        let outcome = match carried.len() as u64 {
            0 => String::new(),
            number => format!(
                "; packets of {} then went through it",
                if number == 1 { "one other address".to_owned() } else { format!("{} other addresses", grouped(number)) }
            ),
        };
        Some(Alert {
            kind: "arp_spoof",
            technique: Some(if link.nd { "nd" } else { "arp" }),
            title: format!("{mac} claims the address {}", claimed.join(", ")),
            message: format!(
                "{who} sent {} that nobody had asked for, {} in one minute at most, claiming {}{owner}{outcome}",
                counted(unasked, how),
                found.iter().map(|evidence| evidence.peak).max().unwrap_or_default(),
                claimed.join(", "),
            ),
            severity: worst.severity,
            confidence: match worst.severity {
                Severity::Critical if worst.rivals.is_empty() => 0.7,
                Severity::Critical | Severity::High => 0.9,
                Severity::Medium => 0.6,
                _ => 0.3,
            },
            attack: if link.nd { &["T1557"] } else { &["T1557.002"] },
            first_seen: lies.first()?.first_ts,
            last_seen: lies.iter().map(|claim| claim.last_ts).chain(taken().map(|row| row.last_ts)).max()?,
            detected_at: worst.detected_at,
            attackers,
            attacker_count,
            victims,
            victim_count,
            ports: Vec::new(),
            port_count: 0,
            protocol: if link.nd { "icmp6" } else { "arp" },
            measured: vec![
                measured("unasked replies", worst.peak as f64, "in one minute", Some(f64::from(settings.unasked))),
                measured("changes of owner", worst.flips as f64, "times", Some(f64::from(settings.flips))),
                measured("claimed addresses", claimed_count as f64, "addresses", None),
                measured("addresses whose packets went through it", carried.len() as f64, "addresses", None),
            ],
            window_s: settings.window_s,
            flow_count: taken_count(found),
            packet_count: lies.iter().map(|claim| claim.count).sum(),
            frames: FrameSpan {
                first: lies.iter().map(|claim| claim.first_ordinal).min()?,
                last: lies.iter().map(|claim| claim.last_ordinal).chain(taken().map(|row| row.last_ordinal)).max()?,
            },
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: steps(&[
                "Find the machine by its link-layer address: the table of the switch names its port.",
                "Compare with the router's true link-layer address, and clear the neighbour caches of those told.",
                "Take what passed through it since as read and possibly changed: passwords, sessions, downloads.",
            ]),
            picture: Picture::None,
        })
    }
}

/// What the earliest claim took of strangers; every other took the end of it.
fn most_taken<'a>(found: &[Evidence<'a>]) -> &'a [Carried] {
    found.iter().map(|evidence| evidence.taken.strangers).max_by_key(|rows| rows.len()).unwrap_or_default()
}

/// What was taken, each as often as there are claims that it followed.
fn taken_count(found: &[Evidence<'_>]) -> u64 {
    // By the number of rows, counted from the end: the claims need not each add up what they share.
    let mut sums = vec![0_u64];
    let mut sum = 0;
    for row in most_taken(found).iter().rev() {
        sum += row.count;
        sums.push(sum);
    }
    let strangers = found.iter().filter_map(|evidence| sums.get(evidence.taken.strangers.len()));
    let claimed = found.iter().flat_map(|evidence| evidence.taken.claimed).map(|row| &row.count);
    strangers.chain(claimed).sum()
}

/// More machines than share an address by mistake; this is damage or a flood.
const MOST_OWNERS: usize = 16;

/// Two machines that have the same address, and neither forces it upon others: a fact to repair.
fn conflict(context: &Context<'_>, ownership: &Ownership, link: Link, address: Address, claims: &[Claim]) -> Option<Alert> {
    let settings = &context.settings(address).arp;
    let mut said: BTreeMap<Mac, u64> = BTreeMap::new();
    claims.iter().for_each(|claim| *said.entry(claim.mac).or_default() += claim.count);
    // Each says so more than once: what was said once may be damage.
    let owners: Vec<Mac> = said.iter().filter(|(_, count)| **count >= 2).map(|(mac, _)| *mac).collect();
    if !(2..=MOST_OWNERS).contains(&owners.len()) || owners.iter().any(|mac| ownership.repeats(link, address, *mac)) {
        return None;
    }
    let mac = *owners.first()?;
    let (first, last) = (claims.first()?.first_ts, claims.iter().map(|claim| claim.last_ts).max()?);
    let (flips, last_flip) = ownership.flips(link, address, mac, (first, last), from_seconds(settings.window_s));
    if flips < u64::from(settings.flips) {
        return None;
    }
    let ip = context.address(address);
    let names: Vec<String> = owners.iter().map(Mac::to_string).collect();
    Some(Alert {
        kind: "arp_spoof",
        technique: Some("conflict"),
        title: format!("{} machines use the address {ip}", owners.len()),
        message: format!(
            "{} all claim {ip}, which changed hands at least {flips} times in {}; none of them told others unasked",
            names.join(" and "),
            time::duration(last - first),
        ),
        severity: Severity::Info,
        confidence: 0.6,
        attack: &[],
        first_seen: first,
        last_seen: last,
        detected_at: last_flip?,
        attacker_count: names.len() as u64,
        attackers: names.into_iter().take(super::alert::LISTED).collect(),
        victims: vec![ip.to_string()],
        victim_count: 1,
        ports: Vec::new(),
        port_count: 0,
        protocol: if link.nd { "icmp6" } else { "arp" },
        measured: vec![measured("changes of owner", flips as f64, "times", Some(f64::from(settings.flips)))],
        window_s: settings.window_s,
        flow_count: 0,
        packet_count: claims.iter().map(|claim| claim.count).sum(),
        frames: FrameSpan {
            first: claims.iter().map(|claim| claim.first_ordinal).min()?,
            last: claims.iter().map(|claim| claim.last_ordinal).max()?,
        },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&["Give one of the machines another address; factory defaults and copied virtual machines are the usual cause."]),
        picture: Picture::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ClaimKind::{ArpReply, ArpRequest};
    use crate::detect::testing::{BROADCAST, Capture, host};

    const ROUTER: u64 = 0x0010_0000_0001;
    const ATTACKER: u64 = 0x0010_0000_0666;
    const VICTIM: u64 = 0x0010_0000_0055;
    const OUTSIDE: u32 = 0x0808_0808;

    fn found(capture: &Capture) -> Vec<(Severity, Option<&'static str>)> {
        capture.judge(&ArpSpoof).iter().map(|alert| (alert.severity, alert.technique)).collect()
    }

    /// The victim (5) asks the router (1) now and then, as hosts do.
    fn asks(capture: &mut Capture, second: i64) {
        capture.at_ms(second * 1_000).arp(ArpRequest, VICTIM, 5, 1);
        capture.arp(ArpReply, ROUTER, 1, 5);
    }

    fn lies(capture: &mut Capture, seconds: std::ops::Range<i64>) {
        seconds.for_each(|second| capture.at_ms(second * 1_000 + 500).arp(ArpReply, ATTACKER, 1, 5));
    }

    #[test]
    fn unasked_replies_between_those_of_the_owner_are_an_attack() {
        let mut capture = Capture::default();
        capture.at_ms(0).arp(ArpRequest, ATTACKER, 66, 1);
        asks(&mut capture, 0);
        lies(&mut capture, 1..6);
        asks(&mut capture, 6);
        lies(&mut capture, 7..9);
        let alerts = capture.judge(&ArpSpoof);
        assert_eq!((alerts.len(), alerts[0].severity), (1, Severity::High));
        assert_eq!(alerts[0].attackers, ["00:10:00:00:06:66".to_owned(), host(66)]);
        assert_eq!(alerts[0].victims, [host(1), host(5)]);
        // Seven, of which two may have answered the questions that were asked.
        assert_eq!((alerts[0].measured[0].value, alerts[0].frames), (5.0, FrameSpan { first: 4, last: 12 }));
    }

    #[test]
    fn it_worked_when_packets_then_go_through_the_attacker() {
        let mut capture = Capture::default();
        asks(&mut capture, 0);
        lies(&mut capture, 1..6);
        capture.at_ms(7_000).between(VICTIM, ATTACKER).syn(5, OUTSIDE, 443);
        assert_eq!(found(&capture), [(Severity::Critical, Some("arp"))]);
    }

    #[test]
    fn an_owner_that_never_speaks_is_seen_by_the_frames() {
        let mut capture = Capture::default();
        capture.at_ms(0).between(VICTIM, ROUTER).syn_from(5, 40_000, OUTSIDE, 443);
        capture.at_ms(1_400).arp(ArpRequest, ATTACKER, 1, 5);
        lies(&mut capture, 1..2);
        capture.at_ms(3_000).between(VICTIM, ATTACKER).syn_from(5, 40_001, OUTSIDE, 443);
        assert_eq!(found(&capture), [(Severity::Critical, Some("arp"))]);
    }

    #[test]
    fn one_damaged_message_is_no_claim() {
        let mut capture = Capture::default();
        capture.at_ms(0).between(VICTIM, ROUTER).syn_from(5, 40_000, OUTSIDE, 443);
        lies(&mut capture, 1..2);
        capture.at_ms(3_000).between(VICTIM, ATTACKER).syn_from(5, 40_001, OUTSIDE, 443);
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn one_unasked_reply_alone_is_nothing() {
        let mut capture = Capture::default();
        asks(&mut capture, 0);
        lies(&mut capture, 1..2);
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn a_takeover_that_is_announced_to_all_is_ordinary() {
        let mut capture = Capture::default();
        asks(&mut capture, 0);
        (1..6).for_each(|second| capture.at_ms(second * 1_000).arp(ArpReply, ATTACKER, 1, 1));
        capture.arp(ArpReply, ATTACKER, 1, BROADCAST);
        capture.at_ms(7_000).between(VICTIM, ATTACKER).syn(5, OUTSIDE, 443);
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn a_virtual_router_may_move() {
        let mut capture = Capture::default();
        for shared in [0x0000_5e00_0107, 0x0000_0c07_ac01, 0x0000_0c9f_f001, 0x0007_b400_0101] {
            asks(&mut capture, 0);
            (1..9).for_each(|second| capture.at_ms(second * 1_000).arp(ArpReply, shared, 1, 5));
        }
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn a_router_that_answers_for_others_was_asked() {
        let mut capture = Capture::default();
        for n in 0..10 {
            capture.at_ms(n * 1_000).arp(ArpRequest, VICTIM, 5, 70);
            capture.arp(ArpReply, ROUTER, 70, 5);
            capture.arp(ArpReply, 0x0010_0000_0070, 70, 5);
        }
        assert!(found(&capture).iter().all(|(severity, _)| *severity == Severity::Info));
    }

    #[test]
    fn a_wireless_bridge_repeats_questions_and_answers() {
        let mut capture = Capture::default();
        for n in 0..10 {
            capture.at_ms(n * 1_000).arp(ArpRequest, ROUTER, 1, 7);
            capture.arp(ArpReply, VICTIM, 7, 1);
            capture.arp(ArpReply, ATTACKER, 7, 1);
            capture.arp(ArpReply, ATTACKER, 7, 1);
            capture.arp(ArpRequest, VICTIM, 7, 1);
            capture.arp(ArpRequest, ATTACKER, 7, 1);
        }
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn two_owners_that_only_announce_themselves_are_a_fact() {
        let mut capture = Capture::default();
        for n in 0..3 {
            capture.at_ms(n * 60_000).arp(ArpRequest, ROUTER, 120, 120);
            capture.at_ms(n * 60_000 + 5_000).arp(ArpRequest, ATTACKER, 120, 120);
        }
        assert_eq!(found(&capture), [(Severity::Info, Some("conflict"))]);
    }

    #[test]
    fn a_lease_that_passes_to_another_host_is_ordinary() {
        let mut capture = Capture::default();
        (0..5).for_each(|n| capture.at_ms(n * 60_000).arp(ArpRequest, VICTIM, 30, 1));
        (10..15).for_each(|n| capture.at_ms(n * 60_000).arp(ArpRequest, ATTACKER, 30, 1));
        assert!(found(&capture).is_empty());
    }

    #[test]
    fn a_damaged_sender_is_nobody() {
        let mut capture = Capture::default();
        asks(&mut capture, 0);
        capture.at_ms(1_000).arp(ArpReply, ROUTER ^ 0x0400, 1, 5);
        asks(&mut capture, 2);
        assert!(found(&capture).is_empty());
    }
}
