//! A field to draw in, with labels around it.
//!
//! Marks are drawn in a picture that is stretched to the width there is; labels stand around it as text, so
//! that they keep their size on a phone. Lines and dots keep theirs, too (`non-scaling-stroke`).

use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::charts::canvas::Frame;
use super::super::charts::panel::Scale;
use super::super::charts::series::Column;
use super::super::charts::time_axis::TimeAxis;

/// Units of the picture. The width decides how many labels the time axis has.
pub const WIDTH: f64 = 720.0;
pub const HEIGHT: f64 = 200.0;
pub const FRAME: Frame = Frame::new(0.0, 0.0, WIDTH, HEIGHT);

/// A path of one class, which gives it its colour.
pub struct Shape {
    pub class: &'static str,
    pub path: String,
}

/// A horizontal line at a value, with its words.
pub struct Limit {
    pub y: f64,
    pub label: String,
}

pub struct Plot<'a> {
    /// What the picture shows, for those who do not see it.
    pub described: String,
    pub time: &'a TimeAxis,
    pub scale: &'a Scale,
    pub label: &'a dyn Fn(f64) -> String,
    /// Drawn in this order.
    pub shapes: Vec<Shape>,
    pub limit: Option<Limit>,
}

impl Plot<'_> {
    pub fn markup(&self) -> Markup {
        let grid = self.grid();
        html! {
            div.plot {
                div.values aria-hidden="true" {
                    @for value in self.scale.ticks() { span style=(format!("top:{:.1}%", self.scale.y(value, FRAME) / HEIGHT * 100.0)) { ((self.label)(value)) } }
                }
                div.field {
                    svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(self.described) {
                        path.grid d=(grid) {}
                        @for shape in self.shapes.iter().filter(|shape| !shape.path.is_empty()) { path class=(shape.class) d=(shape.path) {} }
                        @if let Some(limit) = &self.limit { path.limit d=(format!("M0 {:.1}H{WIDTH}", limit.y)) {} }
                    }
                    @if let Some(limit) = &self.limit { span.limit style=(format!("top:{:.1}%", limit.y / HEIGHT * 100.0)) { (limit.label) } }
                }
                div.moments aria-hidden="true" {
                    @for (x, label) in self.time.marks() { span class=[edge(x)] style=(format!("left:{:.2}%", x / WIDTH * 100.0)) { (label) } }
                }
            }
        }
    }

    fn grid(&self) -> String {
        let mut path = String::new();
        for value in self.scale.ticks() {
            // Writing to a String cannot fail.
            _ = write!(path, "M0 {:.1}H{WIDTH}", self.scale.y(value, FRAME));
        }
        path
    }
}

/// A label near an end of the axis keeps inside.
fn edge(x: f64) -> Option<&'static str> {
    match x / WIDTH {
        ..0.04 => Some("first"),
        0.96.. => Some("last"),
        _ => None,
    }
}

/// The bars of one part of a stack; `below` holds how high each column is already, and grows.
pub fn bars(columns: impl Iterator<Item = (f64, f64, f64)>, scale: &Scale, below: &mut [f64]) -> String {
    let mut path = String::new();
    for ((left, right, value), sum) in columns.zip(below) {
        if value <= 0.0 {
            continue;
        }
        let bottom = scale.y(*sum, FRAME);
        *sum += value;
        let top = scale.y(*sum, FRAME).min(bottom - 0.4);
        let gap = if right - left >= 8.0 { 1.0 } else { 0.0 };
        // Writing to a String cannot fail.
        _ = write!(path, "M{left:.1} {bottom:.1}V{top:.1}H{:.1}V{bottom:.1}z", right - gap);
    }
    path
}

/// The bars of the highest value in each column.
pub fn peaks<const N: usize>(columns: &[Column<N>], scale: &Scale) -> String {
    bars(columns.iter().map(|column| (column.left, column.right, column.peak)), scale, &mut vec![0.0; columns.len()])
}

/// Dots as lines of no length, whose round ends are seen.
pub fn dots(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in places {
        // Writing to a String cannot fail.
        _ = write!(path, "M{x:.0} {y:.0}h0");
    }
    path
}
