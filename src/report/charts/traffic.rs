//! `traffic.png`: packets and bits per second over time, and when the alerts were.

use plotters::style::RGBAColor;

use super::super::model::{Bucket, Report};
use super::super::summary::BySeverity;
use super::super::units::{bytes, count, counted, period, prefix, thousands, trimmed};
use super::canvas::{Align, Canvas, Frame, legend_width};
use super::lanes::Lanes;
use super::panel::{LABELS, Panel, Scale};
use super::series::{Column, columns, range};
use super::style::{HEADING, ICMP, INK, LABEL, LEFT, MUTED, OTHER, PEAK, RIGHT, STRONG, TCP, UDP, VOLUME, severity};
use super::time_axis::TimeAxis;
use crate::time::log_time;

const FIELD: Frame = Frame::new(LEFT + LABELS, 132.0, RIGHT, 810.0);

pub fn draw(canvas: &Canvas, report: &Report) {
    canvas.header(&format!("Traffic of {}", report.input), &subtitle(report));
    let Some((start, end)) = range(&report.timeline) else {
        canvas.notice("no packets");
        return;
    };
    let time = TimeAxis::new(start, end, FIELD);
    let below = alerts(canvas, report, &time);
    let (packets, bits) = panels(report, &time, below.top);
    draw_panels(canvas, report, &time, (packets, bits), &below.lanes);
    time.draw(canvas, FIELD.bottom);
}

/// The alerts above the panels, and where the panels may begin.
struct Above<'a> {
    lanes: Lanes<'a>,
    top: f64,
}

fn alerts<'a>(canvas: &Canvas, report: &'a Report, time: &TimeAxis) -> Above<'a> {
    let lanes = Lanes::arrange(&report.alerts, time, FIELD);
    if report.alerts.is_empty() {
        return Above { lanes, top: FIELD.top };
    }
    let legend: Vec<(RGBAColor, String)> =
        BySeverity::of(&report.alerts).present().map(|(level, number)| (severity(level), format!("{number} {}", level.name()))).collect();
    let used = canvas.text(LEFT, FIELD.top, "Alerts", HEADING, INK, Align::Left);
    if lanes.left_out() > 0 {
        let note = format!("worst first; {} more not shown", thousands(lanes.left_out() as u64));
        canvas.text(LEFT + used + 16.0, FIELD.top, &note, LABEL, MUTED, Align::Left);
    }
    canvas.legend(RIGHT, FIELD.top, &legend, LABEL);
    lanes.draw(canvas, FIELD.top + 18.0);
    let top = FIELD.top + 18.0 + lanes.height() + 24.0;
    Above { lanes, top }
}

struct Drawn {
    panel: Panel,
    columns: Vec<Column<4>>,
}

fn panels(report: &Report, time: &TimeAxis, top: f64) -> (Drawn, Drawn) {
    let rows = |values: fn(&Bucket) -> [u64; 4]| report.timeline.buckets.iter().map(move |bucket| (bucket.ts, values(bucket)));
    let width_s = report.timeline.width_s;
    let packets = columns(
        rows(|b| [b.tcp, b.udp, b.icmp, b.packets.saturating_sub(b.tcp.saturating_add(b.udp).saturating_add(b.icmp))]),
        width_s,
        time,
    );
    let bits = columns(rows(|b| [b.bytes.saturating_mul(8), 0, 0, 0]), width_s, time);
    let room = FIELD.bottom - top - 48.0 - 52.0;
    let first = Frame { top: top + 48.0, bottom: top + 48.0 + room * 0.6, ..FIELD };
    let second = Frame { top: first.bottom + 52.0, ..FIELD };
    let drawn = |frame, columns: Vec<Column<4>>| Drawn { panel: Panel { frame, scale: Scale::from_zero(highest(&columns), 4.0) }, columns };
    (drawn(first, packets), drawn(second, bits))
}

fn draw_panels(canvas: &Canvas, report: &Report, time: &TimeAxis, (packets, bits): (Drawn, Drawn), lanes: &Lanes) {
    let (factor, prefix) = prefix(highest(&bits.columns));
    packets.panel.draw(canvas, "Packets per second", time, count);
    bits.panel.draw(
        canvas,
        &format!("{} per second", if prefix.is_empty() { "Bits".to_owned() } else { format!("{prefix}bit") }),
        time,
        |value| trimmed(value / factor, 2),
    );
    let peaks = [&packets, &bits].into_iter().any(has_peaks);
    for drawn in [&packets, &bits] {
        lanes.tint(canvas, drawn.panel.frame);
        if peaks {
            peak_bars(canvas, drawn);
        }
    }
    stacked(canvas, &packets, [TCP, UDP, ICMP, OTHER]);
    stacked(canvas, &bits, [VOLUME; 4]);
    packets_legend(canvas, report, packets.panel.frame.top - 24.0, peaks);
}

fn packets_legend(canvas: &Canvas, report: &Report, y: f64, peaks: bool) {
    let buckets = &report.timeline.buckets;
    let named = [
        (TCP, "TCP", buckets.iter().any(|b| b.tcp > 0)),
        (UDP, "UDP", buckets.iter().any(|b| b.udp > 0)),
        (ICMP, "ICMP", buckets.iter().any(|b| b.icmp > 0)),
        (OTHER, "other", buckets.iter().any(|b| b.packets > b.tcp.saturating_add(b.udp).saturating_add(b.icmp))),
        (PEAK, "peak (colours: mean)", peaks),
    ];
    let entries: Vec<(RGBAColor, String)> =
        named.into_iter().filter(|(_, _, present)| *present).map(|(color, name, _)| (color, name.to_owned())).collect();
    canvas.legend(RIGHT, y, &entries, LABEL);
    if let Some(busiest) = buckets.iter().max_by_key(|bucket| (bucket.packets, std::cmp::Reverse(bucket.ts))) {
        let rate = busiest.packets as f64 / report.timeline.width_s.max(1) as f64;
        let right = RIGHT - legend_width(&entries, LABEL) - 40.0;
        let label = format!("busiest: {} packets/s at {} UTC", count(if rate < 10.0 { rate } else { rate.round() }), log_time(busiest.ts));
        canvas.text(right, y, &label, STRONG, MUTED, Align::Right);
    }
}

fn highest(columns: &[Column<4>]) -> f64 {
    columns.iter().map(|column| column.peak).fold(0.0, f64::max)
}

/// Peaks that stand out from the means by more than can be overlooked.
fn has_peaks(drawn: &Drawn) -> bool {
    let visible = highest(&drawn.columns) * 0.02;
    drawn.columns.iter().any(|column| column.peak - column.mean.iter().sum::<f64>() > visible)
}

fn peak_bars(canvas: &Canvas, drawn: &Drawn) {
    for column in &drawn.columns {
        let top = drawn.panel.y(column.peak);
        canvas.fill(Frame { left: column.left, right: column.right, top, bottom: drawn.panel.frame.bottom }, PEAK);
    }
}

/// The lowest part of a stack is the first; a bar is at least one pixel high.
fn stacked(canvas: &Canvas, drawn: &Drawn, colors: [RGBAColor; 4]) {
    for column in &drawn.columns {
        // Bars stand apart where they are wide enough to be counted.
        let gap = if column.right - column.left >= 12.0 { 2.0 } else { 0.0 };
        let (mut sum, mut bottom) = (0.0, drawn.panel.frame.bottom);
        for (value, color) in column.mean.iter().zip(colors).filter(|(value, _)| **value > 0.0) {
            sum += value;
            let top = drawn.panel.y(sum).min(drawn.panel.frame.bottom - 1.0).round();
            canvas.fill(Frame::new(column.left, top, column.right - gap, bottom), color);
            bottom = top;
        }
    }
}

fn subtitle(report: &Report) -> String {
    let (frames, wire) = (counted(report.accounting.frames, "packet", "packets"), bytes(report.accounting.wire_bytes));
    match report.span {
        Some((start, end)) => {
            format!("{frames}  ·  {wire}  ·  {}", period(start, end))
        }
        None => format!("{frames}  ·  {wire}"),
    }
}
