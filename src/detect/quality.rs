//! What a capture is worth as evidence: one list of checks, each with what was measured and what it means.
//!
//! `nsm info` shows the whole list; of its weaknesses those that can make a finding wrong are noted on every
//! alert and lower its confidence. What only hides findings (a damaged file, frames cut by the snapshot
//! length) is a weakness of the capture and not of the findings, and what only tells where it was captured
//! (checksum offload) is no weakness at all. Knows counts; reads no packet.

use serde::Serialize;

use super::context::{Capture, share};
use super::wording::grouped;
use crate::decode::Checksums;
use crate::table::{ShardTotals, Tables};
use crate::warning::Warning;

/// From this share of packets in one-sided connections a capture is asymmetric; detection research
/// puts it at 80 %.
const ASYMMETRIC_SHARE: f64 = 0.8;
/// Fewer TCP packets say nothing about a capture's symmetry.
const ASYMMETRIC_LEAST: u64 = 100;
/// From this share of copies a capture comes from a mirror port that duplicates.
const DUPLICATE_SHARE: f64 = 0.05;
/// From this share of TCP payload that its receivers had and the capture does not, packets that would have
/// decided a connection are likely missing too; half of what Zeek gives notice of.
const GAP_SHARE: f64 = 0.05;
/// Zeek's `CaptureLoss::too_much_loss`.
const TOO_MANY_GAPS: f64 = 0.1;
/// Less payload says nothing about gaps: one lost segment would be a tenth of it.
const GAP_LEAST_BYTES: u64 = 15_000;
/// From this share of cut frames contents are missing throughout, and not here and there.
const CUT_SHARE: f64 = 0.01;
/// From half of the frames on, what could not be decoded may hold more than what could; from nine tenths, it does.
const UNDECODED_SHARE: f64 = 0.5;
const UNDECODED_MOST: f64 = 0.9;
/// From this share of dropped packets on, more is missing than silence could be read from.
const TOO_MANY_DROPPED: f64 = 0.1;
/// Fewer checksums say nothing.
const CHECKSUM_LEAST: u64 = 10;
/// A network damages far less than one packet in a thousand (Stone and Partridge 2000 found between 1 in 1 100
/// and 1 in 32 000); ten times that has another cause.
const CHECKSUM_SHARE: f64 = 0.01;

/// How much is wrong with what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    #[default]
    None,
    /// The last record, or single blocks.
    Little,
    /// Everything after the place of the damage, or a whole file of several that were read as one.
    Rest,
}

impl Damage {
    #[must_use]
    pub fn of(warnings: &[Warning]) -> Self {
        warnings.iter().map(Self::of_one).max().unwrap_or_default()
    }

    fn of_one(warning: &Warning) -> Self {
        match warning {
            // One of several files that were read as one: what it lost is missing in the whole.
            Warning::In { warning, .. } => Self::of_one(warning),
            Warning::Corrupt { .. } | Warning::CompressionDamaged { .. } | Warning::Unreadable { .. } => Self::Rest,
            // Every frame that came is whole; that none comes any more is said by the warning.
            Warning::InterfaceLost { .. } => Self::None,
            other if other.is_damage() => Self::Little,
            _ => Self::None,
        }
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Worth knowing; weakens nothing.
    Note,
    /// To be kept in mind with every conclusion.
    Weak,
    /// Conclusions from what is not there are not possible.
    Poor,
}

impl State {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Weak => "weak",
            Self::Poor => "poor",
        }
    }

    /// The verdict on a capture whose worst check came to this.
    #[must_use]
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::Ok | Self::Note => "good",
            Self::Weak => "usable with care",
            Self::Poor => "poor",
        }
    }
}

/// One look at the capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Stable, for machines.
    pub name: &'static str,
    pub state: State,
    /// What was measured, in words.
    pub measured: String,
    /// What follows for conclusions; empty where all is well.
    pub meaning: &'static str,
    /// What alerts say of it, if it can make them wrong.
    #[serde(skip)]
    pub weakness: Option<&'static str>,
}

impl Check {
    fn new(name: &'static str, state: State, measured: String, meaning: &'static str) -> Self {
        let meaning = if state == State::Ok { "" } else { meaning };
        Self { name, state, measured, meaning, weakness: None }
    }

    /// Alerts are to say so where it is weak.
    fn weakening(self, weakness: &'static str) -> Self {
        Self { weakness: (self.state >= State::Weak).then_some(weakness), ..self }
    }
}

/// Every check of a capture, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Quality {
    pub checks: Vec<Check>,
}

impl Quality {
    #[must_use]
    pub fn of(capture: &Capture, tables: &Tables) -> Self {
        Self::judge(capture, &tables.totals, tables.thinned.iter().map(|(_, rows)| rows).sum())
    }

    fn judge(capture: &Capture, totals: &ShardTotals, thinned: u64) -> Self {
        let mut checks = vec![
            damage(capture.damage),
            one_way(totals),
            duplicates(totals),
            clock_jumps(capture.clock_jumps),
            dropped(capture),
            thinned_tables(thinned),
            gaps(totals),
            cut_frames(capture),
            undecoded(capture),
        ];
        checks.extend(capture.checksums.as_ref().map(checksums));
        Self { checks }
    }

    /// The worst of all checks.
    #[must_use]
    pub fn worst(&self) -> State {
        self.checks.iter().map(|check| check.state).max().unwrap_or(State::Ok)
    }

    /// What alerts say of the capture.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<&'static str> {
        self.checks.iter().filter_map(|check| check.weakness).collect()
    }
}

/// Most packets of TCP connections went one way only.
#[must_use]
pub fn is_one_way(totals: &ShardTotals) -> bool {
    totals.tcp_packets >= ASYMMETRIC_LEAST && share(totals.tcp_one_way, totals.tcp_packets) >= ASYMMETRIC_SHARE
}

fn damage(damage: Damage) -> Check {
    let (state, measured) = match damage {
        Damage::None => (State::Ok, "none: read to its end"),
        Damage::Little => (State::Weak, "the last record is cut, or single blocks could not be read"),
        Damage::Rest => (State::Poor, "a file, or the rest of one after the damage, could not be read"),
    };
    let meaning = "what was found stands; what is missing cannot be judged, and the capture may have gone on";
    Check::new("damage", state, measured.to_owned(), meaning)
}

fn one_way(totals: &ShardTotals) -> Check {
    let state = if is_one_way(totals) { State::Poor } else { State::Ok };
    let measured = of(totals.tcp_one_way, totals.tcp_packets, "packets of TCP conversations are in one-sided ones");
    Check::new("one_way", state, measured, "answers were not captured: a missing answer does not mean that an attempt failed")
        .weakening("one-way traffic: most connections were captured in one direction only")
}

fn duplicates(totals: &ShardTotals) -> Check {
    let state = if share(totals.duplicates, totals.packets) > DUPLICATE_SHARE { State::Weak } else { State::Ok };
    let measured = of(totals.duplicates, totals.packets, "packets were captured twice within 2 ms");
    Check::new("duplicates", state, measured, "counts and rates of packets are too high; connections are still right")
        .weakening("duplicated packets: more than 5 % were captured twice")
}

fn clock_jumps(jumps: u64) -> Check {
    let state = if jumps > 0 { State::Weak } else { State::Ok };
    let measured = format!("{} jumps (back by more than 1 s, or ahead by more than 1 h)", grouped(jumps));
    Check::new("clock_jumps", state, measured, "the order and distance of events across a jump are uncertain")
        .weakening("clock jumps: the capture paused for more than an hour, or its clock was set")
}

fn dropped(capture: &Capture) -> Check {
    let all = capture.frames.saturating_add(capture.dropped);
    let state = match share(capture.dropped, all) {
        lost if lost >= TOO_MANY_DROPPED => State::Poor,
        lost if lost > 0.0 => State::Weak,
        _ => State::Ok,
    };
    let measured = of(capture.dropped, all, "packets were dropped by the capturing machine, as far as it says");
    Check::new("dropped", state, measured, "what seems unanswered may have been answered, and rates are too low")
        .weakening("dropped packets: the capturing machine lost some")
}

fn thinned_tables(rows: u64) -> Check {
    let state = if rows > 0 { State::Weak } else { State::Ok };
    let measured = format!("{} rows left out by the memory limit", grouped(rows));
    Check::new("thinned", state, measured, "what was left out was not judged; raise memory.max_mib")
        .weakening("thinned tables: a row limit was reached")
}

fn gaps(totals: &ShardTotals) -> Check {
    let all = totals.tcp_payload.saturating_add(totals.tcp_missing);
    let state = match share(totals.tcp_missing, all) {
        _ if all < GAP_LEAST_BYTES => State::Ok,
        lost if lost >= TOO_MANY_GAPS => State::Poor,
        lost if lost >= GAP_SHARE => State::Weak,
        _ => State::Ok,
    };
    let connections = grouped(totals.with_gaps);
    let measured =
        format!("{}, in {connections} connections", of(totals.tcp_missing, all, "bytes of TCP payload arrived and were not captured"));
    Check::new("gaps", state, measured, "the capture lost packets: what seems unanswered may have been answered, and contents have holes")
        .weakening("gaps: more than 5 % of the TCP payload that arrived was not captured")
}

fn cut_frames(capture: &Capture) -> Check {
    let state = if share(capture.cut_frames, capture.frames) >= CUT_SHARE { State::Weak } else { State::Ok };
    let measured = of(capture.cut_frames, capture.frames, "frames are cut by the snapshot length");
    Check::new("cut_frames", state, measured, "detectors that read contents (logins, DNS, HTTP, TLS) see less; counts and rates are right")
}

fn undecoded(capture: &Capture) -> Check {
    let state = match share(capture.undecoded, capture.frames) {
        unread if unread >= UNDECODED_MOST => State::Poor,
        unread if unread >= UNDECODED_SHARE => State::Weak,
        _ => State::Ok,
    };
    let measured = of(capture.undecoded, capture.frames, "frames could not be decoded at all");
    Check::new("undecoded", state, measured, "no detector saw these frames: that nothing was found says nothing of them")
}

fn checksums(checksums: &Checksums) -> Check {
    let Checksums { checked, offloaded, wrong, .. } = *checksums;
    let enough = checked >= CHECKSUM_LEAST;
    let is_offload = enough && share(offloaded, checked) >= CHECKSUM_SHARE;
    let is_wrong = enough && share(wrong, checked) >= CHECKSUM_SHARE;
    let sender = checksums.only_sender().map(|mac| format!(", all sent by {mac}")).unwrap_or_default();
    let measured = if is_offload {
        format!("{} and left to the network card{sender}", of(offloaded, checked, "checked have unfinished checksums"))
    } else {
        of(offloaded + wrong, checked, "checked have wrong checksums")
    };
    let meaning = match (is_offload, is_wrong) {
        (true, _) if checksums.only_sender().is_some() => "checksum offload: captured on the machine that sent them; weakens nothing",
        (true, _) => "checksum offload: captured on machines that sent them, such as a host of virtual ones; weakens nothing",
        _ => "packets were damaged or rewritten (anonymised, addresses translated) after their checksums were computed",
    };
    Check::new("checksums", if is_offload || is_wrong { State::Note } else { State::Ok }, measured, meaning)
}

/// `12 of 3,000 (0.4 %) packets …`
fn of(part: u64, whole: u64, what: &str) -> String {
    format!("{} of {} ({:.1} %) {what}", grouped(part), grouped(whole), share(part, whole) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Mac;

    fn check(name: &str, capture: Capture, totals: ShardTotals) -> Check {
        let quality = Quality::judge(&capture, &totals, 0);
        quality.checks.into_iter().find(|check| check.name == name).unwrap()
    }

    fn state(name: &str, capture: Capture, totals: ShardTotals) -> State {
        check(name, capture, totals).state
    }

    #[test]
    fn nothing_wrong_is_good_and_says_nothing_on_alerts() {
        let quality = Quality::judge(&Capture { frames: 1_000, ..Capture::default() }, &ShardTotals::default(), 0);
        assert_eq!((quality.worst(), quality.worst().verdict()), (State::Ok, "good"));
        assert!(quality.weaknesses().is_empty());
        assert!(quality.checks.iter().all(|check| check.meaning.is_empty()));
    }

    #[test]
    fn one_way_from_four_fifths_of_at_least_a_hundred_packets() {
        let of = |tcp_one_way, tcp_packets| {
            state("one_way", Capture::default(), ShardTotals { tcp_packets, tcp_one_way, ..ShardTotals::default() })
        };
        assert_eq!([of(80, 100), of(79, 100), of(99, 99)], [State::Poor, State::Ok, State::Ok]);
    }

    #[test]
    fn duplicates_above_a_twentieth() {
        let of = |duplicates| state("duplicates", Capture::default(), ShardTotals { packets: 1_000, duplicates, ..ShardTotals::default() });
        assert_eq!([of(51), of(50)], [State::Weak, State::Ok]);
    }

    #[test]
    fn gaps_from_a_twentieth_and_poor_from_a_tenth_of_the_payload() {
        let of = |tcp_missing, all: u64| {
            let totals = ShardTotals { tcp_payload: all - tcp_missing, tcp_missing, ..ShardTotals::default() };
            state("gaps", Capture::default(), totals)
        };
        assert_eq!([of(9_999, 100_000), of(10_000, 100_000)], [State::Weak, State::Poor]);
        assert_eq!([of(4_999, 100_000), of(5_000, 100_000)], [State::Ok, State::Weak]);
        // Too little to say.
        assert_eq!([of(14_999, 14_999), of(15_000, 15_000)], [State::Ok, State::Poor]);
    }

    #[test]
    fn cut_frames_from_a_hundredth_and_they_weaken_no_alert() {
        let of = |cut_frames| check("cut_frames", Capture { frames: 1_000, cut_frames, ..Capture::default() }, ShardTotals::default());
        assert_eq!([of(9).state, of(10).state], [State::Ok, State::Weak]);
        assert_eq!(of(1_000).weakness, None);
    }

    #[test]
    fn undecoded_frames_from_half_and_poor_from_nine_tenths() {
        let of = |undecoded| state("undecoded", Capture { frames: 1_000, undecoded, ..Capture::default() }, ShardTotals::default());
        assert_eq!([of(499), of(500), of(899), of(900)], [State::Ok, State::Weak, State::Weak, State::Poor]);
    }

    #[test]
    fn dropped_from_the_first_and_poor_from_a_tenth_of_all() {
        let of = |frames, dropped| state("dropped", Capture { frames, dropped, ..Capture::default() }, ShardTotals::default());
        assert_eq!([of(100, 0), of(1_000_000, 1), of(901, 100), of(900, 100)], [State::Ok, State::Weak, State::Weak, State::Poor]);
    }

    #[test]
    fn jumps_and_thinned_tables_from_the_first() {
        let of = |clock_jumps| state("clock_jumps", Capture { clock_jumps, ..Capture::default() }, ShardTotals::default());
        assert_eq!([of(0), of(1)], [State::Ok, State::Weak]);
        let thinned = |rows| Quality::judge(&Capture::default(), &ShardTotals::default(), rows).worst();
        assert_eq!([thinned(0), thinned(1)], [State::Ok, State::Weak]);
    }

    #[test]
    fn damage_is_a_weakness_of_the_capture_and_of_no_alert() {
        let of = |warning| check("damage", Capture { damage: Damage::of(&[warning]), ..Capture::default() }, ShardTotals::default());
        let cut = of(Warning::Truncated { frame: 1, offset: 2, missing: 3 });
        let lost = of(Warning::Corrupt { frame: 1, offset: 2, problem: String::new() });
        assert_eq!([cut.state, lost.state], [State::Weak, State::Poor]);
        assert_eq!((cut.weakness, lost.weakness), (None, None));
        assert_eq!(of(Warning::ClockJumps { jumps: 1 }).state, State::Ok);
        assert_eq!(of(Warning::InterfaceLost { interface: "eth0".into(), frame: 1, problem: String::new() }).state, State::Ok);
    }

    #[test]
    fn what_one_of_several_files_lost_is_lost_to_the_whole() {
        let within = |warning| Warning::In { file: "b.pcap".into(), warning: Box::new(warning) };
        let corrupt = || within(Warning::Corrupt { frame: 1, offset: 2, problem: String::new() });
        let gzip = within(Warning::CompressionDamaged { offset: 2, problem: String::new() });
        let cut = || within(Warning::Truncated { frame: 1, offset: 2, missing: 3 });
        let unreadable = Warning::Unreadable { file: "b.pcap".into(), problem: String::new() };
        assert_eq!([corrupt(), gzip, unreadable].map(|warning| Damage::of(&[warning])), [Damage::Rest; 3]);
        assert_eq!([cut(), within(Warning::ClockJumps { jumps: 1 })].map(|warning| Damage::of(&[warning])), [Damage::Little, Damage::None]);
        // The worst of several, in whatever order.
        assert_eq!([Damage::of(&[cut(), corrupt()]), Damage::of(&[corrupt(), cut()])], [Damage::Rest; 2]);
    }

    #[test]
    fn unfinished_checksums_of_one_sender_tell_where_it_was_captured_and_weaken_nothing() {
        let of = |offloaded: u64, checked: u64, senders: &[u64]| {
            let mut sums = Checksums { checked, offloaded, ..Checksums::default() };
            senders.iter().for_each(|mac| sums.note_sender(Mac(*mac)));
            check("checksums", Capture { checksums: Some(sums), ..Capture::default() }, ShardTotals::default())
        };
        let one = of(1, 100, &[7]);
        assert_eq!((one.state, one.weakness), (State::Note, None));
        assert!(one.measured.contains("all sent by 00:00:00:00:00:07"), "{}", one.measured);
        assert!(one.meaning.contains("captured on the machine"), "{}", one.meaning);
        assert!(of(2, 100, &[7, 8]).meaning.contains("machines"));
        assert_eq!([of(9, 1_000, &[7]).state, of(9, 9, &[7]).state, of(10, 10, &[7]).state], [State::Ok, State::Ok, State::Note]);
    }

    #[test]
    fn wrong_checksums_are_noted_from_a_hundredth() {
        let of = |wrong| {
            let sums = Checksums { checked: 1_000, wrong, ..Checksums::default() };
            state("checksums", Capture { checksums: Some(sums), ..Capture::default() }, ShardTotals::default())
        };
        assert_eq!([of(9), of(10)], [State::Ok, State::Note]);
    }

    #[test]
    fn the_worst_check_is_the_verdict() {
        let capture = Capture { clock_jumps: 1, frames: 10, dropped: 5, ..Capture::default() };
        let quality = Quality::judge(&capture, &ShardTotals::default(), 0);
        assert_eq!(quality.worst().verdict(), "poor");
        let said = [
            "clock jumps: the capture paused for more than an hour, or its clock was set",
            "dropped packets: the capturing machine lost some",
        ];
        assert_eq!(quality.weaknesses(), said);
    }
}
