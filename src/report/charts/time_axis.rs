//! The time axis: where a moment lies, and which moments are worth a label.
//!
//! UTC, like every time of a report.

use chrono::{DateTime, Utc};

use super::canvas::{Align, Canvas, Frame};
use super::style::{AXIS, LABEL, MUTED, WIDTH};
use super::text;
use crate::time::{HOUR, MICROSECOND, MILLISECOND, MINUTE, Nanos, SECOND};

const DAY: Nanos = 24 * HOUR;

/// Steps between labels that people count in.
const STEPS: [Nanos; 55] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    MICROSECOND,
    2 * MICROSECOND,
    5 * MICROSECOND,
    10 * MICROSECOND,
    20 * MICROSECOND,
    50 * MICROSECOND,
    100 * MICROSECOND,
    200 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2 * MILLISECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    20 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    200 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    180 * DAY,
    365 * DAY,
    1_825 * DAY,
    3_650 * DAY,
    36_500 * DAY,
];

/// Least room between two labels, pixels.
const GAP: f64 = 44.0;

/// A range of time along a horizontal line.
#[derive(Clone, Copy, Debug)]
pub struct TimeAxis {
    start: Nanos,
    end: Nanos,
    left: f64,
    right: f64,
}

impl TimeAxis {
    /// From `start` to `end`, at least a microsecond, in the width of `frame`.
    pub fn new(start: Nanos, end: Nanos, frame: Frame) -> Self {
        let end = end.max(start.saturating_add(MICROSECOND));
        let start = start.min(end.saturating_sub(MICROSECOND));
        Self { start, end, left: frame.left, right: frame.right }
    }

    /// The range of some moments with a little air on both sides; a single moment gets a second.
    pub fn around(moments: impl Iterator<Item = Nanos> + Clone, frame: Frame) -> Option<Self> {
        let (first, last) = (moments.clone().min()?, moments.max()?);
        let air = (last.saturating_sub(first) / 50).max(MICROSECOND);
        let air = if first == last { SECOND / 2 } else { air };
        Some(Self::new(first.saturating_sub(air), last.saturating_add(air), frame))
    }

    /// Pixels from the left edge of the chart; moments outside of the range go to its ends.
    pub fn x(&self, at: Nanos) -> f64 {
        let share = since(self.start, at.clamp(self.start, self.end)) / since(self.start, self.end);
        self.left + share * (self.right - self.left)
    }

    /// Seconds that one pixel stands for.
    pub fn seconds_per_pixel(&self) -> f64 {
        since(self.start, self.end) / SECOND as f64 / (self.right - self.left)
    }

    /// Labelled moments, at the smallest step whose labels do not touch.
    fn ticks(&self) -> (Vec<Nanos>, Nanos) {
        let per_nano = (self.right - self.left) / since(self.start, self.end);
        let fits = |step: &&Nanos| text::width(&time_label(self.end, **step), LABEL) + GAP <= **step as f64 * per_nano;
        let step = STEPS.iter().find(fits).copied().unwrap_or(36_500 * DAY);
        let first = i128::from(self.start).div_euclid(i128::from(step)) * i128::from(step);
        let mut ticks = Vec::new();
        let mut tick = first;
        while tick <= i128::from(self.end) {
            if tick >= i128::from(self.start) {
                ticks.extend(Nanos::try_from(tick));
            }
            tick += i128::from(step);
        }
        (ticks, step)
    }

    /// Labelled moments: where, and what is written there.
    pub fn marks(&self) -> Vec<(f64, String)> {
        let (ticks, step) = self.ticks();
        ticks.into_iter().map(|tick| (self.x(tick), time_label(tick, step))).collect()
    }

    /// Marks and labels below `y`: times on a first line, and on a second the day wherever it begins.
    pub fn draw(&self, canvas: &Canvas, y: f64) {
        canvas.path(&[(self.left, y), (self.right, y)], AXIS, 1);
        let (ticks, step) = self.ticks();
        let mut day = None;
        for tick in ticks {
            let x = self.x(tick);
            canvas.path(&[(x, y), (x, y + 6.0)], AXIS, 1);
            centred(canvas, x, y + 20.0, &time_label(tick, step));
            let today = tick.div_euclid(DAY);
            if step < DAY && day.replace(today) != Some(today) {
                centred(canvas, x, y + 44.0, &format(tick, "%Y-%m-%d"));
            }
        }
        canvas.text(self.right, y + 68.0, "Time (UTC)", LABEL, MUTED, Align::Right);
    }

    /// Faint vertical lines at the labelled moments.
    pub fn grid(&self, canvas: &Canvas, frame: Frame, color: plotters::style::RGBAColor) {
        for tick in self.ticks().0 {
            let x = self.x(tick);
            canvas.path(&[(x, frame.top), (x, frame.bottom)], color, 1);
        }
    }
}

/// Under its mark, and never beyond the edges of the chart.
fn centred(canvas: &Canvas, x: f64, y: f64, label: &str) {
    let half = text::width(label, LABEL) / 2.0 + 4.0;
    canvas.text(x.clamp(half, f64::from(WIDTH) - half), y, label, LABEL, MUTED, Align::Center);
}

/// Without overflow, whatever the two moments are.
fn since(start: Nanos, end: Nanos) -> f64 {
    (i128::from(end) - i128::from(start)) as f64
}

/// As precise as the step asks for.
fn time_label(at: Nanos, step: Nanos) -> String {
    match step {
        ..MICROSECOND => format(at, "%H:%M:%S%.9f"),
        MICROSECOND..MILLISECOND => format(at, "%H:%M:%S%.6f"),
        MILLISECOND..SECOND => format(at, "%H:%M:%S%.3f"),
        SECOND..MINUTE => format(at, "%H:%M:%S"),
        MINUTE..DAY => format(at, "%H:%M"),
        _ => format(at, "%Y-%m-%d"),
    }
}

fn format(at: Nanos, form: &str) -> String {
    DateTime::<Utc>::from_timestamp_nanos(at).format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame::new(100.0, 0.0, 1500.0, 0.0);
    const START: Nanos = 1_691_247_811 * SECOND;

    fn labels(span: Nanos) -> Vec<String> {
        let (ticks, step) = TimeAxis::new(START, START + span, FRAME).ticks();
        ticks.into_iter().map(|tick| time_label(tick, step)).collect()
    }

    #[test]
    fn moments_are_placed_in_proportion_and_kept_inside() {
        let axis = TimeAxis::new(START, START + 10 * SECOND, FRAME);
        for (second, x) in [(0, 100.0), (5, 800.0), (10, 1500.0), (-3, 100.0), (99, 1500.0)] {
            assert!((axis.x(START + second * SECOND) - x).abs() < 1e-6, "{second}");
        }
    }

    #[test]
    fn labels_are_as_precise_as_the_span_needs() {
        assert_eq!(labels(10 * SECOND)[..2], ["15:03:31", "15:03:32"]);
        assert_eq!(labels(SECOND / 2)[1], "15:03:31.100");
        assert!(labels(20 * HOUR).contains(&"18:00".to_owned()));
        assert_eq!(labels(7 * DAY)[..2], ["00:00", "12:00"]);
        assert_eq!(labels(20 * DAY)[0], "2023-08-07");
    }

    #[test]
    fn labels_never_touch_and_are_never_missing() {
        for span in
            [1, 999, MICROSECOND, 26 * MICROSECOND, 7 * MILLISECOND, SECOND, 77 * SECOND, HOUR, 31 * HOUR, 9 * DAY, 400 * DAY, 30_000 * DAY]
        {
            let axis = TimeAxis::new(START, START + span, FRAME);
            let (ticks, step) = axis.ticks();
            assert!((2..=16).contains(&ticks.len()), "{span}: {} labels", ticks.len());
            for pair in ticks.windows(2) {
                let room = axis.x(pair[1]) - axis.x(pair[0]);
                assert!(text::width(&time_label(pair[0], step), LABEL) < room, "{span}");
            }
        }
    }

    #[test]
    fn both_ends_of_the_range_of_time_can_be_drawn() {
        let axis = TimeAxis::new(Nanos::MIN, Nanos::MAX, FRAME);
        assert!(!axis.ticks().0.is_empty());
        assert!((axis.x(0) - 800.0).abs() < 1.0);
        assert!(TimeAxis::around([Nanos::MAX].into_iter(), FRAME).is_some());
        assert!(TimeAxis::new(Nanos::MAX, Nanos::MAX, FRAME).x(Nanos::MAX) <= 1500.0);
    }

    #[test]
    fn nothing_has_no_axis() {
        assert!(TimeAxis::around(std::iter::empty(), FRAME).is_none());
    }
}
