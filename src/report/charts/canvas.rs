//! The sheet a chart is drawn on, and its encoding as PNG.
//!
//! Knows pixels. Drawing into a buffer in memory cannot fail in practice, so that drawing calls stay
//! free of error handling: the first failure is kept, and [`paint`] returns it.

use std::cell::RefCell;
use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::{BitMapBackend, Circle, Color, DrawingArea, IntoDrawingArea, PathElement, Polygon, Rectangle};
use plotters::style::RGBAColor;

use super::style::{HEIGHT, INK, LEFT, MUTED, NOTICE, PAPER, RIGHT, SMALL_TITLE, SUBTITLE, TITLE, Type, WIDTH};
use super::text;
use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Frame {
    pub const fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }

    pub const fn width(self) -> f64 {
        self.right - self.left
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Align {
    Left,
    Center,
    Right,
}

pub struct Canvas<'a> {
    area: DrawingArea<BitMapBackend<'a>, Shift>,
    failure: RefCell<Option<String>>,
}

/// Draws a chart of the common size and encodes it.
pub fn paint(draw: impl FnOnce(&Canvas)) -> Result<Vec<u8>, Error> {
    let mut pixels = vec![0xff; WIDTH as usize * HEIGHT as usize * 3];
    let canvas = Canvas { area: BitMapBackend::with_buffer(&mut pixels, (WIDTH, HEIGHT)).into_drawing_area(), failure: RefCell::default() };
    draw(&canvas);
    canvas.keep(canvas.area.present());
    let failure = canvas.failure.take();
    drop(canvas);
    match failure {
        Some(problem) => Err(Error::Internal(format!("a chart could not be drawn: {problem}"))),
        None => encode(&pixels).map_err(|cause| Error::Internal(format!("a chart could not be encoded: {cause}"))),
    }
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::with_capacity(128 << 10);
    let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

impl Canvas<'_> {
    /// Title and, below it, one line of grey text.
    pub fn header(&self, title: &str, subtitle: &str) {
        self.title(title, RIGHT);
        self.text(LEFT, 88.0, &text::fit(subtitle, SUBTITLE, RIGHT - LEFT), SUBTITLE, MUTED, Align::Left);
    }

    /// In smaller type where it would not fit.
    pub fn title(&self, title: &str, right: f64) {
        let style = if text::width(title, TITLE) <= right - LEFT { TITLE } else { SMALL_TITLE };
        self.text(LEFT, 48.0, &text::fit(title, style, right - LEFT), style, INK, Align::Left);
    }

    /// What is said where there is nothing to draw.
    pub fn notice(&self, notice: &str) {
        self.text(f64::from(WIDTH) / 2.0, f64::from(HEIGHT) / 2.0, notice, NOTICE, MUTED, Align::Center);
    }

    pub fn fill(&self, frame: Frame, color: RGBAColor) {
        let (right, bottom) = place(frame.right, frame.bottom);
        let (left, top) = place(frame.left, frame.top);
        // The backend fills up to, and not including, the lower right corner.
        if right > left && bottom > top {
            self.keep(self.area.draw(&Rectangle::new([(left, top), (right, bottom)], color.filled())));
        }
    }

    pub fn outline(&self, frame: Frame, color: RGBAColor) {
        let Frame { left, top, right, bottom } = frame;
        self.path(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], color, 1);
    }

    pub fn path(&self, points: &[(f64, f64)], color: RGBAColor, width: u32) {
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| place(*x, *y)).collect();
        self.keep(self.area.draw(&PathElement::new(points, color.stroke_width(width))));
    }

    /// A dashed horizontal line that is seen on white and on bars.
    pub fn dashes(&self, left: f64, right: f64, y: f64, color: RGBAColor) {
        let (dash, gap) = (10.0, 6.0);
        self.fill(Frame::new(left, y - 2.0, right, y + 2.0), PAPER.mix(0.7));
        let mut x = left;
        while x < right {
            self.fill(Frame::new(x, y - 1.0, (x + dash).min(right), y + 1.0), color);
            x += dash + gap;
        }
    }

    pub fn dot(&self, x: f64, y: f64, radius: i32, color: RGBAColor) {
        self.keep(self.area.draw(&Circle::new(place(x, y), radius, color.filled())));
    }

    pub fn diamond(&self, x: f64, y: f64, radius: f64, color: RGBAColor) {
        let corners: Vec<(i32, i32)> =
            [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)].iter().map(|(x, y)| place(*x, *y)).collect();
        self.keep(self.area.draw(&Polygon::new(corners, color.filled())));
    }

    /// One line of text, its capitals centred on `middle`. Returns its width.
    pub fn text(&self, x: f64, middle: f64, line: &str, style: Type, color: RGBAColor, align: Align) -> f64 {
        let width = text::width(line, style);
        let left = match align {
            Align::Left => x,
            Align::Center => x - width / 2.0,
            Align::Right => x - width,
        };
        text::pixels(line, style, left, middle, |x, y, coverage| self.keep(self.area.draw_pixel((x, y), &color.mix(coverage))));
        width
    }

    /// Text that stays readable on whatever is below it.
    pub fn plate(&self, x: f64, middle: f64, line: &str, style: Type, color: RGBAColor, align: Align) {
        let (width, half) = (text::width(line, style), f64::from(style.size) * 0.62);
        let left = match align {
            Align::Left => x,
            Align::Center => x - width / 2.0,
            Align::Right => x - width,
        };
        self.fill(Frame::new(left - 4.0, middle - half, left + width + 4.0, middle + half), PAPER.mix(0.85));
        self.text(x, middle, line, style, color, align);
    }

    /// Colour samples with their meaning, from left to right; the row ends at `right`.
    pub fn legend(&self, right: f64, middle: f64, entries: &[(RGBAColor, String)], style: Type) {
        const SAMPLE: f64 = 16.0;
        let mut left = right - legend_width(entries, style);
        for (color, meaning) in entries {
            let sample = Frame::new(left, middle - SAMPLE / 2.0, left + SAMPLE, middle + SAMPLE / 2.0);
            self.fill(sample, *color);
            left += SAMPLE + 8.0;
            left += self.text(left, middle, meaning, style, INK, Align::Left) + 26.0;
        }
    }

    fn keep<E: Display>(&self, drawn: Result<(), E>) {
        if let Err(problem) = drawn {
            self.failure.borrow_mut().get_or_insert_with(|| problem.to_string());
        }
    }
}

pub fn legend_width(entries: &[(RGBAColor, String)], style: Type) -> f64 {
    let widths: f64 = entries.iter().map(|(_, meaning)| 16.0 + 8.0 + text::width(meaning, style) + 26.0).sum();
    (widths - 26.0).max(0.0)
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a chart, and the cast saturates")]
fn place(x: f64, y: f64) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Size of the picture, and how many of its pixels are not paper.
    pub fn decoded(file: &[u8]) -> ((u32, u32), usize) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        ((info.width, info.height), pixels.chunks(3).filter(|pixel| pixel != &[0xff; 3]).count())
    }

    #[test]
    fn an_empty_sheet_is_white_and_has_the_common_size() {
        assert_eq!(decoded(&paint(|_| ()).unwrap()), ((1600, 900), 0));
    }

    #[test]
    fn a_filled_frame_has_as_many_pixels_as_its_sides_say() {
        let file = paint(|canvas| canvas.fill(Frame::new(10.0, 20.0, 110.0, 70.0), INK)).unwrap();
        assert_eq!(decoded(&file).1, 100 * 50);
    }

    #[test]
    fn drawing_beyond_the_edges_does_no_harm() {
        let file = paint(|canvas| {
            canvas.fill(Frame::new(-1e12, -1e12, 1e12, 1e12), INK);
            canvas.dot(-5.0, 1e9, 9, INK);
            canvas.text(1590.0, 895.0, "beyond", TITLE, INK, Align::Left);
        });
        assert_eq!(decoded(&file.unwrap()).1, 1600 * 900);
    }
}
