//! Captured strings are hostile: names, banners and paths made harmless before anyone reads them.
//!
//! Knows which characters deceive a terminal, a log reader or a spreadsheet. Does not know where a
//! string came from, and changes nothing in strings that are harmless.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A character that moves the cursor, turns the reading direction or cannot be seen: what is shown
/// with it is not what is there.
pub const fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Soft hyphen, Hangul and Mongolian fillers: blank or invisible.
        | '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
        // Direction marks, embeddings, overrides and isolates.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Zero-width characters, line and paragraph separators, invisible operators.
        | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        // Variation selectors, annotations and tags can carry hidden text.
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text on one line, with every deceptive character spelled out: for the terminal, the event log
/// and the charts.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a String cannot fail.
            _ if is_deceptive(c) => _ = write!(shown, "\\u{{{:x}}}", u32::from(c)),
            _ => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The text as a cell of a table: visible, and never a formula to a spreadsheet.
///
/// Where the decimal sign is a comma, spreadsheets end a cell at `;` and know no quotes inside of one: there, what
/// follows each `;` is the beginning of a cell.
pub fn cell(text: &str) -> Cow<'_, str> {
    let is_formula = |part: &str| part.trim_start_matches(' ').starts_with(begins_formula);
    if !text.split(END_OF_CELL).any(is_formula) {
        return visible(text);
    }
    let quoted = |part| if is_formula(part) { format!("'{}", visible(part)) } else { visible(part).into_owned() };
    Cow::Owned(text.split(END_OF_CELL).map(quoted).collect::<Vec<_>>().join(";"))
}

/// What ends a cell beside the comma, which the quotes of RFC 4180 take care of, and the tab, which is spelled out.
const END_OF_CELL: char = ';';

/// What spreadsheets take for the beginning of a formula, the full-width forms included.
const fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// JSON text in which deceptive characters inside strings are written as `\u` escapes: the same
/// data, safe to print. Outside of strings JSON has none of them but the line breaks between members.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_deceptive(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_title_sequence_is_shown_and_not_obeyed() {
        assert_eq!(visible("\x1b]0;owned\x07"), "\\u{1b}]0;owned\\u{7}");
        // The same introducer as one C1 character.
        assert_eq!(visible("\u{9b}2J"), "\\u{9b}2J");
    }

    #[test]
    fn a_right_to_left_override_does_not_turn_a_file_name_around() {
        assert_eq!(visible("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(visible("a\u{2066}b\u{2069}"), "a\\u{2066}b\\u{2069}");
    }

    #[test]
    fn a_zero_width_homograph_is_not_mistaken_for_the_real_name() {
        assert_eq!(visible("pay\u{200b}pal.com"), "pay\\u{200b}pal.com");
        assert_eq!(visible("\u{feff}admin"), "\\u{feff}admin");
    }

    #[test]
    fn hidden_tag_text_is_spelled_out() {
        assert_eq!(visible("x\u{e0041}"), "x\\u{e0041}");
    }

    #[test]
    fn a_forged_log_line_stays_inside_its_line() {
        let attack = "host\n2023-08-05 15:03:31 - INFO - nothing happened\r\x0b\x0c\u{85}\u{2028}";
        assert!(!visible(attack).contains(['\n', '\r', '\x0b', '\x0c', '\u{85}', '\u{2028}']));
    }

    #[test]
    fn a_formula_in_a_host_name_is_text_to_a_spreadsheet() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        for start in ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert!(cell(start).starts_with('\''), "{start:?}");
        }
        assert_eq!(cell(" =1"), "' =1");
    }

    #[test]
    fn a_formula_behind_the_end_of_a_cell_is_text_too() {
        assert_eq!(cell("a;=cmd|' /C calc'!A0"), "a;'=cmd|' /C calc'!A0");
        assert_eq!(cell("a; \t=1;b;-2"), "a;' \\t=1;b;'-2");
        assert_eq!(cell("10.0.0.1; 10.0.0.2"), "10.0.0.1; 10.0.0.2");
    }

    #[test]
    fn harmless_names_are_left_alone() {
        for name in ["", "192.0.2.1", "2001:db8::1", "Müller-PC", "файл", "日本", "a=b", "x-y", "C:\\Temp"] {
            assert_eq!(visible(name), name);
            assert_eq!(cell(name), name);
        }
    }

    #[test]
    fn json_keeps_its_data_when_characters_are_escaped() {
        let text = serde_json::to_string_pretty(&["a\u{202e}b", "\u{e0041}\u{9b}", "é\n"]).unwrap();
        let safe = json(&text);
        assert!(!safe.chars().any(|c| c != '\n' && is_deceptive(c)));
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).unwrap(), ["a\u{202e}b", "\u{e0041}\u{9b}", "é\n"]);
    }
}
