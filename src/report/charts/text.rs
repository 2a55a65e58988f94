//! Text: the bundled font, its measure, and its pixels.
//!
//! Noto Sans (SIL Open Font License, see `fonts/OFL.txt`) is part of the program, so that charts look
//! the same everywhere and no system font is needed. Glyphs are placed at fractions of a pixel with
//! their own bearings, which the text of `plotters` leaves out.

use std::borrow::Cow;
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, InvalidFont, PxScale, ScaleFont, point};

use super::super::escape::visible;
use super::style::Type;

type Bundled = Result<FontRef<'static>, InvalidFont>;

static REGULAR: LazyLock<Bundled> = LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../fonts/NotoSans-Regular.ttf")));
static BOLD: LazyLock<Bundled> = LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../fonts/NotoSans-Bold.ttf")));

/// Height of capitals in Noto Sans, in em.
const CAPITALS: f32 = 0.714;

/// Width in pixels.
pub fn width(text: &str, style: Type) -> f64 {
    let Some((font, scale)) = font(style) else { return 0.0 };
    let font = font.as_scaled(scale);
    f64::from(visible(text).chars().map(|c| font.h_advance(font.glyph_id(c))).sum::<f32>())
}

/// Calls `draw` with the place and the coverage (0 to 1) of every pixel of the text. `middle` is half
/// the height of the capitals.
#[expect(clippy::cast_possible_truncation, reason = "pixels of a chart")]
pub fn pixels(text: &str, style: Type, left: f64, middle: f64, mut draw: impl FnMut(i32, i32, f64)) {
    let Some((font, scale)) = font(style) else { return };
    let baseline = (middle as f32 + style.size * CAPITALS / 2.0).round();
    let mut x = left as f32;
    for c in visible(text).chars() {
        let id = font.glyph_id(c);
        if let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale, point(x, baseline))) {
            let corner = outline.px_bounds().min;
            let (left, top) = (corner.x as i32, corner.y as i32);
            outline.draw(|column, row, coverage| draw(left + column.cast_signed(), top + row.cast_signed(), f64::from(coverage)));
        }
        x += font.as_scaled(scale).h_advance(id);
    }
}

/// A line of the narrowest letters across a whole chart.
const MOST_LETTERS: usize = 600;

/// The text, cut with an ellipsis where it is wider than `room`.
pub fn fit(text: &str, style: Type, room: f64) -> Cow<'_, str> {
    if text.len() <= MOST_LETTERS && width(text, style) <= room {
        return visible(text);
    }
    // More letters than any room holds, so that a name of any length is measured in no time.
    let mut cut: String = visible(text).chars().take(MOST_LETTERS).collect();
    while !cut.is_empty() && width(&cut, style) + width("…", style) > room {
        cut.pop();
    }
    Cow::Owned(cut.trim_end().to_owned() + "…")
}

/// The text in at most `limit` lines, the last one cut where it does not fit.
pub fn wrap(text: &str, style: Type, room: f64, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text: String = visible(text).chars().take(MOST_LETTERS * limit).collect();
    for word in text.split_whitespace() {
        let may_break = lines.len() < limit;
        match lines.last_mut() {
            Some(line) if !may_break || has_room(line, word, style, room) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| fit(line, style, room).into_owned()).collect()
}

fn has_room(line: &str, word: &str, style: Type, room: f64) -> bool {
    width(line, style) + width(" ", style) + width(word, style) <= room
}

fn font(style: Type) -> Option<(&'static FontRef<'static>, PxScale)> {
    let font = if style.bold { &*BOLD } else { &*REGULAR }.as_ref().ok()?;
    // The scale of `ab_glyph` is the height of a line and not that of the em square.
    let line = font.height_unscaled() / font.units_per_em()?;
    Some((font, PxScale::from(style.size * line)))
}

#[cfg(test)]
mod tests {
    use super::super::style::{LABEL, TITLE};
    use super::*;

    #[test]
    fn both_fonts_are_usable_and_know_the_punctuation_of_the_charts() {
        for font in [&REGULAR, &BOLD] {
            let font = font.as_ref().unwrap();
            for c in "Az09µé×·–—…≤".replace('≤', "").chars() {
                assert_ne!(font.glyph_id(c).0, 0, "{c}");
            }
        }
    }

    #[test]
    fn text_is_measured_by_the_advances_of_the_font() {
        // Digits of Noto Sans are 572 thousandths of an em wide.
        assert!((width("0000000000", LABEL) - 10.0 * 0.572 * f64::from(LABEL.size)).abs() < 0.1);
    }

    #[test]
    fn long_text_is_cut_to_its_room() {
        let long = "a-very-long-host-name.example.com".repeat(5);
        let cut = fit(&long, TITLE, 300.0);
        assert!(cut.ends_with('…') && width(&cut, TITLE) <= 300.0);
        assert_eq!(fit("short", TITLE, 300.0), "short");
    }

    #[test]
    fn wrapped_text_keeps_its_words_and_its_limit() {
        let text = "one two three four five six seven eight nine ten";
        let lines = wrap(text, LABEL, 120.0, 9);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| width(line, LABEL) <= 120.0));
        let cut = wrap(text, LABEL, 120.0, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…'));
    }
}
