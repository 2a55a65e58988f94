//! The head that the pictures of alerts share: what happened, in words, and what was measured.

use super::super::units::number;
use super::canvas::{Align, Canvas, Frame};
use super::style::{INK, LABEL, LEFT, MUTED, RIGHT, STRONG, SUBTITLE, severity};
use super::text;
use crate::detect::{Alert, Measured};

/// Draws title, message and measured values; returns where the picture may begin.
pub fn head(canvas: &Canvas, alert: &Alert, rank: usize) -> f64 {
    let tag = format!("Alert {rank}  ·  {}", alert.severity.name());
    let width = text::width(&tag, STRONG) + 28.0;
    let plate = Frame::new(RIGHT - width, 30.0, RIGHT, 66.0);
    canvas.fill(plate, severity(alert.severity));
    canvas.text(f64::midpoint(plate.left, plate.right), 48.0, &tag, STRONG, INK, Align::Center);
    canvas.title(&alert.title, plate.left - 24.0);
    let mut y = 88.0;
    for line in text::wrap(&alert.message, SUBTITLE, RIGHT - LEFT, 2) {
        canvas.text(LEFT, y, &line, SUBTITLE, MUTED, Align::Left);
        y += 28.0;
    }
    if !alert.measured.is_empty() {
        let values: Vec<String> = alert.measured.iter().map(words).collect();
        canvas.text(LEFT, y + 2.0, &text::fit(&values.join("   ·   "), LABEL, RIGHT - LEFT), LABEL, INK, Align::Left);
        y += 28.0;
    }
    y
}

fn words(measured: &Measured) -> String {
    let limit = measured.threshold.map(|limit| format!(" (threshold {})", number(limit))).unwrap_or_default();
    format!("{}: {} {}{limit}", measured.name.replace('_', " "), number(measured.value), measured.unit)
}
