//! How every chart looks: size, colours, type sizes.
//!
//! The palette is that of Okabe and Ito, which people with any kind of colour vision can tell apart.
//! Severities and protocols share no colour.

use plotters::style::RGBAColor;

use crate::detect::Severity;

pub const WIDTH: u32 = 1600;
pub const HEIGHT: u32 = 900;

const fn opaque(rgb: u32) -> RGBAColor {
    let [_, red, green, blue] = rgb.to_be_bytes();
    RGBAColor(red, green, blue, 1.0)
}

pub const PAPER: RGBAColor = opaque(0x00ff_ffff);
pub const INK: RGBAColor = opaque(0x001f_2328);
pub const MUTED: RGBAColor = opaque(0x0059_636e);
pub const GRID: RGBAColor = opaque(0x00e3_e6ea);
pub const AXIS: RGBAColor = opaque(0x008c_959f);
/// Behind bars; peaks behind means.
pub const SHADE: RGBAColor = opaque(0x00ee_f0f3);
pub const PEAK: RGBAColor = opaque(0x00c4_cad1);

const BLUE: RGBAColor = opaque(0x0000_72b2);
const GREEN: RGBAColor = opaque(0x0000_9e73);
const PURPLE: RGBAColor = opaque(0x00cc_79a7);
const SKY: RGBAColor = opaque(0x0056_b4e9);
const ORANGE: RGBAColor = opaque(0x00e6_9f00);
const YELLOW: RGBAColor = opaque(0x00f0_e442);
const VERMILION: RGBAColor = opaque(0x00d5_5e00);
const GREY: RGBAColor = opaque(0x009a_a2ab);

pub const TCP: RGBAColor = BLUE;
pub const UDP: RGBAColor = GREEN;
pub const ICMP: RGBAColor = PURPLE;
pub const OTHER: RGBAColor = GREY;

/// Bytes as a whole, one direction and the other.
pub const VOLUME: RGBAColor = opaque(0x004f_6d8f);
pub const SENT: RGBAColor = BLUE;
pub const RECEIVED: RGBAColor = SKY;

pub const PROBE: RGBAColor = BLUE;
pub const OPEN: RGBAColor = GREEN;
pub const THRESHOLD: RGBAColor = INK;

pub const fn severity(severity: Severity) -> RGBAColor {
    match severity {
        Severity::Critical => VERMILION,
        Severity::High => ORANGE,
        Severity::Medium => YELLOW,
        Severity::Low => SKY,
        Severity::Info => GREY,
    }
}

/// The colour for a dark page. Severities keep theirs; those that are too dark to be seen there get a lighter shade.
pub fn on_dark(color: RGBAColor) -> RGBAColor {
    let lighter = [
        (PAPER, 0x0015_191e),
        (INK, 0x00e8_ebee),
        (MUTED, 0x00a3_adb8),
        (GRID, 0x002b_323a),
        (AXIS, 0x0066_707b),
        (SHADE, 0x0020_262d),
        (PEAK, 0x0048_525d),
        (VOLUME, 0x0086_a8cf),
        (BLUE, 0x004f_a8e0),
        (GREEN, 0x0024_c297),
    ];
    lighter.into_iter().find(|(light, _)| *light == color).map_or(color, |(_, rgb)| opaque(rgb))
}

/// `#d55e00`, as style sheets write a colour.
pub fn hex(color: RGBAColor) -> String {
    let RGBAColor(red, green, blue, _) = color;
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Size and weight of text; the size is that of the em square in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    pub size: f32,
    pub bold: bool,
}

pub const TITLE: Type = Type { size: 34.0, bold: true };
/// For titles that would not fit.
pub const SMALL_TITLE: Type = Type { size: 25.0, bold: true };
pub const SUBTITLE: Type = Type { size: 20.0, bold: false };
pub const HEADING: Type = Type { size: 20.0, bold: true };
pub const LABEL: Type = Type { size: 18.0, bold: false };
pub const STRONG: Type = Type { size: 18.0, bold: true };
/// Across an empty chart.
pub const NOTICE: Type = Type { size: 30.0, bold: false };

/// Left and right edge of everything.
pub const LEFT: f64 = 48.0;
pub const RIGHT: f64 = 1552.0;
