//! Whether calls come in a rhythm, and how strict it is.
//!
//! Pure functions of times and sizes; knows nothing of hosts, ports or guilt. A rhythm is told from
//! chance by how many of the intervals agree: were the calls as many, but thrown at random over the
//! same time, intervals would be exponentially distributed, and the chance that so many fall so close
//! to the median has an upper bound (Chernoff). The four scores are those of RITA, with bars that scale
//! with the number of calls, so that a short capture can score.

use std::f64::consts::TAU;

use crate::stats::median;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// The beginning of a connection, or of several at once, and the payload its originator sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub ts: Nanos,
    pub bytes: u64,
}

/// What a rhythm must fulfil.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demands {
    pub calls: usize,
    /// Shortest time from the first to the last call.
    pub least: Nanos,
    /// Highest chance that calls at random look as regular.
    pub chance: f64,
    /// Smallest step of the capture's clock.
    pub resolution: Nanos,
}

/// Calls this close are one: a client opens several connections at once.
const AT_ONCE: Nanos = 500 * MILLISECOND;
/// Bursts are told apart by a pause of this many median intervals.
const PAUSE: Nanos = 3;
/// Faster than this is a matter of rates.
const SHORTEST: Nanos = SECOND;
/// How far intervals may lie from their median, as a share of it, and the share of intervals that must
/// lie so close. Half within 10 % is what a median absolute deviation of 10 % says; a sleep with 50 %
/// jitter keeps nearly all within half of the median.
const TOLERANCES: [(f64, f64); 9] =
    [(0.001, 0.5), (0.002, 0.5), (0.005, 0.5), (0.01, 0.5), (0.02, 0.5), (0.05, 0.5), (0.1, 0.6), (0.2, 0.75), (0.5, 0.9)];
/// A period that is only a few steps of the clock long says nothing: all times lie on the steps.
const STEPS: Nanos = 5;
/// The score of a steady phase, and how unlikely it must be by chance.
const PHASE_BONUS: f64 = 0.1;
const PHASE_CHANCE: f64 = 1e-6;
/// RITA's hours of a day, and the run of hours that is as good as all of them.
const BARS: usize = 24;
const RUN: f64 = 12.0;
/// Calls per bar of the histogram.
const PER_BAR: usize = 3;
/// Quartiles closer than this share of the median (sizes also: this many bytes) are not skewed.
const STILL: f64 = 0.05;
const STILL_BYTES: f64 = 32.0;

#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    pub beats: Vec<Call>,
    pub period: Nanos,
    /// Of all intervals, how many lie within this share of the period.
    pub tolerance: f64,
    pub within: usize,
    /// Upper bound of the chance that random calls look as regular.
    pub chance: f64,
    /// Length of the mean phase vector, 0 to 1 (Rayleigh's test).
    pub coherence: f64,
    pub phase_chance: f64,
    /// When the calls so far were a rhythm for the first time.
    pub crossed: Nanos,
}

impl Rhythm {
    /// The rhythm of the calls, or that of their bursts; `calls` are in time order.
    pub(super) fn of(calls: &[Call], demands: &Demands) -> Option<Self> {
        let single = merged(calls, AT_ONCE);
        let gaps = sorted_gaps(&single);
        let pause = PAUSE.saturating_mul(middle(&gaps)?);
        let bursts = merged(calls, pause);
        let of_bursts = (bursts.len() < single.len()).then(|| Self::fit(bursts, pause, demands)).flatten();
        of_bursts.or_else(|| Self::fit(single, AT_ONCE, demands))
    }

    fn fit(beats: Vec<Call>, pause: Nanos, demands: &Demands) -> Option<Self> {
        let fit = Fit::of(&beats, pause, demands)?;
        let mut length = demands.calls.max(2);
        while length < beats.len() && Fit::of(&beats[..length], pause, demands).is_none() {
            length += (length / 4).max(1);
        }
        let crossed = beats.get(length - 1).or(beats.last())?.ts;
        let Fit { period, tolerance, within, chance, coherence, phase_chance } = fit;
        Some(Self { beats, period, tolerance, within, chance, coherence, phase_chance, crossed })
    }

    pub(super) fn span(&self) -> Nanos {
        span(&self.beats)
    }

    /// RITA's four scores; the last one needs to know when the capture began and ended.
    pub(super) fn scores(&self, capture: (Nanos, Nanos)) -> Scores {
        let gaps: Vec<f64> = gaps(&self.beats).map(|gap| gap as f64).collect();
        let sizes: Vec<f64> = self.beats.iter().map(|beat| beat.bytes as f64).collect();
        let middle = median(&sizes).unwrap_or_default();
        Scores {
            timing: f64::midpoint(symmetry(&gaps, STILL * self.period as f64), steadiness(&gaps)),
            sizes: (middle >= 1.0).then(|| f64::midpoint(symmetry(&sizes, STILL_BYTES.max(STILL * middle)), steadiness(&sizes))),
            evenness: self.evenness(),
            persistence: self.persistence(capture),
            phase: if self.phase_chance <= PHASE_CHANCE { PHASE_BONUS } else { 0.0 },
        }
    }

    /// One minus the coefficient of variation of calls per bar.
    fn evenness(&self) -> f64 {
        let bars = self.bars((self.beats.len() / PER_BAR).clamp(2, BARS), self.ends());
        let mean = self.beats.len() as f64 / bars.len() as f64;
        let variance = bars.iter().map(|bar| (f64::from(*bar) - mean).powi(2)).sum::<f64>() / bars.len() as f64;
        (1.0 - variance.sqrt() / mean).max(0.0)
    }

    /// The share of the capture it spans, or its longest run of bars with calls, whichever says more.
    fn persistence(&self, capture: (Nanos, Nanos)) -> f64 {
        let coverage = self.span() as f64 / (capture.1 - capture.0).max(1) as f64;
        let bars = self.bars(BARS, capture);
        let run = bars.chunk_by(|a, b| (*a > 0) == (*b > 0)).filter(|run| run[0] > 0).map(<[u32]>::len).max();
        coverage.max(run.unwrap_or_default() as f64 / RUN).min(1.0)
    }

    fn ends(&self) -> (Nanos, Nanos) {
        (self.beats.first().map_or(0, |beat| beat.ts), self.beats.last().map_or(0, |beat| beat.ts))
    }

    fn bars(&self, number: usize, (first, last): (Nanos, Nanos)) -> Vec<u32> {
        let width = ((last - first) / i64::try_from(number).unwrap_or(1) + 1).max(1);
        let mut bars = vec![0; number];
        for beat in &self.beats {
            if let Some(bar) = usize::try_from((beat.ts - first) / width).ok().and_then(|place| bars.get_mut(place)) {
                *bar += 1;
            }
        }
        bars
    }
}

/// RITA's scores, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scores {
    pub timing: f64,
    /// None where nothing was sent: calls in vain have no size.
    pub sizes: Option<f64>,
    pub evenness: f64,
    pub persistence: f64,
    /// What a steady phase adds.
    pub phase: f64,
}

impl Scores {
    pub(super) fn total(&self) -> f64 {
        let parts = [Some(self.timing), self.sizes, Some(self.evenness), Some(self.persistence)];
        let number = parts.iter().flatten().count() as f64;
        parts.iter().flatten().sum::<f64>() / number + self.phase
    }
}

/// How well the intervals of some beats agree.
struct Fit {
    period: Nanos,
    tolerance: f64,
    within: usize,
    chance: f64,
    coherence: f64,
    phase_chance: f64,
}

impl Fit {
    fn of(beats: &[Call], pause: Nanos, demands: &Demands) -> Option<Self> {
        let gaps = sorted_gaps(beats);
        let middle = middle(&gaps)?;
        let step = demands.resolution.max(MILLISECOND);
        if beats.len() < demands.calls || span(beats) < demands.least || middle < SHORTEST.max(STEPS * step) {
            return None;
        }
        // What a pause cut off below no interval can show.
        let mean = (span(beats) as f64 / gaps.len() as f64 - pause as f64).max(MILLISECOND as f64);
        let agreement = |tolerance: f64| Agreement::of(&gaps, middle, share_of(middle, tolerance).max(step), step, (pause, mean));
        let (tolerance, found) = TOLERANCES
            .iter()
            .map(|(tolerance, needed)| (*tolerance, *needed, agreement(*tolerance)))
            .filter(|(_, needed, found)| found.within as f64 >= needed * gaps.len() as f64)
            .map(|(tolerance, _, found)| (tolerance, found))
            .min_by(|(_, a), (_, b)| a.chance.total_cmp(&b.chance))
            .unwrap_or_else(|| (0.5, agreement(0.5)));
        let period = found.mean;
        let coherence = coherence(beats, period);
        let phase_chance = (-(beats.len() as f64) * coherence * coherence).exp();
        let steady_phase = found.within * 2 >= gaps.len() && phase_chance <= demands.chance;
        let chance = if found.chance > demands.chance && steady_phase { phase_chance } else { found.chance };
        (chance <= demands.chance).then_some(Self { period, tolerance, within: found.within, chance, coherence, phase_chance })
    }
}

/// How many intervals lie about the median, and how likely that was.
struct Agreement {
    within: usize,
    mean: Nanos,
    chance: f64,
}

impl Agreement {
    fn of(sorted: &[Nanos], middle: Nanos, width: Nanos, step: Nanos, (pause, mean): (Nanos, f64)) -> Self {
        let (from, to) = (sorted.partition_point(|gap| *gap < middle - width), sorted.partition_point(|gap| *gap <= middle + width));
        let longer_than = |gap: Nanos| (-((gap - pause).max(0) as f64) / mean).exp();
        // Times that the clock rounded down may differ by one step more.
        let expected = longer_than(middle - width - step) - longer_than(middle + width + step);
        // The median itself lies there in any case.
        let bound = at_least((to - from).saturating_sub(1), sorted.len() - 1, expected);
        Self {
            within: to - from,
            mean: sorted[from..to].iter().sum::<Nanos>() / i64::try_from((to - from).max(1)).unwrap_or(1),
            chance: (bound * TOLERANCES.len() as f64).min(1.0),
        }
    }
}

/// Chernoff's upper bound of the chance of so many successes or more.
fn at_least(successes: usize, trials: usize, probability: f64) -> f64 {
    let (found, expected) = (successes as f64 / trials.max(1) as f64, probability.clamp(1e-12, 1.0));
    if trials == 0 || found <= expected {
        return 1.0;
    }
    let part = |share: f64, of: f64| if share > 0.0 { share * (share / of).ln() } else { 0.0 };
    (-(trials as f64) * (part(found, expected) + part(1.0 - found, 1.0 - expected))).exp()
}

/// Rayleigh's statistic: the length of the mean of all phases as unit vectors.
fn coherence(beats: &[Call], period: Nanos) -> f64 {
    let Some(first) = beats.first() else { return 0.0 };
    let (sin, cos) = beats.iter().fold((0.0, 0.0), |(sin, cos), beat| {
        let phase = TAU * ((beat.ts - first.ts) % period.max(1)) as f64 / period.max(1) as f64;
        (sin + phase.sin(), cos + phase.cos())
    });
    f64::hypot(sin, cos) / beats.len() as f64
}

/// Calls with no more than `gap` between one and the next are one.
fn merged(calls: &[Call], gap: Nanos) -> Vec<Call> {
    calls
        .chunk_by(|a, b| b.ts - a.ts <= gap)
        .filter_map(|run| Some(Call { ts: run.first()?.ts, bytes: run.iter().map(|call| call.bytes).sum() }))
        .collect()
}

fn gaps(beats: &[Call]) -> impl Iterator<Item = Nanos> {
    beats.windows(2).map(|pair| pair[1].ts - pair[0].ts)
}

fn sorted_gaps(beats: &[Call]) -> Vec<Nanos> {
    let mut gaps: Vec<Nanos> = gaps(beats).collect();
    gaps.sort_unstable();
    gaps
}

/// The median of sorted intervals.
fn middle(sorted: &[Nanos]) -> Option<Nanos> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2).copied().unwrap_or(upper);
    Some(i64::midpoint(lower, upper))
}

fn span(beats: &[Call]) -> Nanos {
    beats.first().zip(beats.last()).map_or(0, |(first, last)| last.ts - first.ts)
}

#[expect(clippy::cast_possible_truncation, reason = "a share of a time is a time")]
fn share_of(time: Nanos, share: f64) -> Nanos {
    (time as f64 * share) as Nanos
}

/// One minus Bowley's skewness of the quartiles; quartiles closer than `still` are symmetric.
fn symmetry(values: &[f64], still: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, middle, high) = (quantile(&sorted, 1), quantile(&sorted, 2), quantile(&sorted, 3));
    if high - low < still || middle <= low || middle >= high {
        return 1.0;
    }
    1.0 - ((high + low - 2.0 * middle) / (high - low)).abs()
}

fn quantile(sorted: &[f64], quarter: usize) -> f64 {
    let place = sorted.len().saturating_sub(1) * quarter;
    let value = |place: usize| sorted.get(place).or(sorted.last()).copied().unwrap_or_default();
    value(place / 4) + (value(place / 4 + 1) - value(place / 4)) * (place % 4) as f64 / 4.0
}

/// One minus the median absolute deviation as a share of the median.
fn steadiness(values: &[f64]) -> f64 {
    let Some(middle) = median(values).filter(|middle| *middle > 0.0) else { return 0.0 };
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    (1.0 - median(&deviations).unwrap_or_default() / middle).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMANDS: Demands = Demands { calls: 7, least: 30 * SECOND, chance: 1e-6, resolution: 1 };

    fn calls(times_ms: impl IntoIterator<Item = i64>) -> Vec<Call> {
        times_ms.into_iter().map(|ms| Call { ts: ms * MILLISECOND, bytes: 100 }).collect()
    }

    /// A sequence without a pattern, from 0 up to but not including 1.
    fn noise(seed: u64) -> impl Iterator<Item = f64> {
        (0_u64..).map(move |n| (crate::net::mix(seed, n) >> 11) as f64 / (1_u64 << 53) as f64)
    }

    fn spaced(gaps_ms: impl Iterator<Item = f64>, number: usize) -> Vec<Call> {
        let mut at = 0.0;
        calls(gaps_ms.take(number).map(|gap| {
            at += gap;
            at as i64
        }))
    }

    #[test]
    fn a_strict_period_is_found_and_six_calls_are_too_few() {
        let rhythm = Rhythm::of(&calls((0..8).map(|n| n * 10_000)), &DEMANDS).unwrap();
        assert_eq!((rhythm.period, rhythm.within, rhythm.beats.len()), (10 * SECOND, 7, 8));
        let scores = rhythm.scores((0, 70 * SECOND));
        assert_eq!((scores.timing, scores.sizes, scores.evenness, scores.persistence), (1.0, Some(1.0), 1.0, 1.0));
        assert!(Rhythm::of(&calls((0..6).map(|n| n * 10_000)), &DEMANDS).is_none());
    }

    #[test]
    fn five_strict_calls_among_others_are_found() {
        let rhythm = Rhythm::of(&calls([0, 74_205, 84_210, 94_225, 104_238, 114_239, 118_446]), &DEMANDS).unwrap();
        assert_eq!((rhythm.within, rhythm.period / SECOND), (4, 10));
    }

    #[test]
    fn bursts_beat_by_their_beginnings() {
        // Five tries a second apart, every 11.8 s.
        let times = (0..8).flat_map(|n| (0..5).map(move |k| n * 11_800 + k * 1_000));
        let rhythm = Rhythm::of(&calls(times), &DEMANDS).unwrap();
        assert_eq!((rhythm.period, rhythm.beats.len(), rhythm.beats[0].bytes), (11_800 * MILLISECOND, 8, 500));
    }

    #[test]
    fn a_sleep_with_half_jitter_is_found() {
        let jittered = spaced(noise(1).map(|x| 30_000.0 * (1.0 + x)), 40);
        assert!(Rhythm::of(&jittered, &DEMANDS).is_some());
    }

    #[test]
    fn random_calls_have_none() {
        for seed in 0..500 {
            let random = spaced(noise(seed).map(|x| -10_000.0 * (1.0 - x).ln()), 8 + (seed as usize % 8) * 30);
            assert!(Rhythm::of(&random, &DEMANDS).is_none(), "{seed}");
        }
    }

    #[test]
    fn a_clock_of_whole_seconds_makes_no_rhythm() {
        let coarse = Demands { resolution: SECOND, ..DEMANDS };
        for seed in 0..100 {
            let random = calls(spaced(noise(seed).map(|x| -1_500.0 * (1.0 - x).ln()), 200).iter().map(|call| call.ts / SECOND * 1_000));
            assert!(Rhythm::of(&random, &coarse).is_none(), "{seed}");
        }
    }

    #[test]
    fn doubling_intervals_are_no_rhythm() {
        assert!(Rhythm::of(&calls([0, 1, 3, 7, 15, 31, 63, 127, 255].map(|s| s * 1_000)), &DEMANDS).is_none());
    }

    #[test]
    fn it_is_noticed_as_soon_as_it_is_one() {
        let rhythm = Rhythm::of(&calls((0..100).map(|n| n * 10_000)), &DEMANDS).unwrap();
        assert_eq!(rhythm.crossed, 60 * SECOND);
    }

    #[test]
    fn bowleys_skewness_by_hand() {
        // Quartiles 1, 2, 5: (5 + 1 - 4) / 4 = 0.5.
        assert_eq!(symmetry(&[1.0, 1.0, 2.0, 5.0, 9.0], 0.1), 0.5);
        // Median 2, deviations 1 1 0 3 7, their median 1.
        assert_eq!(steadiness(&[1.0, 1.0, 2.0, 5.0, 9.0]), 0.5);
    }
}
