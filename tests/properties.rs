//! Laws that hold for all values, tried on many.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use network_security_monitor::capture::Clock;
use network_security_monitor::config::{Config, Number, SECTIONS, Setting};
use network_security_monitor::net::mix;
use network_security_monitor::table::Distinct;
use network_security_monitor::time::{self, Nanos, SECOND};
use proptest::collection::vec;
use proptest::prelude::*;

fn set(members: &[u16]) -> Distinct {
    let mut set = Distinct::default();
    members.iter().for_each(|member| set.insert(mix(u64::from(*member), 7)));
    set
}

fn union(a: &Distinct, b: &Distinct) -> Distinct {
    let mut union = a.clone();
    union.merge(b);
    union
}

/// Sets on both sides of the size at which they become sketches.
fn members() -> impl Strategy<Value = Vec<u16>> {
    prop_oneof![vec(any::<u16>(), 0..80), vec(0_u16..100, 0..200), vec(any::<u16>(), 0..2_000)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sets_merge_in_any_order(a in members(), b in members()) {
        let (a, b) = (set(&a), set(&b));
        prop_assert_eq!(union(&a, &b).to_bytes(), union(&b, &a).to_bytes());
    }

    #[test]
    fn sets_merge_in_any_grouping(a in members(), b in members(), c in members()) {
        let (a, b, c) = (set(&a), set(&b), set(&c));
        prop_assert_eq!(union(&union(&a, &b), &c).to_bytes(), union(&a, &union(&b, &c)).to_bytes());
    }

    #[test]
    fn a_set_merged_with_itself_or_nothing_stays_as_it_is(a in members()) {
        let a = set(&a);
        prop_assert_eq!(union(&a, &a).to_bytes(), a.to_bytes());
        prop_assert_eq!(union(&a, &Distinct::default()).to_bytes(), a.to_bytes());
        prop_assert_eq!(union(&Distinct::default(), &a).to_bytes(), a.to_bytes());
    }

    #[test]
    fn a_set_does_not_depend_on_how_its_members_were_parted(all in members(), parts in 1_usize..9) {
        let whole = set(&all);
        let piece = |number: usize| all.iter().copied().skip(number).step_by(parts).collect::<Vec<_>>();
        let merged = (0..parts).map(|number| set(&piece(number))).fold(Distinct::default(), |sum, part| union(&sum, &part));
        prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
        prop_assert_eq!(merged.count(), whole.count());
    }

    #[test]
    fn a_stored_set_reads_back_as_itself(a in members(), b in members()) {
        let (a, b) = (set(&a), set(&b));
        let back = Distinct::from_bytes(&a.to_bytes());
        prop_assert_eq!(back.count(), a.count());
        prop_assert_eq!(union(&back, &b).to_bytes(), union(&a, &b).to_bytes());
    }

    #[test]
    fn a_pane_holds_its_moments_and_begins_at_a_multiple_of_its_width(
        ts in -(1_i64 << 62)..1 << 62,
        width in 1_i64..=time::HOUR * 24,
    ) {
        let start = time::pane(ts, width);
        prop_assert!(start <= ts && ts - start < width);
        prop_assert_eq!(start.rem_euclid(width), 0);
        prop_assert_eq!(time::pane(start, width), start);
    }

    #[test]
    fn a_moment_that_is_written_reads_back_as_itself(ts in any::<Nanos>()) {
        prop_assert_eq!(time::parse(&time::rfc3339(ts)), Some(ts));
    }

    #[test]
    fn elapsed_time_never_runs_backwards(frames in vec((0_usize..4, any::<Nanos>()), 0..200)) {
        let mut clock = Clock::default();
        let mut last = Nanos::MIN;
        for (interface, ts) in frames {
            let tick = clock.tick(interface, ts);
            prop_assert!(tick >= last, "{} after {}", tick, last);
            last = tick;
        }
    }

    /// Steps of less than a second back and an hour forward are no jumps: time goes on as the packets say.
    #[test]
    fn elapsed_time_is_packet_time_where_the_clock_does_not_jump(start in -1_i64 << 60..1 << 60, steps in vec(0..time::HOUR, 0..100)) {
        let mut clock = Clock::default();
        clock.tick(0, start);
        let mut elapsed = 0;
        for step in steps {
            elapsed += step;
            prop_assert_eq!(clock.tick(0, start + elapsed), elapsed);
            prop_assert_eq!(clock.tick(0, start + elapsed - SECOND / 2), elapsed);
        }
        prop_assert_eq!(clock.jumps(), 0);
    }

    #[test]
    fn a_setting_reads_back_as_it_was_set(setting in any_setting(), share in 0.0..=1.0) {
        let value = between(setting, share);
        let mut config = Config::default();
        config.set(setting.path, &value.to_string()).unwrap();
        prop_assert_eq!(config.base.get(setting.path), Some(value));
        prop_assert_eq!(Config::from_yaml(&config.to_yaml()).unwrap(), config);
    }

    #[test]
    fn a_value_outside_the_range_changes_nothing(setting in any_setting(), beyond in 1_u32..1_000) {
        let too_much = match setting.max {
            Number::Whole(max) => (u128::from(max) + u128::from(beyond)).to_string(),
            Number::Real(max) => (max + f64::from(beyond)).to_string(),
        };
        let mut config = Config::default();
        prop_assert!(config.set(setting.path, &too_much).is_err());
        prop_assert_eq!(config, Config::default());
    }
}

fn any_setting() -> impl Strategy<Value = &'static Setting> {
    let all: Vec<&'static Setting> = SECTIONS.iter().flat_map(|section| section.settings).collect();
    prop::sample::select(all)
}

/// A value of the setting's range, at a share of the way from its least to its greatest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a whole number")]
fn between(setting: &Setting, share: f64) -> Number {
    match (setting.min, setting.max) {
        (Number::Whole(min), Number::Whole(max)) => Number::Whole(min + ((max - min) as f64 * share) as u64),
        (Number::Real(min), Number::Real(max)) => Number::Real(min + (max - min) * share),
        (min, _) => min,
    }
}
