//! A rule that has been checked: everything in it can be used.

use std::collections::BTreeSet;

use polars::prelude::{DataType, Expr, IntoLazy, LazyFrame, col};
use serde_saphyr::{Location, Spanned};

use super::columns::{self, DERIVED, Table};
use super::document::{Document, Test};
use super::intern::{interned, interned_list};
use super::place::{Problem, Source};
use super::sql::{self, Expression, Names};
use super::template::Template;
use super::view::{self, Input};
use crate::config::{Prefix, nearest};
use crate::detect::Severity;
use crate::time::{MINUTE, Nanos, SECOND};

/// Before the id, in an alert's type.
pub const PREFIX: &str = "rule:";
/// What a rule is sure of unless it says otherwise.
const CONFIDENCE: f64 = 0.8;
const LONGEST_ID: usize = 64;
/// The window's start while a rule is judged, and the numbers of the rows in a group.
pub(super) const WINDOW: &str = "__window";
pub(super) const ROWS: &str = "__rows";
pub(super) const MEASURE: &str = "__measure";
/// What every message may name, after what the rule itself names.
const ALWAYS: [&str; 6] = ["threshold", "attackers", "victims", "ports", "first_seen", "last_seen"];
const CONDITION: &str = "__condition";

#[derive(Debug)]
pub struct Rule {
    /// `rule:<id>`, as in alerts.
    pub kind: &'static str,
    pub title: String,
    pub severity: Severity,
    pub attack: &'static [&'static str],
    pub confidence: f64,
    pub about: Option<String>,
    pub table: &'static Table,
    pub networks: Vec<Network>,
    pub(super) filter: Option<Expr>,
    pub(super) group_by: Vec<String>,
    /// Width of the windows; none for the whole capture.
    pub window: Option<Nanos>,
    pub(super) measure: Expr,
    pub(super) measure_name: &'static str,
    pub(super) unit: &'static str,
    pub threshold: f64,
    pub(super) show: Vec<(String, Expr)>,
    pub(super) inputs: Vec<Input>,
    pub(super) attackers: Option<&'static str>,
    pub(super) victims: Option<&'static str>,
    pub(super) message: Template,
    pub next_steps: Vec<String>,
    pub tests: Vec<Test>,
    /// For what is found out when it runs.
    pub(super) source: Source,
    pub(super) at: Location,
}

/// Addresses that a rule gives a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: String,
    pub prefixes: Vec<Prefix>,
}

impl Rule {
    /// The id without [`PREFIX`].
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.kind.strip_prefix(PREFIX).unwrap_or(self.kind)
    }

    /// Checks everything that is written in a rule.
    ///
    /// # Errors
    /// Everything that is wrong with it; of what depends on a wrong part nothing is said.
    pub(super) fn read(source: &Source, document: Document) -> Result<Self, Vec<Problem>> {
        Reader { source, problems: Vec::new() }.rule(document)
    }

    /// The rows that the rule is about, out of a frame with its inputs.
    pub(super) fn matched(&self, frame: LazyFrame) -> LazyFrame {
        match &self.filter {
            Some(filter) => frame.filter(filter.clone()),
            None => frame,
        }
    }

    /// Groups of rows, each with its measure.
    pub(super) fn grouped(&self, matched: LazyFrame) -> LazyFrame {
        let keys = self.group_by.iter().map(|name| col(name.as_str())).chain([col(WINDOW)]);
        let shown = self.show.iter().enumerate().map(|(place, (_, expr))| expr.clone().alias(shown(place)));
        let measured = std::iter::once(self.measure.clone().alias(MEASURE));
        let aggregates: Vec<Expr> = measured.chain(shown).chain([col(ROWS)]).collect();
        matched.group_by_stable(keys.collect::<Vec<_>>()).agg(aggregates)
    }

    /// What may stand in braces in the message, in the order in which values are given.
    pub(super) fn names(group_by: &[String], measure: &str, show: &[(String, Expr)]) -> Vec<String> {
        let always = ALWAYS.map(str::to_owned);
        group_by.iter().cloned().chain([measure.to_owned()]).chain(show.iter().map(|(name, _)| name.clone())).chain(always).collect()
    }
}

/// Name of a shown value while a rule is judged.
pub(super) fn shown(place: usize) -> String {
    format!("__show_{place}")
}

struct Reader<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn rule(mut self, document: Document) -> Result<Rule, Vec<Problem>> {
        let at = document.id.referenced;
        let kind = self.id(&document.id);
        let severity = self.severity(&document.severity);
        let attack: Vec<&'static str> = document.attack.iter().filter_map(|id| self.technique(id)).collect();
        let confidence = self.number(document.confidence.as_ref(), CONFIDENCE, 0.0..=1.0, "a number from 0 to 1");
        let threshold = self.number(document.threshold.as_ref(), 1.0, f64::MIN..=f64::MAX, "a number");
        let networks = self.networks(&document);
        let table = columns::find(&document.table.value).map_err(|problem| self.wrong(&document.table, problem)).ok();
        // Columns can only be judged when their table is known.
        let (Some(table), Some(severity), Some(kind)) = (table, severity, kind) else { return Err(self.problems) };
        let scope = Scope { table, networks: &networks };
        let filter = document.r#where.as_ref().and_then(|text| self.expression(text, &scope));
        let measure = document.measure.as_ref().and_then(|text| self.expression(text, &scope));
        let show: Vec<Expression> = document.show.iter().filter_map(|text| self.shown(text, &scope)).collect();
        for name in &document.group_by {
            if let Err(problem) = scope.check(&name.value) {
                self.wrong(name, problem);
            }
        }
        let window = document.window_s.as_ref().and_then(|window| self.window(window, table));
        let attackers = self.role(document.attackers.as_ref(), table, table.attackers);
        let victims = self.role(document.victims.as_ref(), table, table.victims);
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let group_by: Vec<String> = document.group_by.iter().map(|name| name.value.clone()).collect();
        let read: BTreeSet<&str> = [&filter, &measure]
            .into_iter()
            .flatten()
            .chain(&show)
            .flat_map(|expression| &expression.columns)
            .chain(&group_by)
            .map(String::as_str)
            .collect();
        let inputs = read.into_iter().filter_map(|name| view::input(table, &networks, name)).collect();
        let measure_name = measure.as_ref().and_then(|measure| measure.name.clone()).unwrap_or_else(|| "measured".into());
        let show: Vec<(String, Expr)> = show.into_iter().map(|shown| (shown.name.unwrap_or_default(), shown.expr)).collect();
        let names = Rule::names(&group_by, &measure_name, &show);
        self.no_name_twice(&document, &names);
        let message = Template::read(self.source, &document.message, &names).map_err(|problem| self.problems.push(problem));
        let (Ok(message), true) = (message, self.problems.is_empty()) else { return Err(self.problems) };
        let rule = Rule {
            kind,
            title: document.title.value.trim().to_owned(),
            severity,
            attack: interned_list(&attack),
            confidence,
            about: document.about.as_ref().map(|about| about.value.trim().to_owned()),
            table,
            networks,
            filter: filter.map(|filter| filter.expr),
            group_by,
            window,
            measure: measure.map_or_else(polars::prelude::len, |measure| measure.expr),
            measure_name: interned(&measure_name),
            unit: interned(&document.unit),
            threshold,
            show,
            inputs,
            attackers,
            victims,
            message,
            next_steps: document.next_steps,
            tests: document.tests,
            source: Source { path: self.source.path.clone(), text: String::new() },
            at,
        };
        self.types(&rule, document.r#where.as_ref(), document.measure.as_ref(), &document.show);
        if self.problems.is_empty() { Ok(rule) } else { Err(self.problems) }
    }

    fn wrong<T>(&mut self, at: &Spanned<T>, problem: impl Into<String>) {
        self.problems.push(self.source.problem(at.referenced, problem));
    }

    fn id(&mut self, id: &Spanned<String>) -> Option<&'static str> {
        let text = id.value.as_str();
        let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-');
        if text.is_empty() || text.len() > LONGEST_ID || !text.chars().all(allowed) {
            self.wrong(id, format!("`{text}` is no id; write up to {LONGEST_ID} of a-z, 0-9, _ and -, such as smb-to-internet"));
            return None;
        }
        Some(interned(&format!("{PREFIX}{text}")))
    }

    fn severity(&mut self, text: &Spanned<String>) -> Option<Severity> {
        let found = Severity::ALL.into_iter().find(|severity| severity.name() == text.value);
        if found.is_none() {
            let names = Severity::ALL.map(Severity::name);
            let meant = nearest(&text.value, names).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            self.wrong(text, format!("`{}` is no severity{meant} (one of {})", text.value, names.join(", ")));
        }
        found
    }

    fn technique(&mut self, id: &Spanned<String>) -> Option<&'static str> {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|letter| letter.is_ascii_digit());
        let is_id = id.value.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
            Some((technique, part)) => digits(technique, 4) && digits(part, 3),
            None => digits(rest, 4),
        });
        if !is_id {
            self.wrong(id, format!("`{}` is no ATT&CK technique; write T1048 or T1048.003", id.value));
            return None;
        }
        Some(interned(&id.value))
    }

    fn number(&mut self, number: Option<&Spanned<f64>>, default: f64, range: std::ops::RangeInclusive<f64>, allowed: &str) -> f64 {
        let Some(number) = number else { return default };
        if !range.contains(&number.value) {
            self.wrong(number, format!("{} cannot be used; it must be {allowed}", number.value));
        }
        number.value
    }

    fn networks(&mut self, document: &Document) -> Vec<Network> {
        let mut networks = Vec::new();
        for (name, texts) in &document.networks {
            if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_') {
                self.wrong(texts, format!("`{name}` cannot name a network; write a-z, 0-9 and _"));
            }
            let mut prefixes = Vec::new();
            for text in &texts.value {
                match text.value.parse() {
                    Ok(prefix) => prefixes.push(prefix),
                    Err(problem) => self.wrong::<String>(text, problem),
                }
            }
            networks.push(Network { name: name.clone(), prefixes });
        }
        networks
    }

    fn expression(&mut self, text: &Spanned<String>, scope: &Scope<'_>) -> Option<Expression> {
        sql::read(self.source, text, scope).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn shown(&mut self, text: &Spanned<String>, scope: &Scope<'_>) -> Option<Expression> {
        let expression = self.expression(text, scope)?;
        if expression.name.is_none() {
            self.wrong(text, format!("give it a name for the message: {} AS name", text.value.trim()));
        }
        Some(expression)
    }

    fn window(&mut self, window: &Spanned<u64>, table: &Table) -> Option<Nanos> {
        /// A year: longer than any capture that anybody keeps.
        const LONGEST: u64 = 366 * 86_400;
        let Some(time) = table.time else {
            self.wrong(window, format!("{} has one row for the whole capture; leave window_s out", table.name));
            return None;
        };
        let step = if time == crate::table::schema::MINUTE { MINUTE / SECOND } else { 1 };
        let seconds = i64::try_from(window.value).unwrap_or(i64::MAX);
        if window.value == 0 || window.value > LONGEST || seconds % step != 0 {
            self.wrong(
                window,
                format!(
                    "{} cannot be used; rows of {} are told apart by {step} s, so write a multiple of {step} up to {LONGEST}",
                    window.value, table.name
                ),
            );
            return None;
        }
        Some(seconds * SECOND)
    }

    /// The column that an alert names as attackers or victims.
    fn role(&mut self, name: Option<&Spanned<String>>, table: &'static Table, default: Option<&'static str>) -> Option<&'static str> {
        let Some(name) = name else { return default };
        if name.value == "none" {
            return None;
        }
        let found = table.addresses().find(|column| *column == name.value);
        if found.is_none() {
            let known: Vec<&str> = table.addresses().collect();
            self.wrong(
                name,
                format!("`{}` is no column of addresses of {}; it has {} (or write none)", name.value, table.name, known.join(", ")),
            );
        }
        found
    }

    /// A name of the rule's own hides what every rule has; two of its own cannot be told apart.
    fn no_name_twice(&mut self, document: &Document, names: &[String]) {
        let mut seen = BTreeSet::new();
        let own = names.len().saturating_sub(ALWAYS.len());
        if let Some(twice) = names.iter().take(own).find(|name| !seen.insert(name.as_str())) {
            self.wrong(&document.message, format!("two values are called `{twice}`; give one another name with AS"));
        }
    }

    /// Asks Polars what comes out, on tables without rows.
    fn types(&mut self, rule: &Rule, filter: Option<&Spanned<String>>, measure: Option<&Spanned<String>>, show: &[Spanned<String>]) {
        let mut parts: Vec<(&Spanned<String>, String, Expr)> = Vec::new();
        parts.extend(measure.map(|text| (text, MEASURE.to_owned(), rule.measure.clone())));
        let shows = show.iter().zip(&rule.show).enumerate();
        parts.extend(shows.map(|(place, (text, (_, expr)))| (text, shown(place), expr.clone())));
        // A condition is no aggregate; that of one row has its type.
        let condition = rule.filter.clone().zip(filter).map(|(expr, text)| (text, CONDITION.to_owned(), expr.first()));
        let aggregates: Vec<Expr> = parts.iter().chain(&condition).map(|(_, name, expr)| expr.clone().alias(name.as_str())).collect();
        let empty = view::empty(rule);
        let outcome = |exprs: Vec<Expr>| empty.clone().lazy().group_by([col(WINDOW)]).agg(exprs).collect_schema();
        let schema = match outcome(aggregates.clone()) {
            Ok(schema) => schema,
            Err(cause) => {
                // Which of them Polars does not like, it says when it is asked for each alone.
                let alone = parts.iter().chain(&condition).zip(aggregates);
                let wrong = alone.filter_map(|((text, _, _), aggregate)| Some((*text, outcome(vec![aggregate]).err()?.to_string())));
                let mut wrong: Vec<(Location, String)> = wrong.map(|(text, cause)| (text.referenced, cause)).collect();
                if wrong.is_empty() {
                    wrong.push((rule.at, cause.to_string()));
                }
                let said =
                    wrong.into_iter().map(|(at, cause)| self.source.problem(at, format!("cannot be computed: {}", first_line(&cause))));
                return self.problems.extend(said);
            }
        };
        if let Some((text, name, _)) = &condition
            && schema.get(name) != Some(&DataType::Boolean)
        {
            self.wrong(text, "must be a condition that is true or false, such as port = 445");
        }
        for (text, name, _) in &parts {
            let dtype = schema.get(name);
            if matches!(dtype, Some(DataType::List(_))) {
                self.wrong(text, "must give one value for a group of rows, such as SUM(...), MAX(...) or COUNT(DISTINCT ...)");
            } else if name == MEASURE && !dtype.is_some_and(DataType::is_primitive_numeric) {
                self.wrong(text, "must give a number, to be held against the threshold");
            }
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

/// The columns that a rule may name.
struct Scope<'a> {
    table: &'static Table,
    networks: &'a [Network],
}

impl Names for Scope<'_> {
    fn check(&self, name: &str) -> Result<(), String> {
        if view::input(self.table, self.networks, name).is_some() {
            return Ok(());
        }
        let known = view::names(self.table, self.networks);
        let table = self.table.name;
        if let Some(meant) = nearest(name, known.iter().map(String::as_str)) {
            return Err(format!("{table} has no column `{name}`; did you mean `{meant}`?"));
        }
        let plain: Vec<&str> = self.table.columns.iter().map(|column| column.name).collect();
        Err(format!("{table} has no column `{name}`; it has {} and {}", plain.join(", "), DERIVED.map(|(name, _)| name).join(", ")))
    }
}
