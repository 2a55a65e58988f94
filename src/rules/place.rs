//! Where in a rule file something is wrong, and how that is said.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::{Location, Spanned};

/// A rule file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

/// One thing that is wrong with a rule: where, what, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub path: PathBuf,
    /// From 1; 0 where the whole file is meant.
    pub line: u64,
    pub column: u64,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, text } = self;
        if *line == 0 { write!(f, "{}: {text}", path.display()) } else { write!(f, "{}:{line}:{column}: {text}", path.display()) }
    }
}

impl Problem {
    pub fn of_file(path: &Path, text: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), line: 0, column: 0, text: text.into() }
    }
}

impl Source {
    pub fn problem(&self, at: Location, text: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line: at.line(), column: at.column(), text: text.into() }
    }

    /// Something wrong inside a text of the file, at a line and column of that text (from 1).
    pub fn problem_inside(&self, text: &Spanned<String>, line: u64, column: u64, problem: impl Into<String>) -> Problem {
        let before = text.value.lines().zip(1..).flat_map(|(content, number)| {
            let letters = match number {
                _ if number < line => usize::MAX,
                _ if number == line => usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX),
                _ => 0,
            };
            content.chars().take(letters)
        });
        let skipped = before.filter(|letter| !letter.is_whitespace()).count();
        let (line, column) = self.nth_letter(text.referenced, skipped);
        Problem { path: self.path.clone(), line, column, text: problem.into() }
    }

    /// Line and column of the letter (white space not counted) that so many others of a scalar precede. White
    /// space is what YAML folds, indents and trims, so that letters are the same in the file and in the value.
    fn nth_letter(&self, start: Location, skipped: usize) -> (u64, u64) {
        let (mut line, mut column) = (start.line(), start.column());
        let mut rest = self.from(line, column).chars().peekable();
        let style = rest.peek().copied().unwrap_or_default();
        if matches!(style, '|' | '>') {
            // The header of a block ends with its line.
            rest.by_ref().find(|letter| *letter == '\n');
            (line, column) = (line + 1, 1);
        } else if matches!(style, '"' | '\'') {
            rest.next();
            column += 1;
        }
        let mut left = skipped;
        while let Some(letter) = rest.next() {
            if !letter.is_whitespace() {
                if left == 0 {
                    break;
                }
                left -= 1;
                // A quote written twice, or a letter after a backslash, is one letter of the value.
                if style == '\'' && letter == '\'' || style == '"' && letter == '\\' {
                    rest.next();
                    column += 1;
                }
            }
            (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        (line, column)
    }

    fn from(&self, line: u64, column: u64) -> &str {
        let (Ok(line), Ok(column)) = (usize::try_from(line.saturating_sub(1)), usize::try_from(column.saturating_sub(1))) else {
            return "";
        };
        let start: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        let Some(rest) = self.text.get(start..) else { return "" };
        rest.char_indices().nth(column).map_or("", |(offset, _)| &rest[offset..])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Where the file has the word that the value has at `line` and `column`.
    fn found(yaml: &str, line: u64, column: u64) -> (u64, u64) {
        let values: BTreeMap<String, Spanned<String>> = serde_saphyr::from_str(yaml).unwrap();
        let source = Source { path: "a.yaml".into(), text: yaml.to_owned() };
        let problem = source.problem_inside(&values["where"], line, column, "");
        (problem.line, problem.column)
    }

    #[test]
    fn a_place_in_a_value_is_found_in_the_file_however_it_is_quoted() {
        assert_eq!(found("id: x\nwhere: port = prot\n", 1, 8), (2, 15));
        assert_eq!(found("where: 'port = prot'\n", 1, 8), (1, 16));
        assert_eq!(found("where: 'a = ''b'' or prot'\n", 1, 12), (1, 22));
        assert_eq!(found("where: \"a = \\\"b\\\" or prot\"\n", 1, 12), (1, 22));
    }

    #[test]
    fn a_place_in_a_block_is_found_with_its_indentation() {
        assert_eq!(found("where: |\n    port = 1\n    AND prot = 2\n", 2, 5), (3, 9));
        assert_eq!(found("where: >-\n  port = 1\n  AND prot = 2\n", 1, 14), (3, 7));
        assert_eq!(found("where: port = 1\n  AND prot = 2\n", 1, 14), (2, 7));
    }
}
