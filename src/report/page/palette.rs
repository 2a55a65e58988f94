//! The colours of the pages: those of the charts, as variables of the style sheet.

use std::fmt::Write as _;

use plotters::style::RGBAColor;

use super::super::charts::style::{self, hex, on_dark};
use crate::detect::Severity;

fn colors() -> Vec<(&'static str, RGBAColor)> {
    let mut colors = vec![
        ("paper", style::PAPER),
        ("ink", style::INK),
        ("muted", style::MUTED),
        ("grid", style::GRID),
        ("axis", style::AXIS),
        ("shade", style::SHADE),
        ("peak", style::PEAK),
        ("tcp", style::TCP),
        ("udp", style::UDP),
        ("icmp", style::ICMP),
        ("other", style::OTHER),
        ("volume", style::VOLUME),
        ("sent", style::SENT),
        ("received", style::RECEIVED),
        ("probe", style::PROBE),
        ("open", style::OPEN),
    ];
    colors.extend(Severity::ALL.map(|severity| (severity.name(), style::severity(severity))));
    colors
}

/// Light, dark where the reader asks for it, and light again on paper.
pub fn variables() -> String {
    let light = rules(|color| color);
    let dark = rules(on_dark);
    format!(":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n")
}

fn rules(shade: impl Fn(RGBAColor) -> RGBAColor) -> String {
    colors().into_iter().fold(String::new(), |mut rules, (name, color)| {
        // Writing to a String cannot fail.
        _ = write!(rules, "--{name}:{};", hex(shade(color)));
        rules
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, relative luminance and contrast ratio.
    fn contrast(a: RGBAColor, b: RGBAColor) -> f64 {
        let luminance = |RGBAColor(red, green, blue, _): RGBAColor| {
            let part = |value: u8| {
                let share = f64::from(value) / 255.0;
                if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_light_and_dark() {
        for shade in [(|color| color) as fn(RGBAColor) -> RGBAColor, on_dark] {
            for text in [style::INK, style::MUTED] {
                for ground in [style::PAPER, style::SHADE] {
                    assert!(contrast(shade(text), shade(ground)) >= 4.5, "{} on {}", hex(shade(text)), hex(shade(ground)));
                }
            }
            // Plates carry black text in both.
            for severity in Severity::ALL {
                assert!(contrast(shade(style::severity(severity)), RGBAColor(0, 0, 0, 1.0)) >= 4.5, "{}", severity.name());
            }
        }
    }

    #[test]
    fn a_severity_has_the_colour_of_the_charts() {
        assert!(variables().starts_with(":root{"));
        assert!(variables().contains("--critical:#d55e00;"));
    }
}
