//! `nsm rules`: what is wrong with a user's rules, whether they pass their own tests, and what there is.

use std::io::Write;
use std::path::PathBuf;

use super::{Outcome, print};
use crate::cli::RulesAction;
use crate::error::Error;
use crate::rules::{self, DERIVED, Rule, Rules, TABLES, Table};

pub(super) fn run(action: &RulesAction, out: &mut dyn Write) -> Result<Outcome, Error> {
    let text = match action {
        RulesAction::Check(args) => check(&args.paths)?,
        RulesAction::Test(args) => test(&args.paths)?,
        RulesAction::List(args) => list(&Rules::load(&args.paths)?),
        RulesAction::Columns { table } => columns(table.as_deref())?,
    };
    print(out, &text)?;
    Ok(Outcome::Done)
}

fn check(paths: &[PathBuf]) -> Result<String, Error> {
    let rules = Rules::load(paths)?;
    Ok(format!("{} rules in {} files, nothing wrong\n", rules.rules.len(), rules.files.len()))
}

fn test(paths: &[PathBuf]) -> Result<String, Error> {
    let rules = Rules::load(paths)?;
    let (tests, failed) = rules.test();
    if !failed.is_empty() {
        let failures = rules::error(&failed);
        return Err(Error::Usage(format!("{} of {tests} tests failed\n{failures}", failed.len())));
    }
    let untested: Vec<&str> = rules.rules.iter().filter(|rule| rule.tests.is_empty()).map(Rule::id).collect();
    let untested = if untested.is_empty() { String::new() } else { format!("; without a test: {}", untested.join(", ")) };
    Ok(format!("{tests} tests of {} rules passed{untested}\n", rules.rules.len()))
}

fn list(rules: &Rules) -> String {
    rules
        .rules
        .iter()
        .map(|rule| format!("{:<32} {:<9} {:<9} {}\n", rule.kind, rule.severity.name(), rule.table.name, rule.title))
        .collect()
}

fn columns(table: Option<&str>) -> Result<String, Error> {
    if let Some(name) = table {
        let table = rules::find_table(name).map_err(Error::Usage)?;
        return Ok(described(table));
    }
    let tables: String = TABLES.iter().map(|table| described(table) + "\n").collect();
    let derived: String = DERIVED.iter().map(|(name, about)| format!("  {name:<22} {about}\n")).collect();
    Ok(format!("{tables}in every table\n{derived}"))
}

fn described(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| format!("  {:<22} {} ({})\n", column.name, column.about, column.kind.unit()));
    format!("{}: {}\n{}", table.name, table.about, columns.collect::<String>())
}
