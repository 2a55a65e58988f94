//! A panel: a value axis with round steps beside a field to draw in.

use super::canvas::{Align, Canvas, Frame};
use super::style::{GRID, HEADING, INK, LABEL, MUTED};
use super::time_axis::TimeAxis;

/// Pixels left of a panel, for the labels of its values.
pub const LABELS: f64 = 110.0;

/// Values from `low` to `high`, labelled at the multiples of `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    /// From zero to at least `max`, in about `steps` steps.
    pub fn from_zero(max: f64, steps: f64) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let step = round_step(max / steps);
        Self { low: 0.0, high: (max / step).ceil() * step, step }
    }

    /// Whole numbers around a range, with a little air.
    pub fn around(min: u32, max: u32, steps: f64) -> Self {
        let (min, max) = (f64::from(min), f64::from(max));
        let air = ((max - min) * 0.04).max(1.0);
        let (low, high) = ((min - air).max(0.0), max + air);
        Self { low, high, step: round_step((high - low) / steps).max(1.0) }
    }

    pub fn y(&self, value: f64, frame: Frame) -> f64 {
        frame.bottom - (value.clamp(self.low, self.high) - self.low) / (self.high - self.low) * (frame.bottom - frame.top)
    }

    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let (step, high) = (self.step, self.high * (1.0 + 1e-9));
        let first = (self.low / step).ceil() * step;
        (0_u32..64).map(move |index| step.mul_add(f64::from(index), first)).take_while(move |tick| *tick <= high)
    }
}

/// The next of 1, 2, 5, 10, 20, 50 … at or above `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

pub struct Panel {
    pub frame: Frame,
    pub scale: Scale,
}

impl Panel {
    /// Grid, labels and the heading above; what is drawn afterwards lies over it.
    pub fn draw(&self, canvas: &Canvas, heading: &str, time: &TimeAxis, label: impl Fn(f64) -> String) {
        let frame = self.frame;
        canvas.text(frame.left - LABELS, frame.top - 24.0, heading, HEADING, INK, Align::Left);
        time.grid(canvas, frame, GRID);
        for tick in self.scale.ticks() {
            let y = self.scale.y(tick, frame);
            canvas.path(&[(frame.left, y), (frame.right, y)], GRID, 1);
            canvas.text(frame.left - 12.0, y, &label(tick), LABEL, MUTED, Align::Right);
        }
    }

    pub fn y(&self, value: f64) -> f64 {
        self.scale.y(value, self.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_beyond_the_largest_value() {
        for (max, ticks) in [(10.0, vec![0.0, 5.0, 10.0]), (30_000.0, vec![0.0, 10_000.0, 20_000.0, 30_000.0]), (0.0, vec![0.0, 0.5, 1.0])]
        {
            assert_eq!(Scale::from_zero(max, 3.0).ticks().collect::<Vec<_>>(), ticks, "{max}");
        }
        assert!(Scale::from_zero(31_000.0, 3.0).high >= 31_000.0);
    }

    #[test]
    fn values_lie_in_proportion_and_never_outside() {
        let frame = Frame::new(0.0, 100.0, 10.0, 200.0);
        let scale = Scale::from_zero(10.0, 5.0);
        for (value, y) in [(0.0, 200.0), (5.0, 150.0), (10.0, 100.0), (99.0, 100.0)] {
            assert!((scale.y(value, frame) - y).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_single_port_gets_whole_numbers_around_it() {
        let ticks: Vec<f64> = Scale::around(22, 22, 6.0).ticks().collect();
        assert!(ticks.contains(&22.0) && ticks.iter().all(|tick| tick.fract() == 0.0), "{ticks:?}");
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        assert!(Scale::around(0, u32::MAX, 6.0).ticks().count() < 12);
        assert!(Scale::from_zero(u64::MAX as f64, 5.0).ticks().count() < 12);
    }
}
