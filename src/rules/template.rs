//! The sentence of an alert: text with `{column}` in it, `{{` and `}}` for the braces themselves.

use serde_saphyr::Spanned;

use super::place::{Problem, Source};
use crate::config::nearest;
use crate::pseudonym;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A place in the list of names that the template was read with.
    Value(usize),
}

impl Template {
    /// Reads a template; `names` is what may stand in braces.
    ///
    /// # Errors
    /// A brace that is not closed, or a name that is not known, with its place.
    pub fn read(source: &Source, text: &Spanned<String>, names: &[String]) -> Result<Self, Problem> {
        let mut pieces = Vec::new();
        let (mut plain, mut letters) = (String::new(), text.value.char_indices().peekable());
        while let Some((at, letter)) = letters.next() {
            let doubled = matches!(letter, '{' | '}') && letters.next_if(|(_, next)| *next == letter).is_some();
            if doubled || !matches!(letter, '{' | '}') {
                plain.push(letter);
                continue;
            }
            let wrong = |problem: String| {
                let (line, column) = line_and_column(&text.value, at);
                source.problem_inside(text, line, column, problem)
            };
            if letter == '}' {
                return Err(wrong("`}` without `{` before it; write `}}` for a brace".into()));
            }
            let name: String = letters.by_ref().map(|(_, letter)| letter).take_while(|letter| *letter != '}').collect();
            let Some(value) = names.iter().position(|known| *known == name) else { return Err(wrong(unknown(&name, names))) };
            if text.value.get(at + 1 + name.len()..).is_none_or(|rest| !rest.starts_with('}')) {
                return Err(wrong("`{` is not closed; write `{{` for a brace".into()));
            }
            pieces.extend([Piece::Text(std::mem::take(&mut plain)), Piece::Value(value)]);
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The sentence with these values, in the order of the names it was read with.
    #[must_use]
    pub fn fill(&self, values: &[String]) -> String {
        let shown = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => pseudonym::text(text),
            Piece::Value(place) => values.get(*place).map_or("", String::as_str).into(),
        });
        shown.collect()
    }
}

fn unknown(name: &str, names: &[String]) -> String {
    let known = names.iter().map(String::as_str);
    match nearest(name, known.clone()) {
        Some(meant) => format!("`{{{name}}}` is not known here; did you mean `{{{meant}}}`?"),
        None => format!("`{{{name}}}` is not known here; there is {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn line_and_column(text: &str, at: usize) -> (u64, u64) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() as u64 + 1;
    (line, before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1)
}

#[cfg(test)]
mod tests {
    use serde_saphyr::Location;

    use super::*;

    fn read(text: &str) -> Result<Template, String> {
        let source = Source { path: "a.yaml".into(), text: text.to_owned() };
        let start: Spanned<String> = serde_saphyr::from_str("x").unwrap();
        let text = Spanned { value: text.to_owned(), ..start };
        assert_ne!(text.referenced, Location::UNKNOWN);
        Template::read(&source, &text, &["source".into(), "count".into()]).map_err(|problem| problem.to_string())
    }

    #[test]
    fn names_become_values_and_doubled_braces_stay() {
        let template = read("{source} sent {{{count}}}").unwrap();
        assert_eq!(template.fill(&["10.0.0.5".into(), "7".into()]), "10.0.0.5 sent {7}");
    }

    #[test]
    fn a_name_that_is_not_known_is_answered_with_its_place_and_the_nearest() {
        assert_eq!(read("by {surce}").unwrap_err(), "a.yaml:1:4: `{surce}` is not known here; did you mean `{source}`?");
        assert!(read("by {source").unwrap_err().contains("not closed"));
        assert!(read("by source}").unwrap_err().contains("without `{`"));
    }
}
