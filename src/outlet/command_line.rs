//! The command of `--on-alert`: a program and its arguments, fixed before the first alert comes.
//!
//! Knows how a line of text becomes words. No shell reads it: what only a shell could understand is refused and not
//! passed on as if it were a name.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What a shell would not take as a part of a word.
const FOR_A_SHELL: &str = "|&;<>()$`*?~!#";
/// The same between double quotes.
const FOR_A_SHELL_QUOTED: &str = "$`!";

/// A program that was there when the run began, and what it is called with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandLine {
    /// Absolute, so that neither the search path nor the working directory can make it another.
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// Words are divided by blanks; `'…'` and `"…"` hold blanks together, `\` takes the next letter as it is (but not
    /// within `'…'`).
    ///
    /// # Errors
    /// [`Error::Usage`] for what is no command line, asks for a shell, or names no program.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |problem: String| Error::Usage(format!("--on-alert: {problem}"));
        let mut words = words(text).map_err(refused)?.into_iter();
        let name = words.next().filter(|name| !name.is_empty()).ok_or_else(|| refused("there is no command".into()))?;
        let search = std::env::var_os("PATH").unwrap_or_default();
        let program = find(&name, &search).ok_or_else(|| refused(format!("{name} is no program that can be run")))?;
        Ok(Self { program, arguments: words.collect() })
    }

    /// The program alone: arguments may be secrets.
    pub(super) fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }
}

fn words(text: &str) -> Result<Vec<String>, String> {
    // Also behind a `\`: a program cannot be called with a NUL, which would be seen with the first alert only.
    if text.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err("there is a control character in it".into());
    }
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), letter) if letter == open => quote = None,
            (None | Some('"'), '\\') => {
                let next = letters.next().ok_or("nothing follows the last \\")?;
                word.get_or_insert_default().push(next);
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, letter) if FOR_A_SHELL.contains(letter) => return Err(shell(letter)),
            (Some('"'), letter) if FOR_A_SHELL_QUOTED.contains(letter) => return Err(shell(letter)),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        return Err(format!("the {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

fn shell(letter: char) -> String {
    format!("no shell reads the command, and `{letter}` means nothing; write it into a script, or put it between single quotes")
}

/// The program as a shell finds it, but never in the working directory unless its path says so.
fn find(name: &str, search: &OsStr) -> Option<PathBuf> {
    if Path::new(name).components().count() > 1 || name.contains('/') {
        return std::path::absolute(name).ok().filter(|path| can_run(path));
    }
    std::env::split_paths(search).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|path| can_run(path))
}

#[cfg(unix)]
fn can_run(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_run(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_words() {
        for (text, want) in [
            ("notify", &["notify"][..]),
            ("  /bin/notify  -v\t--to ops ", &["/bin/notify", "-v", "--to", "ops"]),
            (r#"a 'b c' "d e" f\ g"#, &["a", "b c", "d e", "f g"]),
            (r#"a '' "" x''y"#, &["a", "", "", "xy"]),
            (r#"a 'it''s' "\"\\" '\n $x | *'"#, &["a", "its", "\"\\", "\\n $x | *"]),
            (r"a \| \$x", &["a", "|", "$x"]),
            ("", &[]),
        ] {
            assert_eq!(words(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for text in ["a | b", "a; b", "a && b", "a > b", "a $x", "a $(x)", "a `x`", "a \"$x\"", "~/a", "a *.txt", "a #b"] {
            assert!(words(text).unwrap_err().contains("no shell"), "{text}");
        }
        for (text, want) in [("a 'b", "' is not closed"), ("a \"b", "\" is not closed"), ("a \\", "last \\")] {
            assert!(words(text).unwrap_err().contains(want), "{text}");
        }
        for (text, want) in [("a\nb", "control"), ("a \\\0", "control"), ("a \"\\\0\"", "control")] {
            assert!(words(text).unwrap_err().contains(want), "{text}");
        }
    }

    #[test]
    fn the_program_must_be_there() {
        let found = CommandLine::parse("sh -c 'echo $x'").unwrap();
        assert!(found.program.is_absolute() && found.program.ends_with("sh"));
        assert_eq!(found.arguments, ["-c", "echo $x"]);
        for text in ["", "  ", "''", "no-such-program-of-ours", "/no/such/program", "./no-such", "/dev/null", "/"] {
            let refused = CommandLine::parse(text).unwrap_err().to_string();
            assert!(refused.starts_with("--on-alert: "), "{refused}");
        }
    }

    #[test]
    fn the_working_directory_is_not_searched() {
        assert_eq!(find("Cargo.toml", OsStr::new(".::")), None);
        assert_eq!(find("sh", OsStr::new("::/bin")), Some("/bin/sh".into()));
    }
}
