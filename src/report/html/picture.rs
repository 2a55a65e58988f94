//! The small chart of one finding: its probes, its seconds, or what was measured against the threshold.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::charts::axis::Dots;
use super::super::charts::panel::Scale;
use super::super::charts::series::columns;
use super::super::charts::time_axis::TimeAxis;
use super::super::escape::visible;
use super::super::units::{count, number, thousands};
use super::plot::{FRAME, HEIGHT, Limit, Plot, Shape, WIDTH, bars, dots, peaks};
use super::words::sentence;
use crate::detect::{Alert, Measured, Picture, Probe, Rate};
use crate::time::{Nanos, SECOND};

/// Places across and down at which probes are told apart: what a small chart shows, and a bound on its size.
const SPOTS: (f64, f64) = (120.0, 50.0);

pub fn picture(alert: &Alert) -> Markup {
    match &alert.picture {
        Picture::None => html! {},
        Picture::Probes { axis, points } => probes(axis, points),
        Picture::Rates { unit, threshold, seconds } => rates(unit, *threshold, seconds),
    }
}

fn probes(axis: &str, points: &[Probe]) -> Markup {
    let values = || points.iter().map(|probe| probe.value);
    let (Some(time), Some(min), Some(max)) = (TimeAxis::around(points.iter().map(|probe| probe.ts), FRAME), values().min(), values().max())
    else {
        return html! {};
    };
    let dots_are = Dots::of(axis);
    let scale = dots_are.scale(min, max, 4.0);
    let answered = points.iter().filter(|probe| probe.open).count();
    let spots = |open: bool| {
        let places = points.iter().filter(|probe| probe.open == open).map(|probe| spot(&time, &scale, probe));
        dots(places.collect::<BTreeSet<(u16, u16)>>().into_iter().map(|(x, y)| (f64::from(x), f64::from(y))))
    };
    let (all, what) = (dots_are.tried(), dots_are.answered());
    let caption = format!("{}: {} {all}", dots_are.heading(axis), thousands(points.len() as u64));
    let caption = if answered > 0 { format!("{caption}, {} {what}", thousands(answered as u64)) } else { caption };
    let label = |value: f64| dots_are.label(value);
    let shapes = vec![Shape { class: "probe", path: spots(false) }, Shape { class: "open", path: spots(true) }];
    let plot = Plot { described: visible(&caption).into_owned(), time: &time, scale: &scale, label: &label, shapes, limit: None };
    html! {
        figure.small {
            figcaption { (visible(&caption)) " " span.key { span class="dot probe" {} (all) } @if answered > 0 { span.key { span class="dot open" {} (what) } } }
            (plot.markup())
        }
    }
}

/// On a grid, so that a long scan takes no more room than a short one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "units of the picture")]
fn spot(time: &TimeAxis, scale: &Scale, probe: &Probe) -> (u16, u16) {
    let on = |place: f64, length: f64, spots: f64| ((place / length * spots).round() * length / spots) as u16;
    (on(time.x(probe.ts), WIDTH, SPOTS.0), on(scale.y(f64::from(probe.value), FRAME), HEIGHT, SPOTS.1))
}

fn rates(unit: &str, threshold: f64, seconds: &[Rate]) -> Markup {
    let Some((start, end)) = range(seconds) else { return html! {} };
    let time = TimeAxis::new(start, end, FRAME);
    let columns = columns(seconds.iter().map(|rate| (rate.ts, [rate.packets])), 1, &time);
    let highest = columns.iter().map(|column| column.peak).fold(threshold, f64::max);
    let scale = Scale::from_zero(highest, 4.0);
    let means = columns.iter().map(|column| (column.left, column.right, column.mean.iter().sum()));
    let shapes = vec![
        Shape { class: "peak", path: peaks(&columns, &scale) },
        Shape { class: "tcp", path: bars(means, &scale, &mut vec![0.0; columns.len()]) },
    ];
    let most = seconds.iter().map(|rate| rate.packets).max().unwrap_or(0);
    let caption = format!("{}: at most {}", sentence(unit), thousands(most));
    // Some floods are judged by what a minute brings: then there is no line for a second.
    let limit = (threshold > 0.0).then(|| Limit { y: scale.y(threshold, FRAME), label: format!("threshold {}", count(threshold)) });
    let plot = Plot { described: visible(&caption).into_owned(), time: &time, scale: &scale, label: &count, shapes, limit };
    html! { figure.small { figcaption { (visible(&caption)) } (plot.markup()) } }
}

/// From the first second to the last, with quiet time around a short flood.
fn range(seconds: &[Rate]) -> Option<(Nanos, Nanos)> {
    let first = seconds.iter().map(|rate| rate.ts).min()?;
    let last = seconds.iter().map(|rate| rate.ts).max()?.saturating_add(SECOND);
    Some((first.saturating_sub(SECOND), last.saturating_add(SECOND)))
}

/// Every measured value; those that were judged with a bar that has the threshold on it.
pub fn measured(alert: &Alert) -> Markup {
    html! {
        @if !alert.measured.is_empty() {
            table.measured {
                thead { tr { th scope="col" { "Measured" } th.n scope="col" { "Value" } th.n scope="col" { "Threshold" } th scope="col" { span.unseen { "As a bar" } } } }
                tbody { @for measured in &alert.measured { (row(measured)) } }
            }
        }
    }
}

fn row(measured: &Measured) -> Markup {
    let Measured { name, value, unit, threshold } = measured;
    html! {
        tr {
            th scope="row" { (visible(&name.replace('_', " "))) }
            td.n { (number(*value)) " " span.unit { (visible(unit)) } }
            td.n { @if let Some(limit) = threshold { (number(*limit)) } @else { span.muted { "–" } } }
            td.gauge { @if let Some(limit) = threshold { (gauge(*value, *limit)) } }
        }
    }
}

/// The longer of value and threshold takes nearly the whole width.
fn gauge(value: f64, limit: f64) -> Markup {
    let most = value.max(limit) * 1.05;
    if !(most.is_finite() && most > 0.0) {
        return html! {};
    }
    let share = |part: f64| (part / most * 100.0).clamp(0.0, 100.0);
    html! {
        span.bar aria-hidden="true" { span.fill style=(format!("width:{:.1}%", share(value))) {} span.line style=(format!("left:{:.1}%", share(limit))) {} }
    }
}
