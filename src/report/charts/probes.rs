//! The picture of a scan: which port (or target) was tried when, and what was open.

use std::collections::{BTreeMap, BTreeSet};

use plotters::prelude::Color;

use super::super::units::count;
use super::axis::Dots;
use super::canvas::{Align, Canvas, Frame};
use super::evidence;
use super::panel::{LABELS, Panel, Scale};
use super::style::{LABEL, LEFT, OPEN, PROBE, RIGHT, STRONG};
use super::text;
use super::time_axis::TimeAxis;
use crate::detect::{Alert, Probe};
use crate::time::Nanos;

const BOTTOM: f64 = 810.0;
/// Labels of open ports need this much height each.
const LABEL_HEIGHT: f64 = 32.0;
/// And this much room on either side.
const LABEL_AROUND: f64 = 10.0;
/// Ports that one label names.
const NAMED: usize = 4;

pub fn draw(canvas: &Canvas, alert: &Alert, rank: usize, axis: &str, points: &[Probe]) {
    let top = evidence::head(canvas, alert, rank) + 56.0;
    let field = Frame::new(LEFT + LABELS, top, RIGHT, BOTTOM);
    let dots = Dots::of(axis);
    let Some((time, scale)) = axes(points, dots, field) else {
        canvas.notice("no probes");
        return;
    };
    let panel = Panel { frame: field, scale };
    panel.draw(canvas, &dots.heading(axis), &time, |value| dots.label(value));
    legend(canvas, points, dots, top - 24.0);
    tried(canvas, points, &panel, &time);
    open(canvas, points, &panel, &time, dots == Dots::Ports);
    time.draw(canvas, BOTTOM);
}

fn axes(points: &[Probe], dots: Dots, field: Frame) -> Option<(TimeAxis, Scale)> {
    let time = TimeAxis::around(points.iter().map(|probe| probe.ts), field)?;
    let values = || points.iter().map(|probe| probe.value);
    Some((time, dots.scale(values().min()?, values().max()?, 6.0)))
}

fn legend(canvas: &Canvas, points: &[Probe], dots: Dots, y: f64) {
    let open = points.iter().filter(|probe| probe.open).count();
    let mut entries = vec![(PROBE, format!("{} {}", count(points.len() as f64), dots.tried()))];
    if open > 0 {
        entries.push((OPEN, format!("{} {}", count(open as f64), dots.answered())));
    }
    canvas.legend(RIGHT, y, &entries, LABEL);
}

/// Probes that fall on the same spot are drawn once.
fn tried(canvas: &Canvas, points: &[Probe], panel: &Panel, time: &TimeAxis) {
    let (radius, color) = if points.len() > 3_000 { (2, PROBE.mix(0.7)) } else { (3, PROBE.mix(0.8)) };
    let spots: BTreeSet<(i32, i32)> =
        points.iter().filter(|probe| !probe.open).map(|probe| spot(time.x(probe.ts), panel.y(f64::from(probe.value)))).collect();
    for (x, y) in spots {
        canvas.dot(f64::from(x), f64::from(y), radius, color);
    }
}

/// Open ports lie on top, each with its number once, as far as there is room.
fn open(canvas: &Canvas, points: &[Probe], panel: &Panel, time: &TimeAxis, is_port: bool) {
    let mut first: BTreeMap<u32, Nanos> = BTreeMap::new();
    for probe in points.iter().filter(|probe| probe.open) {
        first.entry(probe.value).and_modify(|ts| *ts = (*ts).min(probe.ts)).or_insert(probe.ts);
    }
    if is_port {
        labels(first.into_iter().map(|(port, ts)| (port, time.x(ts), panel.y(f64::from(port)))), panel.frame)
            .iter()
            .for_each(|label| canvas.plate(label.place.left + LABEL_AROUND, label.y, &label.text(), STRONG, OPEN, Align::Left));
    }
    for probe in points.iter().filter(|probe| probe.open) {
        canvas.diamond(time.x(probe.ts), panel.y(f64::from(probe.value)), 8.0, OPEN);
    }
}

/// The numbers of open ports that lie together.
struct Label {
    ports: Vec<u32>,
    /// The rightmost of their marks.
    x: f64,
    y: f64,
    place: Frame,
}

impl Label {
    fn of(ports: Vec<u32>, x: f64, y: f64, field: Frame) -> Self {
        let mut label = Self { ports, x, y, place: field };
        label.place = label_place(x, y, text::width(&label.text(), STRONG), field);
        label
    }

    fn text(&self) -> String {
        let named: Vec<String> = self.ports.iter().take(NAMED).map(u32::to_string).collect();
        format!("{}{}", named.join(", "), if self.ports.len() > NAMED { " …" } else { "" })
    }
}

/// A port whose label would lie on another's is named there.
fn labels(open: impl Iterator<Item = (u32, f64, f64)>, field: Frame) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for (port, x, y) in open {
        let new = Label::of(vec![port], x, y, field);
        match labels.iter().position(|other| !apart(other.place, new.place)) {
            Some(place) => {
                let other = labels.swap_remove(place);
                let ports = [other.ports, vec![port]].concat();
                labels.push(Label::of(ports, other.x.max(x), other.y, field));
            }
            None => labels.push(new),
        }
    }
    labels
}

/// Right of the mark, or left of it at the end of the chart.
fn label_place(x: f64, y: f64, width: f64, field: Frame) -> Frame {
    let left = if x + 16.0 + width <= field.right { x + 16.0 } else { x - 16.0 - width };
    Frame::new(left - LABEL_AROUND, y - LABEL_HEIGHT / 2.0, left + width + LABEL_AROUND, y + LABEL_HEIGHT / 2.0)
}

fn apart(a: Frame, b: Frame) -> bool {
    a.right < b.left || b.right < a.left || a.bottom <= b.top || b.bottom <= a.top
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a chart")]
fn spot(x: f64, y: f64) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: Frame = Frame::new(100.0, 100.0, 1_500.0, 800.0);

    #[test]
    fn open_ports_that_lie_together_share_a_label_and_none_is_lost() {
        let labels = labels([(22, 1_000.0, 798.0), (80, 1_006.0, 794.0), (443, 300.0, 770.0)].into_iter(), FIELD);
        let mut texts: Vec<String> = labels.iter().map(Label::text).collect();
        texts.sort();
        assert_eq!(texts, ["22, 80", "443"]);
        assert!(labels.iter().all(|label| label.place.left > 300.0), "right of the marks");
    }

    #[test]
    fn a_label_names_four_ports_and_says_that_there_are_more() {
        let labels = labels((1..=9).map(|port| (port, 500.0, 500.0)), FIELD);
        assert_eq!(labels.iter().map(Label::text).collect::<Vec<_>>(), ["1, 2, 3, 4 …"]);
    }
}
