//! Traffic over time, with the findings marked above it.

use maud::{Markup, html};

use super::super::charts::panel::Scale;
use super::super::charts::series::{Column, columns, range};
use super::super::charts::time_axis::TimeAxis;
use super::super::escape::visible;
use super::super::model::{Bucket, Report};
use super::super::units::{bytes, count, counted, period, prefix, thousands, trimmed};
use super::plot::{FRAME, Plot, Shape, WIDTH, bars, peaks};
use super::view::{View, badge};
use crate::detect::{Alert, Severity};
use crate::time::{Nanos, log_time};

/// Findings with a line of their own; the others share one.
const LANES: usize = 8;
/// More cannot be told apart.
const TICKS: usize = 400;
const PARTS: [(&str, &str); 4] = [("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP"), ("other", "other")];

pub fn traffic(view: &View) -> Markup {
    let report = view.report;
    html! {
        section #traffic {
            h2 { "Traffic over time" }
            @if let Some((start, end)) = range(&report.timeline) {
                @let time = TimeAxis::new(start, end, FRAME);
                p.muted {
                    (counted(report.accounting.frames, "packet", "packets")) ", " (bytes(report.accounting.wire_bytes))
                    @if let Some((start, end)) = report.span { ", " (period(start, end)) }
                }
                (lanes(&report.alerts, &time))
                (packets(report, &time))
                (bits(report, &time))
            } @else { p { "There is no traffic to draw." } }
        }
    }
}

/// The worst findings, each with a line and its title, in the order of time; the others as ticks.
fn lanes(alerts: &[Alert], time: &TimeAxis) -> Markup {
    let mut shown: Vec<(usize, &Alert)> = alerts.iter().enumerate().take(LANES).collect();
    shown.sort_by_key(|(rank, alert)| (alert.first_seen, *rank));
    let others = alerts.get(LANES..).unwrap_or_default();
    html! {
        @if !alerts.is_empty() {
            div.lanes {
                @for (rank, alert) in shown { (lane(rank, alert, time)) }
                @if !others.is_empty() {
                    div.lane {
                        div.track { @for alert in others.iter().take(TICKS) { span class=(format!("mark {}", alert.severity.name())) style=(place(alert, time)) {} } }
                        span.caption { (thousands(others.len() as u64)) " more, less severe" }
                    }
                }
            }
        }
    }
}

fn lane(rank: usize, alert: &Alert, time: &TimeAxis) -> Markup {
    html! {
            div.lane {
    a.caption href=(format!("#finding-{}", rank + 1)) { (badge(alert.severity)) " #" (rank + 1) " " (visible(&alert.title)) }
                div.track { span class=(format!("mark {}", alert.severity.name())) style=(place(alert, time)) {} }
            }
        }
}

/// Where a mark lies; its least width is a matter of style.
fn place(alert: &Alert, time: &TimeAxis) -> String {
    let share = |at: Nanos| time.x(at) / WIDTH * 100.0;
    let (left, right) = (share(alert.first_seen), share(alert.last_seen));
    format!("left:{left:.2}%;width:{:.2}%", (right - left).max(0.0))
}

fn packets(report: &Report, time: &TimeAxis) -> Markup {
    let parts = |b: &Bucket| [b.tcp, b.udp, b.icmp, b.packets.saturating_sub(b.tcp.saturating_add(b.udp).saturating_add(b.icmp))];
    let rows = report.timeline.buckets.iter().map(|bucket| (bucket.ts, parts(bucket)));
    let columns = columns(rows, report.timeline.width_s, time);
    let busiest = report.timeline.buckets.iter().max_by_key(|bucket| (bucket.packets, std::cmp::Reverse(bucket.ts)));
    let present: Vec<(&str, &str)> = PARTS
        .into_iter()
        .enumerate()
        .filter(|(part, _)| columns.iter().any(|column| column.mean.get(*part).is_some_and(|mean| *mean > 0.0)))
        .map(|(_, named)| named)
        .collect();
    html! {
        figure {
            figcaption {
                strong { "Packets per second" } " "
                @for (class, name) in present { span.key { span class=(format!("dot {class}")) {} (name) } }
                span.key { span class="dot peak" {} "peak" }
                @if let Some(busiest) = busiest {
                    span.muted { "busiest: " (count((busiest.packets as f64 / report.timeline.width_s.max(1) as f64).round())) "/s at " (log_time(busiest.ts)) }
                }
            }
            (stacked(&columns, report, time, "Packets per second over time", &PARTS.map(|(class, _)| class), &count))
        }
    }
}

fn bits(report: &Report, time: &TimeAxis) -> Markup {
    let rows = report.timeline.buckets.iter().map(|bucket| (bucket.ts, [bucket.bytes.saturating_mul(8)]));
    let columns = columns(rows, report.timeline.width_s, time);
    let (factor, prefix) = prefix(highest(&columns));
    html! {
        figure.flat {
            figcaption { strong { @if prefix.is_empty() { "Bits" } @else { (prefix) "bit" } " per second" } }
            (stacked(&columns, report, time, "Bits per second over time", &["volume"], &|value| trimmed(value / factor, 2)))
        }
    }
}

fn highest<const N: usize>(columns: &[Column<N>]) -> f64 {
    columns.iter().map(|column| column.peak).fold(0.0, f64::max)
}

fn stacked<const N: usize>(
    columns: &[Column<N>],
    report: &Report,
    time: &TimeAxis,
    described: &str,
    classes: &[&'static str],
    label: &dyn Fn(f64) -> String,
) -> Markup {
    let scale = Scale::from_zero(highest(columns), 4.0);
    let mut shapes = tints(&report.alerts, time);
    shapes.push(Shape { class: "peak", path: peaks(columns, &scale) });
    let mut below = vec![0.0; columns.len()];
    for (part, class) in classes.iter().enumerate() {
        let values = columns.iter().map(|column| (column.left, column.right, column.mean.get(part).copied().unwrap_or(0.0)));
        shapes.push(Shape { class, path: bars(values, &scale, &mut below) });
    }
    Plot { described: described.to_owned(), time, scale: &scale, label, shapes, limit: None }.markup()
}

/// A tint where the worst findings were. Those that last as long as the capture would tint everything.
fn tints(alerts: &[Alert], time: &TimeAxis) -> Vec<Shape> {
    let worst = alerts.iter().take(LANES).filter(|alert| alert.severity >= Severity::Medium);
    let places = worst.map(|alert| (alert.severity, time.x(alert.first_seen), time.x(alert.last_seen).max(time.x(alert.first_seen) + 2.0)));
    let brief = places.filter(|(_, left, right)| right - left <= WIDTH * 0.9);
    brief
        .map(|(severity, left, right)| Shape {
            class: match severity {
                Severity::Critical => "tint critical",
                Severity::High => "tint high",
                _ => "tint medium",
            },
            path: format!("M{left:.1} 0H{right:.1}V{:.0}H{left:.1}z", super::plot::HEIGHT),
        })
        .collect()
}
