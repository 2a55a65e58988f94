//! The picture of a flood: packets and distinct sources per second, against the threshold.

use super::super::units::{count, counted};
use super::canvas::{Align, Canvas, Frame};
use super::evidence;
use super::panel::{LABELS, Panel, Scale};
use super::series::{Column, columns};
use super::style::{LABEL, LEFT, MUTED, PEAK, RIGHT, STRONG, TCP, THRESHOLD, VOLUME};
use super::time_axis::TimeAxis;
use crate::detect::{Alert, Rate};
use crate::time::{Nanos, SECOND};

const BOTTOM: f64 = 810.0;
/// A shorter flood is shown with quiet time around it.
const SHORTEST: Nanos = 10 * SECOND;

pub fn draw(canvas: &Canvas, alert: &Alert, rank: usize, unit: &str, threshold: f64, seconds: &[Rate]) {
    let top = evidence::head(canvas, alert, rank) + 56.0;
    let field = Frame::new(LEFT + LABELS, top, RIGHT, BOTTOM);
    let Some((start, end)) = range(seconds) else {
        canvas.notice("no packets");
        return;
    };
    let time = TimeAxis::new(start, end, field);
    let split = top + (BOTTOM - top) * 0.58;
    let packets = columns(seconds.iter().map(|rate| (rate.ts, [rate.packets])), 1, &time);
    let sources = columns(seconds.iter().map(|rate| (rate.ts, [rate.sources])), 1, &time);
    let upper = panel(Frame { bottom: split, ..field }, &packets, threshold);
    let lower = panel(Frame { top: split + 60.0, ..field }, &sources, 0.0);
    upper.draw(canvas, &heading(unit), &time, count);
    lower.draw(canvas, "Distinct sources per second", &time, count);
    bars(canvas, &packets, &upper, TCP);
    bars(canvas, &sources, &lower, VOLUME);
    // Some floods are judged by what a minute brings: then there is no line for a second.
    if threshold > 0.0 {
        limit(canvas, &upper, threshold);
    }
    legend(canvas, seconds, unit, top - 24.0, shares_columns(&packets));
    time.draw(canvas, BOTTOM);
}

/// From the first second to the last.
fn range(seconds: &[Rate]) -> Option<(Nanos, Nanos)> {
    let first = seconds.iter().map(|rate| rate.ts).min()?;
    let last = seconds.iter().map(|rate| rate.ts).max()?.saturating_add(SECOND);
    let around = ((SHORTEST - last.saturating_sub(first)) / 2 / SECOND).max(1) * SECOND;
    Some((first.saturating_sub(around), last.saturating_add(around)))
}

fn heading(unit: &str) -> String {
    unit.strip_suffix("/s").map_or_else(
        || format!("Packets ({unit})"),
        |what| {
            format!(
                "{}{} per second",
                what.chars().take(1).flat_map(char::to_uppercase).collect::<String>(),
                what.chars().skip(1).collect::<String>()
            )
        },
    )
}

fn panel(frame: Frame, columns: &[Column<1>], least: f64) -> Panel {
    Panel { frame, scale: Scale::from_zero(columns.iter().map(|column| column.peak).fold(least, f64::max), 4.0) }
}

fn bars(canvas: &Canvas, columns: &[Column<1>], panel: &Panel, color: plotters::style::RGBAColor) {
    for Column { left, right, mean: [mean], peak } in columns {
        let gap = if right - left >= 12.0 { 2.0 } else { 0.0 };
        let bar = |value: f64| Frame::new(*left, panel.y(value).min(panel.frame.bottom - 1.0), right - gap, panel.frame.bottom);
        if peak > mean {
            canvas.fill(bar(*peak), PEAK);
        }
        canvas.fill(bar(*mean), color);
    }
}

/// The line the values were held against, with its value; the label keeps inside the panel.
fn limit(canvas: &Canvas, panel: &Panel, threshold: f64) {
    let y = panel.y(threshold);
    canvas.dashes(panel.frame.left, panel.frame.right, y, THRESHOLD);
    let above = if y - 16.0 > panel.frame.top { y - 16.0 } else { y + 18.0 };
    canvas.plate(panel.frame.left + 10.0, above, &format!("threshold {}", count(threshold)), STRONG, THRESHOLD, Align::Left);
}

fn shares_columns(columns: &[Column<1>]) -> bool {
    columns.iter().any(|column| column.peak > column.mean.iter().sum::<f64>())
}

fn legend(canvas: &Canvas, seconds: &[Rate], unit: &str, y: f64, shared: bool) {
    let most = seconds.iter().map(|rate| rate.packets).max().unwrap_or(0);
    let sum = seconds.iter().fold(0_u64, |sum, rate| sum.saturating_add(rate.packets));
    let words = format!("at most {} {unit}  ·  {} in all", count(most as f64), counted(sum, "packet", "packets"));
    let entries = if shared { vec![(TCP, "mean".to_owned()), (PEAK, "peak".to_owned())] } else { Vec::new() };
    let right = RIGHT - super::canvas::legend_width(&entries, LABEL) - if shared { 30.0 } else { 0.0 };
    canvas.legend(RIGHT, y, &entries, LABEL);
    canvas.text(right, y, &words, STRONG, MUTED, Align::Right);
}
