//! `protocols.png`: which share of packets and bytes each transport protocol and each service had.

use super::super::model::{ProtocolRow, Report};
use super::super::units::{bytes, count, counted, percent};
use super::bars::{self, Bar, Row};
use super::canvas::{Align, Canvas, Frame};
use super::style::{HEADING, INK, LABEL, LEFT, MUTED, RECEIVED, RIGHT, VOLUME};

const ROWS: usize = 11;
const TOP: f64 = 200.0;
const BOTTOM: f64 = 850.0;
/// Between the two halves.
const GUTTER: f64 = 64.0;

pub fn draw(canvas: &Canvas, report: &Report) {
    let (packets, wire) = (report.accounting.frames, report.accounting.wire_bytes);
    let subtitle = format!("{}  ·  {}  ·  share of the whole capture", counted(packets, "packet", "packets"), bytes(wire));
    canvas.header(&format!("Protocols in {}", report.input), &subtitle);
    if packets == 0 {
        canvas.notice("no packets");
        return;
    }
    canvas.legend(RIGHT, 128.0, &[(VOLUME, "packets".to_owned()), (RECEIVED, "bytes".to_owned())], LABEL);
    let middle = f64::midpoint(LEFT, RIGHT);
    half(canvas, report, "Transport", &["transport", "network"], Frame::new(LEFT, TOP, middle - GUTTER / 2.0, BOTTOM));
    half(canvas, report, "Service", &["service"], Frame::new(middle + GUTTER / 2.0, TOP, RIGHT, BOTTOM));
}

/// Rows of the first of `layers` that has any.
fn half(canvas: &Canvas, report: &Report, heading: &str, layers: &[&str], frame: Frame) {
    canvas.text(frame.left, frame.top - 36.0, heading, HEADING, INK, Align::Left);
    let of = |layer: &str| report.protocols.iter().filter(|row| row.layer == layer).collect::<Vec<_>>();
    let rows = layers.iter().map(|layer| of(layer)).find(|rows| !rows.is_empty()).unwrap_or_default();
    if rows.is_empty() {
        canvas.text(frame.left, frame.top, "none recognised", LABEL, MUTED, Align::Left);
        return;
    }
    let whole = (report.accounting.frames, report.accounting.wire_bytes);
    let rows: Vec<Row> = largest(rows).iter().map(|row| bar(row, whole)).collect();
    bars::draw(canvas, &rows, frame);
}

/// The largest by packets; what remains is one row.
fn largest(mut rows: Vec<&ProtocolRow>) -> Vec<ProtocolRow> {
    rows.sort_by(|a, b| b.packets.cmp(&a.packets).then(b.bytes.cmp(&a.bytes)).then(a.protocol.cmp(&b.protocol)));
    let rest = if rows.len() > ROWS { rows.split_off(ROWS - 1) } else { Vec::new() };
    let mut largest: Vec<ProtocolRow> = rows.into_iter().cloned().collect();
    if let Some(first) = rest.first() {
        largest.push(ProtocolRow {
            layer: first.layer,
            protocol: format!("{} others", rest.len()),
            packets: rest.iter().map(|row| row.packets).sum(),
            bytes: rest.iter().map(|row| row.bytes).sum(),
        });
    }
    largest
}

fn bar(row: &ProtocolRow, (packets, wire): (u64, u64)) -> Row {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    Row {
        label: row.protocol.clone(),
        dot: None,
        bars: vec![Bar { share: share(row.packets, packets), color: VOLUME }, Bar { share: share(row.bytes, wire), color: RECEIVED }],
        stacked: false,
        values: vec![
            format!(
                "{}  ·  {} {}",
                percent(row.packets, packets),
                count(row.packets as f64),
                if row.packets == 1 { "packet" } else { "packets" }
            ),
            format!("{}  ·  {}", percent(row.bytes, wire), bytes(row.bytes)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_summed_up_in_the_last_row() {
        let rows: Vec<ProtocolRow> =
            (1..=20).map(|n| ProtocolRow { layer: "service", protocol: format!("s{n}"), packets: n, bytes: n * 100 }).collect();
        let shown = largest(rows.iter().collect());
        assert_eq!(shown.len(), 11);
        assert_eq!(shown[0].protocol, "s20");
        // Ten rows are shown, 1 to 10 remain: 55 packets.
        assert_eq!((shown[10].protocol.as_str(), shown[10].packets, shown[10].bytes), ("10 others", 55, 5_500));
    }
}
