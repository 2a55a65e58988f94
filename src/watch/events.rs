//! Which alert is which event: alerts of one verdict after the other, told when an event begins, grows tenfold or gets
//! worse, ends, or turns out to be none.
//!
//! An event is known again by where it begins, or by its kind and who is in it: what is judged of a capture that goes on
//! reaches back only so far, and an event whose beginning has left the tables is the same event.

use std::collections::{HashMap, HashSet};

use crate::detect::{Alert, LISTED, Notice, Picture, Status};
use crate::time::Nanos;

/// An event is told again when it has grown by this factor.
const GROWTH: u64 = 10;
/// Looks in a row that must agree before an event is withdrawn or over: one may see half of an answer, or a frame that
/// is stamped with another year.
const LOOKS: u32 = 3;

/// What a verdict was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The tables reach back to this packet time.
    pub from: Nanos,
    /// The last frame of the period before: what was over by then is told by its report, and found here no more.
    pub begins: Option<u64>,
    /// The latest packet time.
    pub now: Nanos,
}

/// Why an event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Begins,
    /// Tenfold since it was last told, or worse.
    Grows,
    Ends,
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub step: Step,
    pub notice: Notice,
}

/// The events of a capture that goes on.
#[derive(Debug)]
pub struct Events {
    capture: String,
    /// An event that has been quiet for so long is over.
    gap: Nanos,
    known: Vec<Event>,
}

#[derive(Debug)]
struct Event {
    id: String,
    /// As it was last told, and as it was last seen.
    told: Alert,
    seen: Alert,
    /// Looks in a row that did not find it, and that found it quiet for too long.
    missed: u32,
    quiet: u32,
    /// The report of a period has it.
    is_settled: bool,
    is_over: bool,
}

impl Events {
    /// Of that interface or file; an event that is quiet for longer than `gap` is over.
    #[must_use]
    pub const fn new(capture: String, gap: Nanos) -> Self {
        Self { capture, gap, known: Vec::new() }
    }

    /// The events that are going on, as they were last seen.
    pub fn open(&self) -> impl Iterator<Item = &Alert> {
        self.known.iter().filter(|event| !event.is_over).map(|event| &event.seen)
    }

    /// Takes a provisional verdict; what it makes worth telling.
    pub fn looked(&mut self, alerts: &[Alert], look: Look) -> Vec<Told> {
        let mut told = Vec::new();
        let found = self.recognised(alerts);
        for (event, alert) in self.known.iter_mut().zip(&found.of_events) {
            match alert {
                _ if event.is_over => {}
                Some(alert) => {
                    event.see(alert);
                    told.extend(event.grown(&self.capture));
                }
                // Its rows have been let go, and nothing new has come: it is as it was last seen.
                None if event.is_let_go(look) => {}
                None => event.missed += 1,
            }
            let is_quiet = event.seen.last_seen < look.now.saturating_sub(self.gap);
            event.quiet = if is_quiet { event.quiet + 1 } else { 0 };
            if !event.is_over && event.quiet >= LOOKS {
                told.push(event.ended(&self.capture));
            }
        }
        for alert in found.unknown {
            told.push(self.begin(alert, Status::Open));
        }
        self.forget(look, &mut told);
        told
    }

    /// Takes the final verdict on a period; `now` is the latest packet time, or none if the capture is over.
    pub fn settled(&mut self, alerts: &[Alert], now: Option<Nanos>) -> Vec<Told> {
        let mut told = Vec::new();
        let gap = self.gap;
        let goes_on = |alert: &Alert| now.is_some_and(|now| alert.last_seen >= now.saturating_sub(gap));
        let found = self.recognised(alerts);
        for (event, alert) in self.known.iter_mut().zip(&found.of_events).filter(|(event, _)| !event.is_over) {
            if let Some(alert) = alert {
                event.see(alert);
                event.is_settled = true;
            }
            match alert {
                Some(_) if !goes_on(&event.seen) => told.push(event.ended(&self.capture)),
                // An earlier report has told it.
                None if event.is_settled && now.is_none() => told.push(event.ended(&self.capture)),
                None if now.is_none() => told.push(event.withdrawn(&self.capture)),
                _ => {}
            }
        }
        for alert in found.unknown {
            told.push(self.begin(alert, if goes_on(alert) { Status::Open } else { Status::Final }));
            self.known.last_mut().into_iter().for_each(|event| event.is_settled = true);
        }
        self.known.iter_mut().filter(|event| event.is_over).for_each(|event| event.is_settled = true);
        told
    }

    /// Which alert is which event, each at most once: first by where it begins, then by who is in it.
    fn recognised<'a>(&self, alerts: &'a [Alert]) -> Recognised<'a> {
        let places: HashMap<&str, usize> = self.known.iter().enumerate().map(|(place, event)| (event.id.as_str(), place)).collect();
        let mut of_events: Vec<Option<&Alert>> = vec![None; self.known.len()];
        let mut unknown: Vec<&Alert> = alerts.iter().collect();
        unknown.retain(|alert| {
            let place = places.get(alert.id().as_str()).and_then(|place| of_events.get_mut(*place)).filter(|place| place.is_none());
            place.map(|place| *place = Some(alert)).is_none()
        });
        for same_technique in [true, false] {
            unknown.retain(|alert| {
                let is_same = |event: &Event| {
                    let seen = &event.seen;
                    seen.kind == alert.kind && (!same_technique || seen.technique == alert.technique) && event.meets(alert, self.gap)
                };
                let mut free = self.known.iter().zip(&mut of_events).filter(|(_, found)| found.is_none());
                let place = free.find(|(event, _)| is_same(event)).map(|(_, place)| place);
                place.map(|place| *place = Some(alert)).is_none()
            });
        }
        Recognised { of_events, unknown }
    }

    fn begin(&mut self, alert: &Alert, status: Status) -> Told {
        let alert = Alert { picture: Picture::None, ..alert.clone() };
        let event = Event {
            id: alert.id(),
            told: alert.clone(),
            seen: alert,
            missed: 0,
            quiet: 0,
            is_settled: false,
            is_over: status == Status::Final,
        };
        let told = event.notice(Step::Begins, status, &self.capture);
        self.known.push(event);
        told
    }

    /// Drops what was withdrawn, and what is over and can be found no more.
    fn forget(&mut self, look: Look, told: &mut Vec<Told>) {
        let old = look.now.saturating_sub(self.gap.saturating_mul(2)).min(look.from);
        // Until the report of its period has told it, it must be known again.
        let is_kept = |event: &Event| !event.is_over || !event.is_settled || event.seen.last_seen >= old;
        let mut withdrawn = HashSet::new();
        for event in self.known.iter_mut().filter(|event| !event.is_over && event.missed >= LOOKS) {
            told.push(event.withdrawn(&self.capture));
            withdrawn.insert(event.id.clone());
        }
        self.known.retain(|event| !withdrawn.contains(&event.id) && is_kept(event));
    }
}

struct Recognised<'a> {
    of_events: Vec<Option<&'a Alert>>,
    unknown: Vec<&'a Alert>,
}

impl Event {
    /// The same hosts and ports, as far as they are listed, and no more than a gap between.
    fn meets(&self, alert: &Alert, gap: Nanos) -> bool {
        let known = &self.seen;
        alert.first_seen <= known.last_seen.saturating_add(gap)
            && known.first_seen <= alert.last_seen.saturating_add(gap)
            && share(&known.attackers, known.attacker_count, &alert.attackers, alert.attacker_count)
            && share(&known.victims, known.victim_count, &alert.victims, alert.victim_count)
            && share(&known.ports, known.port_count, &alert.ports, alert.port_count)
    }

    /// What was known of it is in the tables no more.
    fn is_let_go(&self, look: Look) -> bool {
        self.seen.last_seen < look.from || look.begins.is_some_and(|begins| self.seen.frames.last <= begins)
    }

    /// Takes what is now known of it; when it began is not forgotten.
    fn see(&mut self, alert: &Alert) {
        let mut seen = Alert { picture: Picture::None, ..alert.clone() };
        if self.seen.first_seen < seen.first_seen {
            seen.first_seen = self.seen.first_seen;
            seen.frames.first = self.seen.frames.first;
            seen.detected_at = self.seen.detected_at;
        }
        seen.last_seen = seen.last_seen.max(self.seen.last_seen);
        seen.frames.last = seen.frames.last.max(self.seen.frames.last);
        self.seen = seen;
        self.missed = 0;
    }

    fn grown(&mut self, capture: &str) -> Option<Told> {
        let size = |alert: &Alert| [alert.packet_count, alert.flow_count, alert.attacker_count, alert.victim_count, alert.port_count];
        let grew = size(&self.told).iter().zip(size(&self.seen)).any(|(told, seen)| *told > 0 && seen >= told.saturating_mul(GROWTH));
        if !grew && self.seen.severity <= self.told.severity {
            return None;
        }
        self.told = self.seen.clone();
        Some(self.notice(Step::Grows, Status::Open, capture))
    }

    fn ended(&mut self, capture: &str) -> Told {
        self.is_over = true;
        self.notice(Step::Ends, Status::Final, capture)
    }

    fn withdrawn(&mut self, capture: &str) -> Told {
        self.is_over = true;
        self.notice(Step::Withdrawn, Status::Withdrawn, capture)
    }

    fn notice(&self, step: Step, status: Status, capture: &str) -> Told {
        Told { step, notice: Notice { id: self.id.clone(), status, alert: self.seen.clone(), capture: capture.to_owned() } }
    }
}

/// Whether two lists have something in common. Where one was shortened that cannot be told, and it is assumed.
fn share<T: PartialEq>(mine: &[T], my_count: u64, theirs: &[T], their_count: u64) -> bool {
    let shortened = my_count.max(their_count) > LISTED as u64;
    (mine.is_empty() && theirs.is_empty())
        || (shortened && !mine.is_empty() && !theirs.is_empty())
        || mine.iter().any(|one| theirs.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{FrameSpan, Severity};
    use crate::report::example;
    use crate::time::SECOND;

    const GAP: Nanos = 900 * SECOND;

    fn events() -> Events {
        Events::new("eth0".into(), GAP)
    }

    /// A scan by .66 of .1 that begins at a second, and so many packets of it until another.
    fn scan(first: Nanos, last: Nanos, packets: u64) -> Alert {
        Alert {
            technique: Some("syn"),
            attackers: vec!["10.0.0.66".into()],
            attacker_count: 1,
            victims: vec!["10.0.0.1".into()],
            victim_count: 1,
            flow_count: 0,
            packet_count: packets,
            frames: FrameSpan { first: 10, last: 10 + packets },
            ..example::alert("port_scan", Severity::Medium, first * SECOND, last * SECOND)
        }
    }

    fn look(from: Nanos, now: Nanos) -> Look {
        Look { from: from * SECOND, now: now * SECOND, begins: None }
    }

    fn steps(told: &[Told]) -> Vec<(Step, Status, u64)> {
        told.iter().map(|told| (told.step, told.notice.status, told.notice.alert.packet_count)).collect()
    }

    #[test]
    fn an_event_is_told_once_then_tenfold_and_at_its_end() {
        let mut events = events();
        assert_eq!(steps(&events.looked(&[scan(100, 101, 15)], look(0, 101))), [(Step::Begins, Status::Open, 15)]);
        assert_eq!(steps(&events.looked(&[scan(100, 102, 149)], look(0, 102))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 103, 150)], look(0, 103))), [(Step::Grows, Status::Open, 150)]);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 104))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 1_004))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 1_005))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 1_006))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 1_007))), [(Step::Ends, Status::Final, 1_499)]);
        assert_eq!(steps(&events.looked(&[scan(100, 104, 1_499)], look(0, 1_006))), []);
        assert_eq!(steps(&events.settled(&[scan(100, 104, 1_499)], None)), []);
    }

    #[test]
    fn what_got_worse_is_told_at_once() {
        let mut events = events();
        events.looked(&[scan(100, 101, 15)], look(0, 101));
        let worse = Alert { severity: Severity::Critical, ..scan(100, 102, 16) };
        assert_eq!(steps(&events.looked(&[worse], look(0, 102))), [(Step::Grows, Status::Open, 16)]);
    }

    #[test]
    fn an_event_whose_beginning_left_the_tables_is_the_same_event() {
        let mut events = events();
        let first = events.looked(&[scan(100, 101, 15)], look(0, 101)).remove(0).notice;
        let later = Alert { frames: FrameSpan { first: 5_000, last: 9_000 }, ..scan(400, 500, 4_000) };
        let grown = events.looked(&[later], look(380, 500)).remove(0);
        assert_eq!((grown.step, &grown.notice.id), (Step::Grows, &first.id));
        assert_eq!((grown.notice.alert.first_seen, grown.notice.alert.frames.first), (100 * SECOND, 10));
    }

    #[test]
    fn what_three_looks_miss_is_withdrawn_unless_its_rows_are_gone() {
        let mut events = events();
        events.looked(&[scan(100, 101, 15)], look(0, 101));
        assert_eq!(steps(&events.looked(&[], look(102, 200))), [], "let go, and not over before 900 s of silence");
        assert_eq!(steps(&events.looked(&[], look(0, 201))), []);
        assert_eq!(steps(&events.looked(&[], look(0, 202))), []);
        assert_eq!(steps(&events.looked(&[], look(0, 203))), [(Step::Withdrawn, Status::Withdrawn, 15)]);
        assert_eq!(events.open().count(), 0);
    }

    #[test]
    fn the_end_settles_everything() {
        let mut events = events();
        events.looked(&[scan(100, 101, 15)], look(0, 101));
        let other = Alert { kind: "icmp_flood", frames: FrameSpan { first: 500, last: 600 }, ..scan(150, 160, 300) };
        events.looked(&[scan(100, 101, 15), other], look(0, 160));
        let beacon = Alert { kind: "beacon", ..scan(100, 160, 20) };
        let told = events.settled(&[scan(100, 101, 15), beacon], None);
        assert_eq!(
            steps(&told),
            [(Step::Ends, Status::Final, 15), (Step::Withdrawn, Status::Withdrawn, 300), (Step::Begins, Status::Final, 20)]
        );
    }

    #[test]
    fn a_period_that_ends_does_not_end_what_goes_on() {
        let mut events = events();
        events.looked(&[scan(100, 3_590, 15)], look(0, 3_590));
        assert_eq!(steps(&events.settled(&[scan(100, 3_590, 15)], Some(3_600 * SECOND))), []);
        let in_next = Alert { frames: FrameSpan { first: 700, last: 800 }, ..scan(3_000, 3_610, 9) };
        assert_eq!(steps(&events.looked(&[in_next], look(2_700, 3_610))), []);
        assert_eq!(events.open().count(), 1);
    }

    /// Its report has told it, and the next period's tables do not show it any more.
    #[test]
    fn what_was_over_before_the_turn_is_not_withdrawn_after_it() {
        let mut events = events();
        events.looked(&[scan(100, 101, 15)], look(0, 101));
        events.settled(&[scan(100, 101, 15)], Some(110 * SECOND));
        let after = Look { begins: Some(1_000), ..look(0, 111) };
        for _ in 0..5 {
            assert_eq!(steps(&events.looked(&[], after)), []);
        }
        assert_eq!(steps(&events.settled(&[], None)), [(Step::Ends, Status::Final, 15)]);
    }

    /// One frame from the next year must not end what goes on.
    #[test]
    fn a_single_look_at_another_time_ends_nothing() {
        let mut events = events();
        events.looked(&[scan(100, 101, 15)], look(0, 101));
        assert_eq!(steps(&events.looked(&[scan(100, 101, 16)], look(0, 31_536_000))), []);
        assert_eq!(steps(&events.looked(&[scan(100, 102, 17)], look(0, 102))), []);
        assert_eq!(events.open().count(), 1);
    }

    #[test]
    fn two_scans_of_one_host_are_told_apart() {
        let mut events = events();
        let udp = Alert { technique: Some("udp"), frames: FrameSpan { first: 11, last: 99 }, ..scan(100, 101, 20) };
        events.looked(&[scan(100, 101, 15), udp.clone()], look(0, 101));
        let moved = |alert: Alert| Alert { frames: FrameSpan { first: alert.frames.first + 500, ..alert.frames }, ..alert };
        assert_eq!(steps(&events.looked(&[moved(udp), moved(scan(100, 102, 18))], look(0, 102))), []);
        let open: Vec<_> = events.open().map(|alert| (alert.technique, alert.packet_count)).collect();
        assert_eq!(open, [(Some("syn"), 18), (Some("udp"), 20)]);
    }
}
