#![doc = include_str!("docs/fragment_flood.md")]

use super::Detector;
use super::alert::{Alert, Severity};
use super::context::Context;
use super::flood_seconds::{Counts, Flood, Panes, Rule, column, measured, steps};
use super::wording::{grouped, percent};
use crate::error::Error;

pub(super) struct FragmentFlood;

const DOCUMENTATION: &str = include_str!("docs/fragment_flood.md");

const RULE: Rule = Rule {
    per_second: |settings| u64::from(settings.flood.fragments_per_s),
    seconds: |_| 1,
    least: |settings| u64::from(settings.flood.burst_packets),
    shaped: |settings, pane| incomplete(&pane.counts) >= settings.flood.fragments_incomplete,
};

/// Later pieces of the largest datagram: 65 535 bytes in pieces of 1 480 (RFC 791, Ethernet) are 45.
const MOST_LATER_PIECES: u64 = 44;

impl Detector for FragmentFlood {
    fn id(&self) -> &'static str {
        "fragment_flood"
    }

    fn summary(&self) -> &'static str {
        "many IP fragments to one host that never complete a datagram"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let panes = Panes::seconds(context, column("fragments"))?;
        let floods = RULE.floods(context, &panes)?;
        Ok(floods.iter().map(|flood| alert(context, flood)).collect())
    }
}

/// The least share of datagrams that cannot have been completed. Pieces are not matched one by one:
/// first pieces beyond the number of later ones have none, and later pieces beyond what that many
/// first ones can have belong to datagrams without a first; first pieces beyond the number of last ones
/// have no end; and the last pieces say how many bytes their datagrams need, which may be more than came.
fn incomplete(counts: &Counts) -> f64 {
    let (first, later) = (counts.first_fragments, counts.later_fragments());
    let headless = later.saturating_sub(first * MOST_LATER_PIECES).div_ceil(MOST_LATER_PIECES);
    let endless = first.saturating_sub(later.min(counts.last_fragments));
    let missing = counts.fragment_needed.saturating_sub(counts.fragment_bytes);
    super::context::share(headless + endless, first + headless).max(super::context::share(missing, counts.fragment_needed))
}

fn alert(context: &Context<'_>, flood: &Flood) -> Alert {
    let settings = &context.settings(flood.target).flood;
    let victim = context.address(flood.target);
    let incomplete = incomplete(&flood.counts);
    Alert {
        kind: "fragment_flood",
        technique: Some("fragments"),
        title: format!("Fragment flood against {victim}"),
        message: format!(
            "{victim} received {} IP fragments in {} (peak {}/s) {}; at least {} of the datagrams can never be completed",
            grouped(flood.counted),
            flood.lasted(),
            grouped(flood.peak),
            flood.told_sources(),
            percent(incomplete),
        ),
        severity: Severity::High,
        confidence: 0.8,
        attack: &["T1498.001", "T1499.001"],
        measured: vec![
            measured("peak rate", flood.peak as f64, "fragments/s", Some(f64::from(settings.fragments_per_s))),
            measured("incomplete", incomplete, "share of datagrams", Some(settings.fragments_incomplete)),
            measured("fragments", flood.counted as f64, "packets", Some(f64::from(settings.burst_packets))),
            measured("first fragments", flood.counts.first_fragments as f64, "packets", None),
        ],
        next_steps: steps(&[
            "Check the target's reassembly failures and memory (netstat -s, Ip: reassembly failures).",
            "Drop fragments toward the target at the border for protocols that have no need of them.",
        ]),
        ..flood.alert(context, "fragments/s", u64::from(settings.fragments_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::Capture;

    fn pieces(count: u32, per_second: i64, first_every: u32) -> Vec<Alert> {
        let mut capture = Capture::default();
        for n in 0..count {
            let at = capture.at_us(i64::from(n) * 1_000_000 / per_second);
            match first_every {
                1.. if n % first_every == 0 => at.first_fragment(5, 9),
                2.. if n % first_every == first_every - 1 => at.last_fragment(5, 9),
                _ => at.later_fragment(5, 9),
            }
        }
        capture.judge(&FragmentFlood)
    }

    #[test]
    fn later_pieces_without_a_first_are_a_flood_from_the_rate_on() {
        assert_eq!(pieces(1_800, 600, 0).len(), 1);
        assert!(pieces(1_200, 400, 0).is_empty());
    }

    #[test]
    fn first_pieces_alone_are_a_flood() {
        assert_eq!(pieces(1_800, 600, 1).len(), 1);
    }

    #[test]
    fn complete_datagrams_of_six_pieces_are_none() {
        assert!(pieces(6_000, 2_000, 6).is_empty());
    }

    #[test]
    fn last_pieces_that_end_far_behind_what_came_are_incomplete() {
        // 500 datagrams of 8 000 bytes of which two pieces of 32 bytes came each: 52 000 of 4 000 000.
        let counts = Counts {
            fragments: 1_000,
            first_fragments: 500,
            last_fragments: 500,
            fragment_bytes: 52_000,
            fragment_needed: 4_000_000,
            ..Counts::default()
        };
        assert!((incomplete(&counts) - 0.987).abs() < 1e-9);
    }

    #[test]
    fn pieces_without_an_end_are_incomplete() {
        let counts = Counts { fragments: 1_000, first_fragments: 500, last_fragments: 0, ..Counts::default() };
        assert_eq!(incomplete(&counts), 1.0);
    }

    #[test]
    fn the_estimate_is_a_lower_bound() {
        let counts = |first, later| Counts {
            fragments: first + later,
            first_fragments: first,
            last_fragments: first.min(later),
            ..Counts::default()
        };
        assert_eq!(incomplete(&counts(0, 100)), 1.0);
        assert_eq!(incomplete(&counts(10, 440)), 0.0);
        // Of ten first pieces at most four have a later one.
        assert_eq!(incomplete(&counts(10, 4)), 0.6);
    }
}
