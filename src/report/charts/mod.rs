//! Charts: one idea each, readable without explanation, 1600 × 900 pixels, PNG.
//!
//! Drawn from the result model alone. Scales, series and colours are those of the charts in `report.html`, too.
//!  Text from the capture passes the escaping of [`text`].

pub(super) mod axis;
mod bars;
pub(super) mod canvas;
mod evidence;
mod lanes;
pub(super) mod panel;
mod probes;
mod protocols;
mod rates;
pub(super) mod series;
pub(super) mod style;
mod talkers;
mod text;
pub(super) mod time_axis;
mod traffic;

use rayon::prelude::*;

use super::model::Report;
use super::{Artifact, alert_name};
use crate::detect::{Alert, Picture};
use crate::error::Error;

/// Pictures of single alerts, the worst that have one.
const PICTURES: usize = 6;

/// Every chart of the report, in a fixed order.
pub fn render(report: &Report) -> Result<Vec<Artifact>, Error> {
    let mut charts = vec![Chart::Traffic, Chart::Protocols, Chart::Talkers];
    let pictured = report.alerts.iter().enumerate().filter(|(_, alert)| alert.picture != Picture::None);
    charts.extend(pictured.take(PICTURES).map(|(index, alert)| Chart::Alert(index + 1, alert)));
    charts.par_iter().map(|chart| Ok(Artifact { name: chart.name(), bytes: chart.paint(report)? })).collect()
}

enum Chart<'a> {
    Traffic,
    Protocols,
    Talkers,
    /// With its rank in the report, from 1.
    Alert(usize, &'a Alert),
}

impl Chart<'_> {
    fn name(&self) -> String {
        match self {
            Self::Traffic => "charts/traffic.png".to_owned(),
            Self::Protocols => "charts/protocols.png".to_owned(),
            Self::Talkers => "charts/talkers.png".to_owned(),
            Self::Alert(rank, alert) => format!("charts/{}.png", alert_name(*rank, alert.kind)),
        }
    }

    fn paint(&self, report: &Report) -> Result<Vec<u8>, Error> {
        canvas::paint(|canvas| match self {
            Self::Traffic => traffic::draw(canvas, report),
            Self::Protocols => protocols::draw(canvas, report),
            Self::Talkers => talkers::draw(canvas, report),
            Self::Alert(rank, alert) => match &alert.picture {
                Picture::None => {}
                Picture::Probes { axis, points } => probes::draw(canvas, alert, *rank, axis, points),
                Picture::Rates { unit, threshold, seconds } => rates::draw(canvas, alert, *rank, unit, *threshold, seconds),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::canvas::tests::decoded;
    use super::*;
    use crate::detect::{Probe, Rate, Severity};
    use crate::time::SECOND;

    #[test]
    fn every_chart_has_the_common_size_and_is_not_blank() {
        let charts = render(&example::report()).unwrap();
        let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "charts/traffic.png",
                "charts/protocols.png",
                "charts/talkers.png",
                "charts/alert-1-syn_flood.png",
                "charts/alert-2-port_scan.png"
            ]
        );
        for chart in &charts {
            let (size, inked) = decoded(&chart.bytes);
            assert_eq!(size, (1600, 900), "{}", chart.name);
            assert!(inked > 5_000, "{}: {inked} pixels", chart.name);
        }
    }

    #[test]
    fn a_capture_without_packets_still_has_its_three_charts() {
        let charts = render(&example::empty()).unwrap();
        assert_eq!(charts.len(), 3);
        assert!(charts.iter().all(|chart| decoded(&chart.bytes).1 > 500));
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        let bytes = || render(&example::report()).unwrap().into_iter().map(|chart| chart.bytes).collect::<Vec<_>>();
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn no_more_pictures_than_the_worst_six() {
        let mut report = example::report();
        report.alerts = vec![report.alerts[0].clone(); 9];
        assert_eq!(render(&report).unwrap().len(), 3 + 6);
    }

    #[test]
    fn absurd_times_and_values_draw_without_harm() {
        let mut report = example::report();
        let ends = [i64::MIN, 0, i64::MAX];
        report.span = Some((i64::MIN, i64::MAX));
        report.timeline.buckets = ends
            .map(|ts| super::super::model::Bucket { ts, packets: u64::MAX, bytes: u64::MAX, tcp: u64::MAX, udp: 1, ..Default::default() })
            .to_vec();
        report.hosts[0].bytes_sent = u64::MAX;
        report.alerts[0].picture = Picture::Rates {
            unit: "packets/s",
            threshold: f64::MAX,
            seconds: ends.map(|ts| Rate { ts, packets: u64::MAX, sources: 0 }).to_vec(),
        };
        report.alerts[1].picture =
            Picture::Probes { axis: "port", points: ends.map(|ts| Probe { ts, value: u32::MAX, open: true }).to_vec() };
        let mut empty = example::alert("rule:a/b", Severity::Low, i64::MIN, i64::MAX);
        empty.picture = Picture::Probes { axis: "", points: Vec::new() };
        report.alerts.push(empty);
        let mut quiet = example::alert("syn_flood", Severity::Low, 0, 0);
        quiet.picture = Picture::Rates { unit: "", threshold: 0.0, seconds: vec![Rate { ts: SECOND, packets: 0, sources: 0 }] };
        report.alerts.push(quiet);
        let names: Vec<String> = render(&report).unwrap().into_iter().map(|chart| chart.name).collect();
        assert_eq!(names.len(), 3 + 4);
        assert!(names.contains(&"charts/alert-3-rule-a-b.png".to_owned()), "{names:?}");
    }
}
