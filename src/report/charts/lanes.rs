//! Lanes above a time chart: when each alert was, in the colour of its severity, with a short label.
//!
//! Alerts are placed worst first, each in the first lane with room. Where no lane has room for the
//! label, the bar has its number alone, or nothing; where none has room for the bar, the alert is only
//! counted.

use plotters::prelude::Color;

use super::canvas::{Align, Canvas, Frame};
use super::style::{INK, LABEL, MUTED, severity};
use super::text;
use super::time_axis::TimeAxis;
use crate::detect::{Alert, Severity};

pub const LANE: f64 = 28.0;
const LANES: usize = 6;
/// More cannot be told apart.
const CONSIDERED: usize = 400;
const SHORTEST: f64 = 8.0;
const BESIDE: f64 = 6.0;
const APART: f64 = 14.0;

/// The place of one alert.
#[derive(Clone, Debug)]
struct Mark<'a> {
    alert: &'a Alert,
    lane: usize,
    /// The bar.
    left: f64,
    right: f64,
    label: Option<(f64, String)>,
    /// What bar and label take up.
    taken: (f64, f64),
}

pub struct Lanes<'a> {
    marks: Vec<Mark<'a>>,
    rows: usize,
    left_out: usize,
}

impl<'a> Lanes<'a> {
    pub fn arrange(alerts: &'a [Alert], time: &TimeAxis, frame: Frame) -> Self {
        let mut marks: Vec<Mark> = Vec::new();
        for (index, alert) in alerts.iter().take(CONSIDERED).enumerate() {
            let bare = bar(alert, time, frame);
            let rank = (index + 1).to_string();
            let labels = [format!("{rank} {}", spoken(alert.kind)), rank];
            let labelled = labels.iter().find_map(|label| placed(with_label(&bare, label, frame)?, &marks));
            marks.extend(labelled.or_else(|| placed(bare, &marks)));
        }
        let rows = marks.iter().map(|mark| mark.lane + 1).max().unwrap_or(0);
        let left_out = alerts.len() - marks.len();
        Self { marks, rows, left_out }
    }

    pub fn height(&self) -> f64 {
        self.rows as f64 * LANE
    }

    /// Alerts for which there was no room.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    pub fn draw(&self, canvas: &Canvas, top: f64) {
        for mark in &self.marks {
            let middle = top + (mark.lane as f64 + 0.5) * LANE;
            let bar = Frame::new(mark.left, middle - 9.0, mark.right, middle + 9.0);
            canvas.fill(bar, severity(mark.alert.severity));
            canvas.outline(bar, MUTED.mix(0.6));
            if let Some((left, label)) = &mark.label {
                canvas.text(*left, middle, label, LABEL, INK, Align::Left);
            }
        }
    }

    /// Tints `frame` where the alerts of medium severity and above are, in the colour of the worst at
    /// each place. Alerts that last as long as the capture would tint everything and say nothing.
    pub fn tint(&self, canvas: &Canvas, frame: Frame) {
        let lasting = |mark: &&Mark| mark.right - mark.left > frame.width() * 0.9;
        let shown = || self.marks.iter().filter(|mark| mark.alert.severity >= Severity::Medium && !lasting(mark));
        let mut edges: Vec<f64> = shown().flat_map(|mark| [mark.left, mark.right]).collect();
        edges.sort_by(f64::total_cmp);
        let worst =
            |left: f64, right: f64| shown().filter(|mark| mark.left <= left && right <= mark.right).map(|mark| mark.alert.severity).max();
        let pieces: Vec<(f64, f64, Option<Severity>)> =
            edges.iter().zip(edges.iter().skip(1)).map(|(left, right)| (*left, *right, worst(*left, *right))).collect();
        // Pieces of one colour are drawn as one: no seams.
        for run in pieces.chunk_by(|a, b| a.2 == b.2) {
            if let (Some((left, _, Some(worst))), Some((_, right, _))) = (run.first(), run.last()) {
                canvas.fill(Frame { left: *left, right: *right, ..frame }, severity(*worst).mix(0.14));
            }
        }
    }
}

/// The type of an alert as people write it: `syn_flood` is a SYN flood.
fn spoken(kind: &str) -> String {
    const ACRONYMS: [&str; 10] = ["arp", "dga", "dhcp", "dns", "http", "icmp", "ip", "syn", "tcp", "udp"];
    let words: Vec<String> =
        kind.split('_').map(|word| if ACRONYMS.contains(&word) { word.to_uppercase() } else { word.to_owned() }).collect();
    words.join(" ")
}

fn bar<'a>(alert: &'a Alert, time: &TimeAxis, frame: Frame) -> Mark<'a> {
    let (left, right) = (time.x(alert.first_seen), time.x(alert.last_seen));
    let left = left.min(frame.right - SHORTEST).max(frame.left);
    let right = right.max(left + SHORTEST);
    Mark { alert, lane: 0, left, right, label: None, taken: (left, right) }
}

/// The label goes to the right of the bar, or to its left where the chart ends.
fn with_label<'a>(bare: &Mark<'a>, label: &str, frame: Frame) -> Option<Mark<'a>> {
    let width = text::width(label, LABEL);
    let (left, taken) = if bare.right + BESIDE + width <= frame.right {
        (bare.right + BESIDE, (bare.left, bare.right + BESIDE + width))
    } else if bare.left - BESIDE - width >= frame.left {
        (bare.left - BESIDE - width, (bare.left - BESIDE - width, bare.right))
    } else if bare.right - bare.left >= width + 2.0 * BESIDE {
        (bare.left + BESIDE, bare.taken)
    } else {
        return None;
    };
    Some(Mark { label: Some((left, label.to_owned())), taken, ..bare.clone() })
}

/// In the first lane where it is apart from everything.
fn placed<'a>(mark: Mark<'a>, marks: &[Mark]) -> Option<Mark<'a>> {
    let apart = |other: &Mark| mark.taken.1 + APART <= other.taken.0 || other.taken.1 + APART <= mark.taken.0;
    let lane = (0..LANES).find(|lane| marks.iter().filter(|other| other.lane == *lane).all(apart))?;
    Some(Mark { lane, ..mark })
}

#[cfg(test)]
mod tests {
    use super::super::super::example;
    use super::*;
    use crate::time::SECOND;

    const FRAME: Frame = Frame::new(150.0, 0.0, 1550.0, 0.0);

    fn arranged(alerts: &[Alert]) -> Lanes<'_> {
        let time = TimeAxis::new(example::START, example::START + 60 * SECOND, FRAME);
        Lanes::arrange(alerts, &time, FRAME)
    }

    fn alerts(count: i64, apart: i64) -> Vec<Alert> {
        (0..count)
            .map(|n| example::alert("port_scan", Severity::High, example::START + n * apart, example::START + n * apart + SECOND))
            .collect()
    }

    #[test]
    fn marks_and_labels_of_a_lane_never_overlap() {
        for (count, apart) in [(1, 0), (20, SECOND / 4), (60, SECOND), (500, SECOND / 10)] {
            let alerts = alerts(count, apart);
            let lanes = arranged(&alerts);
            for (index, a) in lanes.marks.iter().enumerate() {
                assert!(a.taken.0 >= FRAME.left - 0.001 && a.taken.1 <= FRAME.right + 0.001, "inside the chart");
                for b in lanes.marks.iter().skip(index + 1).filter(|b| b.lane == a.lane) {
                    assert!(a.taken.1 < b.taken.0 || b.taken.1 < a.taken.0, "{count} alerts");
                }
            }
        }
    }

    #[test]
    fn every_alert_is_drawn_or_counted() {
        for count in [0, 3, 500] {
            let alerts = alerts(count, SECOND / 10);
            let lanes = arranged(&alerts);
            assert_eq!(lanes.marks.len() + lanes.left_out(), alerts.len());
        }
    }

    #[test]
    fn the_worst_alert_has_its_label() {
        let alerts = alerts(20, SECOND / 4);
        assert_eq!(arranged(&alerts).marks[0].label.as_ref().unwrap().1, "1 port scan");
    }
}
