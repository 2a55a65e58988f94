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
        canvas.diamond(time.x(probe.ts), panel.y(f64::from(probe.value)), 8.0, OPEN);
        first.entry(probe.value).and_modify(|ts| *ts = (*ts).min(probe.ts)).or_insert(probe.ts);
    }
    if !is_port {
        return;
    }
    let mut taken: Vec<Frame> = Vec::new();
    for (port, ts) in first {
        let (x, y, label) = (time.x(ts), panel.y(f64::from(port)), port.to_string());
        let place = label_place(x, y, text::width(&label, STRONG), panel.frame);
        if taken.iter().all(|other| apart(*other, place)) {
            canvas.plate(place.left + LABEL_AROUND, y, &label, STRONG, OPEN, Align::Left);
            taken.push(place);
        }
    }
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
