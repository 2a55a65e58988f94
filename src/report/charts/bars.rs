//! Rows of horizontal bars: a label, one or two bars, and the values in words.

use plotters::style::RGBAColor;

use super::canvas::{Align, Canvas, Frame};
use super::style::{INK, LABEL, MUTED, SHADE, Type};
use super::text;

pub struct Row {
    pub label: String,
    /// A dot before the label.
    pub dot: Option<RGBAColor>,
    pub bars: Vec<Bar>,
    /// Parts of one bar, one after the other, instead of bars below each other.
    pub stacked: bool,
    /// What stands behind the bars, one line for each bar, or one for a stacked one.
    pub values: Vec<String>,
}

pub struct Bar {
    pub share: f64,
    pub color: RGBAColor,
}

const TALLEST: f64 = 72.0;
const LABEL_LIMIT: f64 = 0.42;
const APART: f64 = 14.0;

/// Draws rows from the top of `frame`; they shrink where there are many. Returns nothing of them when
/// there are none.
pub fn draw(canvas: &Canvas, rows: &[Row], frame: Frame) {
    let height = ((frame.bottom - frame.top) / rows.len().max(1) as f64).min(TALLEST);
    let dots = if rows.iter().any(|row| row.dot.is_some()) { 22.0 } else { 0.0 };
    let labels = widest(rows.iter().map(|row| row.label.as_str()), LABEL).min(frame.width() * LABEL_LIMIT);
    let values = widest(rows.iter().flat_map(|row| &row.values).map(String::as_str), LABEL);
    let field = Frame { left: frame.left + dots + labels + APART, right: frame.right - values - APART, ..frame };
    for (index, row) in rows.iter().enumerate() {
        let top = frame.top + index as f64 * height;
        let middle = top + height / 2.0;
        if let Some(color) = row.dot {
            canvas.dot(frame.left + 8.0, middle, 7, color);
        }
        let label = text::fit(&row.label, LABEL, labels);
        canvas.text(field.left - APART, middle, &label, LABEL, INK, Align::Right);
        let bar = Frame { top: top + height * 0.12, bottom: top + height * 0.88, ..field };
        if row.stacked { one_bar(canvas, row, bar) } else { bars_below(canvas, row, bar) }
    }
}

fn one_bar(canvas: &Canvas, row: &Row, field: Frame) {
    canvas.fill(field, SHADE);
    let mut left = field.left;
    for bar in &row.bars {
        // What is there is seen.
        let least = if bar.share > 0.0 { 1.0 } else { 0.0 };
        let right = (left + (bar.share * field.width()).max(least)).min(field.right);
        canvas.fill(Frame { left, right, ..field }, bar.color);
        left = right;
    }
    let middle = f64::midpoint(field.top, field.bottom);
    canvas.text(field.right + APART, middle, &row.values.join("  ·  "), LABEL, MUTED, Align::Left);
}

fn bars_below(canvas: &Canvas, row: &Row, field: Frame) {
    let height = (field.bottom - field.top) / row.bars.len().max(1) as f64;
    for (index, (bar, value)) in row.bars.iter().zip(&row.values).enumerate() {
        let top = field.top + index as f64 * height;
        let bottom = top + height - 2.0;
        canvas.fill(Frame { top, bottom, ..field }, SHADE);
        // What is there is seen.
        let length = (bar.share * field.width()).max(if bar.share > 0.0 { 2.0 } else { 0.0 });
        canvas.fill(Frame { top, bottom, right: field.left + length.min(field.width()), ..field }, bar.color);
        canvas.text(field.right + APART, f64::midpoint(top, bottom), value, LABEL, MUTED, Align::Left);
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>, style: Type) -> f64 {
    texts.map(|text| text::width(text, style)).fold(0.0, f64::max)
}
