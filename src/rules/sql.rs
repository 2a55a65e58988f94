//! One SQL expression of a rule: read, checked, and given to Polars.
//!
//! There is no SQL parser of ours: Polars reads the expression. A rule is an expression over the columns of
//! its table and nothing else, so no query may be in it (after IN, EXISTS, in parentheses), for a query can
//! open files with table functions (`read_parquet` and others). Text without any of the words that begin or
//! make a query ([`QUERY_WORDS`]) is given to Polars as it is. Any other, and whatever Polars or the names
//! of columns speak against, is parsed with the parser that Polars uses, with the same options; the tree
//! says where what is wrong, and a query in it is refused before Polars sees the text.

use std::ops::ControlFlow;

use polars::prelude::Expr;
use polars::sql::keywords::all_functions;
use polars::sql::sql_expr;
use serde_saphyr::Spanned;
use sqlparser::ast::{Expr as Node, FunctionArguments, Ident, ObjectNamePart, Query, SelectItem, Spanned as _, Visit, Visitor};
use sqlparser::ast::{TableFactor, visit_expressions_mut};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::{Location, Token};

use super::place::{Problem, Source};
use crate::config::nearest;
use crate::panics;

/// An expression that Polars has taken.
#[derive(Clone, Debug)]
pub struct Expression {
    pub expr: Expr,
    /// The name after AS.
    pub name: Option<String>,
    /// Names of the columns that it reads.
    pub columns: Vec<String>,
}

/// What a name means: a column to be had, or not.
pub trait Names {
    /// # Errors
    /// In words: there is no such column, and which may have been meant.
    fn check(&self, name: &str) -> Result<(), String>;
}

/// Words without which there is no query, in whatever case: every query begins with one of them.
const QUERY_WORDS: [&str; 9] = ["select", "from", "with", "values", "table", "insert", "update", "delete", "merge"];

/// Reads the expression.
///
/// # Errors
/// The first thing that is wrong with it, with its place in the file.
pub fn read(source: &Source, text: &Spanned<String>, names: &dyn Names) -> Result<Expression, Problem> {
    if text.value.len() > MOST_TEXT {
        return Err(source.problem(text.referenced, format!("is longer than {MOST_TEXT} bytes; write several rules")));
    }
    match plain(&text.value, names) {
        Some(expression) => Ok(expression),
        None => careful(source, text, names),
    }
}

/// The usual case, in half the time: no word to look at more closely, nothing wrong. Text with
/// other letters than those of ASCII is too: whether the parser takes `ſelect` for SELECT is not to matter.
fn plain(text: &str, names: &dyn Names) -> Option<Expression> {
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let is_watched = |word: &str| QUERY_WORDS.iter().chain(&UNBOUNDED).chain(&[INTERVAL]).any(|watched| word.eq_ignore_ascii_case(watched));
    if !text.is_ascii() || words.any(is_watched) {
        return None;
    }
    let expr = as_polars_reads(text).ok()?;
    let mut columns: Vec<String> = Vec::new();
    for node in &expr {
        match node {
            Expr::Column(name) if names.check(name).is_err() => return None,
            Expr::Column(name) if columns.iter().all(|known| known != name) => columns.push(name.to_string()),
            // Columns by pattern (`*`, COLUMNS(...)): what they read cannot be told beforehand.
            Expr::Selector(_) => return None,
            _ => {}
        }
    }
    let name = if let Expr::Alias(_, name) = &expr { Some(name.to_string()) } else { None };
    Some(Expression { expr, name, columns })
}

/// With the tree: says what is wrong and where, and takes what only looks like a query.
fn careful(source: &Source, text: &Spanned<String>, names: &dyn Names) -> Result<Expression, Problem> {
    let wrong = |(at, problem): Refusal| source.problem_inside(text, at.line, at.column, problem);
    let mut item = parse(&text.value).map_err(wrong)?;
    let mut seen = Seen { columns: Vec::new(), functions: Vec::new(), refused: None, names };
    let _ = item.visit(&mut seen);
    if let Some(refused) = seen.refused {
        return Err(wrong(refused));
    }
    let name = match &item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(_) => None,
        _ => return Err(wrong((START, "must be one expression; write COUNT(*) to count rows".into()))),
    };
    let checked = if quote_user(&mut item) { requoted(&item).map_err(wrong)? } else { text.value.clone() };
    let expr = as_polars_reads(&checked).map_err(|cause| wrong(seen.refusal_of_polars(&cause)))?;
    if (&expr).into_iter().any(|node| matches!(node, Expr::Selector(_))) {
        return Err(wrong((START, "must name its columns one by one".into())));
    }
    Ok(Expression { expr, name, columns: seen.columns })
}

/// Polars reads the expression, and may stop at a text instead of refusing it.
fn as_polars_reads(text: &str) -> Result<Expr, String> {
    match panics::caught(|| sql_expr(text)) {
        Ok(read) => read.map_err(|cause| cause.to_string()),
        Err(_) => Err("the SQL engine stopped at it".into()),
    }
}

type Refusal = (Location, String);

/// An expression of more text may be deeper than the stack of those who read it.
const MOST_TEXT: usize = 4_096;
/// Functions that make texts of any length out of a number or of each other: one in another multiplies.
const UNBOUNDED: [&str; 5] = ["lpad", "rpad", "repeat", "replace", "regexp_replace"];

/// Times are whole seconds here; Polars stops at intervals that it cannot read.
const INTERVAL: &str = "interval";

const START: Location = Location { line: 1, column: 1 };

/// As `polars::sql::sql_expr` parses.
fn parse(text: &str) -> Result<SelectItem, Refusal> {
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    let mut parser = Parser::new(&GenericDialect).with_options(options).try_with_sql(text).map_err(|cause| refusal(&cause))?;
    let item = parser.parse_select_item().map_err(|cause| refusal(&cause))?;
    let rest = parser.peek_token();
    if rest.token == Token::EOF {
        return Ok(item);
    }
    Err((rest.span.start, format!("unexpected `{rest}`: a rule has one SQL expression here, without SELECT or FROM")))
}

/// The parser tells the place in words.
fn refusal(cause: &ParserError) -> Refusal {
    let (ParserError::TokenizerError(text) | ParserError::ParserError(text)) = cause else {
        return (START, "SQL is nested too deeply".into());
    };
    let place = text.rsplit_once(" at Line: ").and_then(|(problem, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((Location { line: line.parse().ok()?, column: column.trim().parse().ok()? }, problem))
    });
    let (at, problem) = place.unwrap_or((START, text));
    (at, format!("SQL cannot be read: {problem}"))
}

/// `user` is a function of SQL (who is connected) and a column of ours: here it is the column.
fn quote_user(item: &mut SelectItem) -> bool {
    let mut quoted = false;
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return false };
    let _: ControlFlow<()> = visit_expressions_mut(expr, |node| {
        if let Some(name) = bare_function(node) {
            *node = Node::Identifier(Ident::with_quote('"', name.value.to_lowercase()));
            quoted = true;
        }
        ControlFlow::Continue(())
    });
    quoted
}

/// The name where a function stands without parentheses.
fn bare_function(node: &Node) -> Option<Ident> {
    match node {
        Node::Function(function) if matches!(function.args, FunctionArguments::None) => match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The tree as text again, which is checked as if it had been written like this.
fn requoted(item: &SelectItem) -> Result<String, Refusal> {
    struct Any;
    impl Names for Any {
        fn check(&self, _: &str) -> Result<(), String> {
            Ok(())
        }
    }
    let text = item.to_string();
    let mut seen = Seen { columns: Vec::new(), functions: Vec::new(), refused: None, names: &Any };
    let _ = parse(&text)?.visit(&mut seen);
    seen.refused.map_or(Ok(text), Err)
}

/// Walks the tree: collects names, and stops at what a rule may not have.
struct Seen<'a> {
    columns: Vec<String>,
    functions: Vec<Ident>,
    refused: Option<Refusal>,
    names: &'a dyn Names,
}

impl Seen<'_> {
    fn refuse(&mut self, at: Location, problem: impl Into<String>) -> ControlFlow<()> {
        self.refused = Some((if at.line == 0 { START } else { at }, problem.into()));
        ControlFlow::Break(())
    }

    fn column(&mut self, name: &Ident) -> ControlFlow<()> {
        if self.columns.contains(&name.value) {
            return ControlFlow::Continue(());
        }
        if let Err(problem) = self.names.check(&name.value) {
            return self.refuse(name.span.start, problem);
        }
        self.columns.push(name.value.clone());
        ControlFlow::Continue(())
    }

    /// Polars says what it does not like and not where; it names the function, though.
    fn refusal_of_polars(&self, problem: &str) -> Refusal {
        let lower = problem.to_lowercase();
        let problem = problem.trim_start_matches("SQL").trim_start_matches(|letter: char| !letter.is_whitespace()).trim();
        let named = self.functions.iter().find(|function| lower.contains(&format!("'{}'", function.value.to_lowercase())));
        let Some(function) = named else { return (START, format!("SQL cannot be used: {problem}")) };
        let name = function.value.to_lowercase();
        let functions = all_functions();
        let problem = match nearest(&name, functions.iter().copied()) {
            Some(meant) if meant != name => format!("unknown function `{}`; did you mean `{meant}`?", function.value),
            _ => format!("SQL cannot be used: {problem}"),
        };
        (function.span.start, problem)
    }
}

const NO_QUERIES: &str = "a rule reads the columns of its own table only: no SELECT, no other table, no file";

impl Visitor for Seen<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.refuse(query.span().start, NO_QUERIES)
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<()> {
        self.refuse(START, NO_QUERIES)
    }

    fn pre_visit_expr(&mut self, node: &Node) -> ControlFlow<()> {
        if let Some(name) = bare_function(node) {
            return self.column(&Ident { value: name.value.to_lowercase(), ..name });
        }
        match node {
            Node::Subquery(query) | Node::Exists { subquery: query, .. } | Node::InSubquery { subquery: query, .. } => {
                self.refuse(query.span().start, NO_QUERIES)
            }
            Node::Identifier(name) => self.column(name),
            Node::CompoundIdentifier(parts) => {
                let at = parts.first().map_or(START, |part| part.span.start);
                self.refuse(at, format!("write a column alone, without a table: `{}`", parts.last().map_or("", |part| &part.value)))
            }
            Node::Interval(_) => {
                self.refuse(node.span().start, "INTERVAL is not for rules: times are whole seconds, durations milliseconds")
            }
            Node::Function(function) => {
                if let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() {
                    if UNBOUNDED.contains(&name.value.to_lowercase().as_str()) {
                        return self.refuse(name.span.start, format!("{} is not for rules: it makes texts of any length", name.value));
                    }
                    self.functions.push(name.clone());
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
