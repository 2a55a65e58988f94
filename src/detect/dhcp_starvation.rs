#![doc = include_str!("docs/dhcp_starvation.md")]

use std::collections::BTreeMap;

use super::Detector;
use super::alert::{Alert, FrameSpan, Picture, Severity};
use super::context::{Context, share};
use super::flood_seconds::{measured, steps};
use super::leases::{ACK, DISCOVER, Lease, leases};
use super::wording::grouped;
use crate::error::Error;
use crate::table::Distinct;
use crate::time::{Nanos, from_seconds};

pub(super) struct DhcpStarvation;

const DOCUMENTATION: &str = include_str!("docs/dhcp_starvation.md");

/// Clients per sender of frames from which one machine speaks for many.
const PER_SENDER: u64 = 10;
/// Phones make up an address for every network they join: where the senders differ too, made-up clients
/// must be this many times as many, and nearly all be made up.
const CROWD: u64 = 4;
const MOSTLY: f64 = 0.9;

impl Detector for DhcpStarvation {
    fn id(&self) -> &'static str {
        "dhcp_starvation"
    }

    fn summary(&self) -> &'static str {
        "one machine asking for addresses under many names until none is left"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let leases = leases(context)?;
        let mut minutes: BTreeMap<(u16, Nanos), Minute> = BTreeMap::new();
        for lease in &leases {
            minutes.entry((lease.vlan, lease.minute)).or_default().add(lease, context.address(lease.relay).is_unspecified());
        }
        let threshold = u64::from(context.config.base.dhcp.clients);
        let gap = from_seconds(context.config.base.alert.join_gap_s);
        let found: Vec<(u16, Nanos, Minute, Severity)> = minutes
            .into_iter()
            .filter_map(|((vlan, at), minute)| minute.judge(threshold).map(|severity| (vlan, at, minute, severity)))
            .collect();
        let episodes = found.chunk_by(|a, b| a.0 == b.0 && b.1 - a.1 <= gap);
        Ok(episodes.filter_map(|episode| alert(episode, threshold)).collect())
    }
}

/// What was asked for in one minute without a relay, and what was given.
#[derive(Clone, Debug, Default)]
struct Minute {
    clients: Distinct,
    senders: Distinct,
    served: Distinct,
    messages: u64,
    made_up: u64,
    sender: Option<String>,
    span: Option<(Nanos, Nanos, FrameSpan)>,
}

impl Minute {
    fn add(&mut self, lease: &Lease, direct: bool) {
        if lease.kind == ACK {
            self.served.merge(&lease.clients);
        }
        // Behind a relay all clients have one sender; that is its task.
        if lease.kind != DISCOVER || !direct {
            return;
        }
        self.clients.merge(&lease.clients);
        self.senders.merge(&lease.frame_srcs);
        self.messages += lease.messages;
        self.made_up += lease.made_up;
        self.sender.get_or_insert_with(|| lease.mac.to_string());
        let frames = FrameSpan { first: lease.first_ordinal, last: lease.last_ordinal };
        self.span = Some(self.span.map_or((lease.first_ts, lease.last_ts, frames), |(first, last, span)| {
            let frames = FrameSpan { first: span.first.min(frames.first), last: span.last.max(frames.last) };
            (first.min(lease.first_ts), last.max(lease.last_ts), frames)
        }));
    }

    fn one_sender(&self) -> bool {
        self.clients.count() >= self.senders.count() * PER_SENDER
    }

    fn judge(&self, threshold: u64) -> Option<Severity> {
        let clients = self.clients.count();
        let crowd = clients >= threshold * CROWD && share(self.made_up, self.messages) >= MOSTLY;
        match (clients >= threshold && self.one_sender(), crowd) {
            (true, _) if self.served.count() >= threshold => Some(Severity::Critical),
            (true, _) => Some(Severity::High),
            (false, true) => Some(Severity::Medium),
            (false, false) => None,
        }
    }
}

fn alert(episode: &[(u16, Nanos, Minute, Severity)], threshold: u64) -> Option<Alert> {
    let (vlan, at, _, _) = episode.first()?;
    let severity = episode.iter().map(|(.., severity)| *severity).max()?;
    let (mut clients, mut served) = (Distinct::default(), Distinct::default());
    for (_, _, minute, _) in episode {
        clients.merge(&minute.clients);
        served.merge(&minute.served);
    }
    let minutes = || episode.iter().map(|(_, _, minute, _)| minute);
    let most = minutes().map(|minute| minute.clients.count()).max()?;
    let senders = minutes().map(|minute| minute.senders.count()).max()?;
    let spans = || minutes().filter_map(|minute| minute.span);
    let one = minutes().any(Minute::one_sender);
    let attackers: Vec<String> = minutes().find_map(|minute| minute.sender.clone()).filter(|_| one).into_iter().collect();
    let on = if *vlan == 0 { String::new() } else { format!(" on VLAN {vlan}") };
    let messages: u64 = minutes().map(|minute| minute.messages).sum();
    let made_up: u64 = minutes().map(|minute| minute.made_up).sum();
    Some(Alert {
        kind: "dhcp_starvation",
        technique: None,
        title: format!("DHCP leases asked for under {} hardware addresses{on}", grouped(clients.count())),
        message: format!(
            "{} clients asked for an address{on}, {} in one minute, in frames of {} link-layer sender{}; {} were given one",
            grouped(clients.count()),
            grouped(most),
            grouped(senders),
            if senders == 1 { "" } else { "s" },
            grouped(served.count()),
        ),
        severity,
        confidence: if one { 0.9 } else { 0.6 },
        attack: &["T1499"],
        first_seen: spans().map(|span| span.0).min()?,
        last_seen: spans().map(|span| span.1).max()?,
        detected_at: spans().map(|span| span.1).next().unwrap_or(*at),
        attacker_count: if one { 1 } else { senders },
        attackers,
        victims: Vec::new(),
        victim_count: 0,
        ports: vec![67],
        port_count: 1,
        protocol: "udp",
        measured: vec![
            measured("clients", most as f64, "hardware addresses in a minute", Some(threshold as f64)),
            measured("senders", senders as f64, "link-layer addresses of frames in a minute", None),
            measured("made up", made_up as f64, "messages of locally administered clients", None),
            measured("served", served.count() as f64, "clients", Some(threshold as f64)),
        ],
        window_s: 60.0,
        flow_count: 0,
        packet_count: messages,
        frames: FrameSpan { first: spans().map(|span| span.2.first).min()?, last: spans().map(|span| span.2.last).max()? },
        community_ids: Vec::new(),
        quality: Vec::new(),
        next_steps: steps(&[
            "Find the port of the switch that the frames come from, and limit the link-layer addresses it may use.",
            "See how many addresses the server has left, and release what was taken.",
            "Look for a second DHCP server: exhausting the first is how one takes its place.",
        ]),
        picture: Picture::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::{Fact, Lease as Message, Service};
    use crate::detect::testing::Capture;
    use crate::net::{Addr, Mac};

    const MADE_UP: u64 = 0x0200_0000_0000;
    const BURNT_IN: u64 = 0x0010_0000_0000;

    /// One client asks, in a frame of some sender, through some relay.
    fn message(capture: &mut Capture, kind: u8, client: u64, sender: u64, relay: u32) {
        let none = Addr::UNSPECIFIED;
        let relay = if relay == 0 { none } else { Addr::from_v4(relay) };
        capture.said(5, 9, 67, Service::Dhcp, |at| {
            let (client, frame_src) = (Mac(client), Mac(sender));
            Fact::Lease(Message { kind, client, frame_src, server: none, router: none, resolver: none, relay, vlan: 0, at })
        });
    }

    fn severities(capture: &Capture) -> Vec<Severity> {
        capture.judge(&DhcpStarvation).iter().map(|alert| alert.severity).collect()
    }

    fn clients(number: u64, first: u64, sender: impl Fn(u64) -> u64, relay: u32) -> Capture {
        let mut capture = Capture::default();
        (0..number).for_each(|n| message(capture.at_ms(n.cast_signed() * 20), DISCOVER, first + n, sender(first + n), relay));
        capture
    }

    #[test]
    fn one_machine_with_many_names_is_an_attack() {
        assert_eq!(severities(&clients(50, BURNT_IN, |_| 7, 0)), [Severity::High]);
        assert!(severities(&clients(49, BURNT_IN, |_| 7, 0)).is_empty());
    }

    #[test]
    fn it_worked_when_the_leases_were_given() {
        let mut capture = clients(60, MADE_UP, |_| 7, 0);
        (0..60).for_each(|n| message(&mut capture, ACK, MADE_UP + n, 1, 0));
        assert_eq!(severities(&capture), [Severity::Critical]);
    }

    #[test]
    fn made_up_clients_must_be_more_than_a_hall_of_phones() {
        assert!(severities(&clients(150, MADE_UP, |client| client, 0)).is_empty());
        assert_eq!(severities(&clients(200, MADE_UP, |client| client, 0)), [Severity::Medium]);
        assert!(severities(&clients(200, BURNT_IN, |client| client, 0)).is_empty());
    }

    #[test]
    fn a_relay_speaks_for_many() {
        assert!(severities(&clients(200, BURNT_IN, |_| 7, 0x0a00_0001)).is_empty());
    }
}
