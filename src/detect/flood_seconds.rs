//! Seconds of a target that together are one flood.
//!
//! Knows how seconds become runs, when a run is a flood by rate and duration, and what a run adds up
//! to. Which packets count, and what a flood's second must look like otherwise, each detector says.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::alert::{Alert, FrameSpan, Measured, Picture, Rate, Severity};
use super::context::Context;
use super::rows::{collect, i64s, sketches, u8s, u16s, u32s, u64s};
use crate::config::Settings;
use crate::error::Error;
use crate::table::{Address, Distinct, schema as col};
use crate::time::{self, MINUTE, Nanos, SECOND, from_seconds};

macro_rules! counters {
    ($($name:ident)+) => {
        /// What arrived, by what it was; the counters of the table of victims.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Counts {
            $( pub $name: u64, )+
        }

        struct Columns<'a> {
            $( $name: &'a [u64], )+
        }

        impl<'a> Columns<'a> {
            fn of(frame: &'a DataFrame) -> Result<Self, Error> {
                Ok(Self { $( $name: u64s(frame, stringify!($name))?, )+ })
            }

            fn row(&self, row: usize) -> Counts {
                Counts { $( $name: self.$name.get(row).copied().unwrap_or_default(), )+ }
            }
        }

        impl Counts {
            pub(super) fn add(&mut self, other: &Self) {
                $( self.$name += other.$name; )+
            }
        }
    };
}

counters! {
    packets early bytes syn syn_ack ack rst fin stray handshakes udp udp_answered echo icmp fragments first_fragments last_fragments fragment_bytes fragment_needed unsolicited unsolicited_bytes folded
}

impl Counts {
    /// TCP segments: what is neither UDP nor ICMP nor a later fragment.
    pub(super) const fn tcp(&self) -> u64 {
        self.packets.saturating_sub(self.udp + self.icmp + self.later_fragments())
    }

    pub(super) const fn later_fragments(&self) -> u64 {
        self.fragments.saturating_sub(self.first_fragments)
    }
}

/// One row of the table of victims, without its sketches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pane {
    /// Its place in [`Panes::frame`].
    row: usize,
    pub ts: Nanos,
    pub width: Nanos,
    pub frames: FrameSpan,
    /// The packets that make this kind of flood.
    pub counted: u64,
    pub counts: Counts,
}

/// Rows of the table of victims, by target and in time order.
pub(super) struct Panes {
    frame: DataFrame,
    pub targets: Vec<(Address, Vec<Pane>)>,
}

/// Fewer packets of a kind in a second belong to no flood of it; as the table of victims has it.
const LEAST_IN_SECOND: u64 = 20;

impl Panes {
    /// Busy seconds with enough packets of the kind that `counted` counts.
    pub(super) fn seconds(context: &Context<'_>, counted: Expr) -> Result<Self, Error> {
        Self::read(context, counted, LEAST_IN_SECOND, column(col::BUSY).eq(lit(1_u8)))
    }

    /// Every pane that has any, quiet minutes too.
    pub(super) fn all(context: &Context<'_>, counted: Expr) -> Result<Self, Error> {
        Self::read(context, counted, 1, lit(true))
    }

    fn read(context: &Context<'_>, counted: Expr, least: u64, which: Expr) -> Result<Self, Error> {
        const COUNTED: &str = "counted";
        let table = &context.tables.victims;
        if table.height() == 0 {
            return Ok(Self { frame: DataFrame::empty(), targets: Vec::new() });
        }
        let rows = table.clone().lazy().filter(which).with_column(counted.alias(COUNTED)).filter(column(COUNTED).gt_eq(lit(least)));
        let frame = collect(rows.sort([col::TARGET, col::TS, col::BUSY], SortMultipleOptions::default()))?;
        let targets = by_target(&frame, u64s(&frame, COUNTED)?)?;
        Ok(Self { frame, targets })
    }
}

fn by_target(frame: &DataFrame, counted: &[u64]) -> Result<Vec<(Address, Vec<Pane>)>, Error> {
    let (targets, times, busy) = (u32s(frame, col::TARGET)?, i64s(frame, col::TS)?, u8s(frame, col::BUSY)?);
    let (first, last) = (u64s(frame, col::FIRST_ORD)?, u64s(frame, col::LAST_ORD)?);
    let columns = Columns::of(frame)?;
    let mut all: Vec<(Address, Vec<Pane>)> = Vec::new();
    for row in 0..frame.height() {
        let pane = Pane {
            row,
            ts: times[row],
            width: if busy[row] == 1 { SECOND } else { MINUTE },
            frames: FrameSpan { first: first[row], last: last[row] },
            counted: counted[row],
            counts: columns.row(row),
        };
        match all.last_mut() {
            Some((target, panes)) if *target == targets[row] => panes.push(pane),
            _ => all.push((targets[row], vec![pane])),
        }
    }
    Ok(all)
}

/// When the seconds of a target are a flood.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Packets per second from which a second is loud.
    pub per_second: fn(&Settings) -> u64,
    /// Loud seconds in a row that make a flood.
    pub seconds: fn(&Settings) -> u64,
    /// A flood of fewer loud seconds needs this many packets in all.
    pub least: fn(&Settings) -> u64,
    /// What a second of the flood looks like apart from its rate.
    pub shaped: fn(&Settings, &Pane) -> bool,
}

impl Rule {
    /// The floods among the seconds of every target.
    pub(super) fn floods(&self, context: &Context<'_>, panes: &Panes) -> Result<Vec<Flood>, Error> {
        let mut floods = Vec::new();
        for (target, seconds) in &panes.targets {
            let settings = context.settings(*target);
            let members: Vec<Pane> = seconds.iter().copied().filter(|pane| (self.shaped)(settings, pane)).collect();
            for run in runs(&members, from_seconds(settings.flood.join_gap_s)) {
                if let Some(crossed) = self.crossed(settings, run) {
                    floods.push(Flood::of(context, panes, *target, crossed, run)?);
                }
            }
        }
        Ok(floods)
    }

    /// The end of the second in which a run became a flood, if it did.
    fn crossed(&self, settings: &Settings, run: &[Pane]) -> Option<Nanos> {
        run.chunk_by(|before, after| after.ts == before.ts + SECOND).filter_map(|seconds| self.crossed_in(settings, seconds)).min()
    }

    /// The same for seconds without a gap. A burst shorter than the rule's seconds touches at most one
    /// second more, and fills all but the first and the last: so those in between must be loud, and a
    /// burst of a moment that lies in two seconds is found by what they hold together.
    fn crossed_in(&self, settings: &Settings, seconds: &[Pane]) -> Option<Nanos> {
        let (per_second, longest) = ((self.per_second)(settings).max(1), (self.seconds)(settings));
        let (mut in_a_row, mut packets) = (0, 0);
        for second in seconds {
            (in_a_row, packets) = if second.counted >= per_second { (in_a_row + 1, packets + second.counted) } else { (0, 0) };
            if in_a_row >= longest && packets >= (self.least)(settings) {
                return Some(second.ts + SECOND);
            }
        }
        let total: u64 = seconds.iter().map(|second| second.counted).sum();
        let inner = seconds.get(1..seconds.len().saturating_sub(1)).unwrap_or_default();
        let burst = seconds.len() as u64 <= longest + 1
            && inner.iter().all(|second| second.counted >= per_second)
            && total >= (self.least)(settings)
            && together(seconds, longest) >= per_second;
        burst.then(|| seconds.last().map(|second| second.ts + SECOND))?
    }
}

/// Packets of a burst that lasted no longer than `longest` seconds. Where it touches one second more, it began in the second
/// half of its first and ended in the first half of its last: what lies outside of that is a rate and no burst.
fn together(seconds: &[Pane], longest: u64) -> u64 {
    let total: u64 = seconds.iter().map(|second| second.counted).sum();
    match seconds {
        [first, .., last] if seconds.len() as u64 > longest => total.saturating_sub(first.early() + last.counted - last.early()),
        _ => total,
    }
}

impl Pane {
    /// How many of the counted packets came in the first half of the second, if they came as all its packets did.
    fn early(&self) -> u64 {
        self.counted.saturating_mul(self.counts.early) / self.counts.packets.max(1)
    }
}

/// Panes cut where nothing came for `gap`.
pub(super) fn runs(panes: &[Pane], gap: Nanos) -> impl Iterator<Item = &[Pane]> {
    panes.chunk_by(move |before, after| after.ts - (before.ts + before.width) < gap)
}

/// Seconds of one target that belong together.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    pub target: Address,
    pub first: Nanos,
    pub last: Nanos,
    pub crossed: Nanos,
    pub frames: FrameSpan,
    /// The packets that make it, in all and in the worst second.
    pub counted: u64,
    pub peak: u64,
    pub counts: Counts,
    pub sources: Distinct,
    pub reflectors: Distinct,
    /// The port most packets went to, and the one most reflected packets came from.
    pub target_port: u16,
    pub reflected_port: u16,
    pub seconds: Vec<Rate>,
}

impl Flood {
    /// Distinct sources; the estimate of a sketch may lie above the number of packets, the truth not.
    pub(super) fn source_count(&self) -> u64 {
        self.sources.count().min(self.counts.packets)
    }

    pub(super) fn of(context: &Context<'_>, panes: &Panes, target: Address, crossed: Nanos, run: &[Pane]) -> Result<Self, Error> {
        let (begin, end) = context.capture.span.unwrap_or((Nanos::MIN, Nanos::MAX));
        let (asked, reflected) = (u16s(&panes.frame, col::TARGET_PORT)?, u16s(&panes.frame, col::REFLECTED_PORT)?);
        let (sources, reflectors) = (sketches(&panes.frame, col::SOURCES)?, sketches(&panes.frame, col::REFLECTORS)?);
        let mut flood = Self {
            target,
            first: run.iter().map(|pane| pane.ts).min().unwrap_or_default().max(begin),
            last: run.iter().map(|pane| pane.ts + pane.width - 1).max().unwrap_or_default().min(end),
            crossed: crossed.min(end),
            frames: FrameSpan {
                first: run.iter().map(|pane| pane.frames.first).min().unwrap_or_default(),
                last: run.iter().map(|pane| pane.frames.last).max().unwrap_or_default(),
            },
            counted: run.iter().map(|pane| pane.counted).sum(),
            peak: run.iter().map(|pane| pane.counted).max().unwrap_or_default(),
            counts: Counts::default(),
            sources: Distinct::default(),
            reflectors: Distinct::default(),
            target_port: weightiest(run.iter().map(|pane| (asked[pane.row], pane.counts.packets))),
            reflected_port: weightiest(run.iter().map(|pane| (reflected[pane.row], pane.counts.unsolicited))),
            seconds: Vec::new(),
        };
        for pane in run {
            let in_pane = Distinct::from_bytes(sources.get(pane.row).unwrap_or_default());
            flood.counts.add(&pane.counts);
            flood.seconds.push(Rate { ts: pane.ts, packets: pane.counted, sources: in_pane.count().min(pane.counted) });
            flood.sources.merge(&in_pane);
            flood.reflectors.merge(&Distinct::from_bytes(reflectors.get(pane.row).unwrap_or_default()));
        }
        Ok(flood)
    }

    /// How long, as a sentence says it.
    pub(super) fn lasted(&self) -> String {
        time::duration(self.last - self.first)
    }

    pub(super) fn covers(&self, target: Address, from: Nanos, to: Nanos) -> bool {
        self.target == target && self.first <= to && from <= self.last
    }

    /// An alert with what every flood says alike; the detector adds what it is.
    pub(super) fn alert(&self, context: &Context<'_>, unit: &'static str, per_second: u64) -> Alert {
        Alert {
            kind: "",
            technique: None,
            title: String::new(),
            message: String::new(),
            severity: Severity::High,
            confidence: 0.9,
            attack: &["T1498.001"],
            first_seen: self.first,
            last_seen: self.last,
            detected_at: self.crossed,
            attackers: Vec::new(),
            attacker_count: self.source_count(),
            victims: vec![context.address(self.target).to_string()],
            victim_count: 1,
            ports: Vec::new(),
            port_count: 0,
            protocol: "ip",
            measured: Vec::new(),
            window_s: 1.0,
            flow_count: 0,
            packet_count: self.counted,
            frames: self.frames,
            community_ids: Vec::new(),
            quality: Vec::new(),
            next_steps: Vec::new(),
            picture: Picture::Rates { unit, threshold: per_second as f64, seconds: self.seconds.clone() },
        }
    }

    /// The sources as a sentence ends: `from 3 sources`, `from about 37,600 sources`.
    pub(super) fn told_sources(&self) -> String {
        let about = if self.sources.is_exact() { "" } else { "about " };
        format!("from {about}{}", super::wording::counted(self.source_count(), "source"))
    }
}

pub(super) fn measured(name: &'static str, value: f64, unit: &'static str, threshold: Option<f64>) -> Measured {
    Measured { name, value, unit, threshold }
}

/// Steps as an alert holds them.
pub(super) fn steps(steps: &[&str]) -> Vec<String> {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

/// The value with the most weight; the smaller one of two that weigh the same.
fn weightiest(weighted: impl Iterator<Item = (u16, u64)>) -> u16 {
    let mut weights: BTreeMap<u16, u64> = BTreeMap::new();
    for (value, weight) in weighted {
        *weights.entry(value).or_default() += weight;
    }
    weights.into_iter().rev().max_by_key(|(_, weight)| *weight).map(|(value, _)| value).unwrap_or_default()
}

/// A column by name; the schema's names are `col::…` here.
pub(super) fn column(name: &str) -> Expr {
    polars::prelude::col(name)
}
