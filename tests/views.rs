//! A capture that goes on: what is judged of it meanwhile, and what a report of a period of it knows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::collections::BTreeSet;

use common::Sample;
use network_security_monitor::analysis;
use network_security_monitor::capture::{MemorySource, SourceFacts};
use network_security_monitor::config::Config;
use network_security_monitor::detect::Alert;
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Follower, Measured, Options, Period, Run};
use network_security_monitor::table::Ended;
use network_security_monitor::time::Nanos;

/// Looks at the capture after every block, and says what it sees.
struct Looking<F>(F);

impl<F: FnMut(&mut Run<'_>)> Follower for Looking<F> {
    fn ended(&mut self, _: &[Ended]) -> Result<(), Error> {
        Ok(())
    }

    fn taken(&mut self, run: &mut Run<'_>) -> Result<(), Error> {
        (self.0)(run);
        Ok(())
    }
}

fn follow(sample: &Sample, blocks_of: usize, look: impl FnMut(&mut Run<'_>)) -> Measured {
    let mut source = common::source(sample.bytes()).unwrap();
    let mut memory = MemorySource::from_source(&mut source).unwrap().block_frames(blocks_of);
    pipeline::follow(&mut memory, &Config::default().base, &Options::default(), &mut Looking(look)).unwrap()
}

fn frames(sample: &Sample) -> usize {
    MemorySource::from_source(&mut common::source(sample.bytes()).unwrap()).unwrap().len()
}

fn alerts(measured: &Measured) -> Vec<Alert> {
    analysis::judge("memory", measured, &Config::default(), &|_| true).unwrap().alerts
}

fn finished(period: Period) -> Measured {
    period.finish(SourceFacts::default(), Vec::new(), &mut |_| Ok(())).unwrap()
}

/// What is said of a connection that is open may still change: whom an alert is about may not.
#[test]
fn a_view_of_all_there_is_says_what_the_end_says() {
    common::all_well(&common::for_each(&common::samples(), |sample| {
        let mut seen = Vec::new();
        let all = frames(sample);
        let last = follow(sample, all.max(1), |run| seen = alerts(&finished(run.since(Nanos::MIN, Nanos::MAX))));
        let want = alerts(&last);
        let told = |alerts: &[Alert]| {
            alerts
                .iter()
                .map(|alert| format!("{} {} {}: {}", alert.id(), alert.severity.name(), alert.kind, alert.title))
                .collect::<BTreeSet<_>>()
        };
        told(&want).symmetric_difference(&told(&seen)).map(|odd| format!("{}: {odd}", sample.name)).collect()
    }));
}

#[test]
fn looking_changes_nothing() {
    common::all_well(&common::for_each(&common::samples(), |sample| {
        let blocks_of = frames(sample).div_ceil(50).max(1);
        let quiet = alerts(&follow(sample, blocks_of, |_| {}));
        let looked_at = alerts(&follow(sample, blocks_of, |run| drop(run.since(Nanos::MIN, Nanos::MAX))));
        if quiet == looked_at { Vec::new() } else { vec![format!("{}: other alerts", sample.name)] }
    }));
}
