//! A rule's own tests: rows in, alerts expected.
//!
//! The rows become a stored table as an analysis makes it, and are judged as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;

use polars::prelude::*;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::columns::{FLOWS, Kind, Table};
use super::document::{Expected, Test};
use super::judge;
use super::place::{Problem, Source};
use super::rule::Rule;
use super::view::stored;
use crate::config::{Config, nearest};
use crate::detect::{Alert, Capture, Context};
use crate::error::Error;
use crate::net::{Addr, Mac, mix};
use crate::table::{self, Distinct, Store, Tables, internal, schema as col};
use crate::time::{self, MILLISECOND, MINUTE, Nanos, SECOND};

/// When a row is that does not say when: Monday 2026-01-05, noon UTC.
const NOON: Nanos = 1_767_614_400 * SECOND;

/// Runs one test of a rule.
///
/// # Errors
/// What differs from what was expected, or what is wrong with the rows, with its place.
pub fn run(rule: &Rule, test: &Test) -> Result<(), Problem> {
    let source = &rule.source;
    let internal = |cause: Error| source.problem(test.name.referenced, cause.to_string());
    let config = Config::default();
    let mut tables =
        Store::new(&table::Settings { keep_flows: true, ..table::Settings::of(&config.base) }).finish(&mut |_| Ok(())).map_err(internal)?;
    fill(&mut tables, rule.table, test, source)?;
    let context = Context::new(&tables, &config, Capture::default()).map_err(internal)?;
    let (alerts, failed) = judge::run(&[rule], &context).map_err(internal)?;
    if let Some(problem) = failed.into_iter().next() {
        return Err(rule.source.problem(rule.at, problem));
    }
    let failed = |problem: String| source.problem(test.name.referenced, format!("{}: test {:?}: {problem}", rule.kind, test.name.value));
    if alerts.len() != test.alerts.len() {
        let said: String = alerts.iter().map(|alert| format!("\n    {}", alert.message)).collect();
        return Err(failed(format!("{} alerts instead of {}{said}", alerts.len(), test.alerts.len())));
    }
    for (number, (alert, expected)) in alerts.iter().zip(&test.alerts).enumerate() {
        if let Some(difference) = difference(alert, expected) {
            return Err(failed(format!("alert {}: {difference}", number + 1)));
        }
    }
    Ok(())
}

/// The first thing in which an alert is not as expected.
fn difference(alert: &Alert, expected: &Expected) -> Option<String> {
    let Expected { message, severity, measured, attackers, victims, ports } = expected;
    let is = alert.measured.first().map_or(0.0, |measured| measured.value);
    let as_wanted = measured.is_none_or(|want| (is - want).abs() < 1e-6);
    differs("message", &alert.message, message.as_ref())
        .or_else(|| differs("severity", &alert.severity.name().to_owned(), severity.as_ref()))
        .or_else(|| if as_wanted { None } else { differs("measured", &is, measured.as_ref()) })
        .or_else(|| differs("attackers", &alert.attackers, attackers.as_ref()))
        .or_else(|| differs("victims", &alert.victims, victims.as_ref()))
        .or_else(|| differs("ports", &alert.ports, ports.as_ref()))
}

fn differs<T: Debug + PartialEq>(what: &str, is: &T, want: Option<&T>) -> Option<String> {
    want.filter(|want| *want != is).map(|want| format!("{what}: {is:?} instead of {want:?}"))
}

type Row = BTreeMap<String, Spanned<Value>>;

/// Puts the rows of a test in the place of a table.
fn fill(tables: &mut Tables, about: &'static Table, test: &Test, source: &Source) -> Result<(), Problem> {
    let wrong = |cause: Error| source.problem(test.name.referenced, cause.to_string());
    let addresses = addresses(about, &test.rows, source)?;
    for row in &test.rows {
        for (name, value) in row {
            if about.column(name).is_none() {
                let meant = nearest(name, about.columns.iter().map(|column| column.name));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(source.problem(value.referenced, format!("{} has no column `{name}` that a row can give{meant}", about.name)));
            }
        }
    }
    let empty = stored(tables, about.name).map_err(wrong)?;
    let mut columns = Vec::new();
    for field in empty.schema().iter_fields() {
        let mut values = Vec::with_capacity(test.rows.len());
        for (number, row) in test.rows.iter().enumerate() {
            values.push(value(about, &field, row, number, &addresses).map_err(|(at, problem)| {
                let at = at.map_or(test.name.referenced, |value| value.referenced);
                source.problem(at, problem)
            })?);
        }
        let series = Series::from_any_values_and_dtype(field.name().clone(), &values, field.dtype(), false);
        columns.push(series.map_err(|cause| wrong(internal(cause)))?.into_column());
    }
    let frame = DataFrame::new(test.rows.len(), columns).map_err(|cause| wrong(internal(cause)))?;
    tables.addresses = addresses;
    let place = match about.name {
        FLOWS => tables.kept_flows.get_or_insert_default(),
        "contacts" => &mut tables.contacts,
        "victims" => &mut tables.victims,
        "folds" => &mut tables.folds,
        "claims" => &mut tables.claims,
        "logins" => &mut tables.facts.logins,
        "names" => &mut tables.facts.names,
        "services" => &mut tables.facts.services,
        "requests" => &mut tables.facts.requests,
        "leases" => &mut tables.facts.leases,
        _ => &mut tables.facts.remote,
    };
    *place = frame;
    Ok(())
}

/// Every address that the rows name, sorted as those of tables are.
fn addresses(about: &Table, rows: &[Row], source: &Source) -> Result<Vec<Addr>, Problem> {
    let mut all = BTreeSet::from([Addr::UNSPECIFIED]);
    for row in rows {
        for value in about.addresses().filter_map(|name| row.get(name)) {
            let address =
                address(&value.value).ok_or_else(|| source.problem(value.referenced, format!("{} is no address", value.value)))?;
            all.insert(address);
        }
    }
    Ok(all.into_iter().collect())
}

fn address(value: &Value) -> Option<Addr> {
    value.as_str()?.parse::<IpAddr>().ok().map(Addr::from)
}

type Wrong<'a> = (Option<&'a Spanned<Value>>, String);

/// One value of a stored table: as the row gives it, else what an uneventful row has.
fn value<'a>(about: &Table, field: &Field, row: &'a Row, number: usize, addresses: &[Addr]) -> Result<AnyValue<'static>, Wrong<'a>> {
    let name = field.name().as_str();
    let given = row.get(name);
    let Some((given, column)) = given.zip(about.column(name)) else { return Ok(absent(about, field, row, number)) };
    let wrong = |want: &str| (Some(given), format!("{name}: {} cannot be used; it must be {want}", given.value));
    let whole = || given.value.as_i64().ok_or_else(|| wrong("a whole number"));
    Ok(match column.kind {
        Kind::Address => {
            let id = address(&given.value).and_then(|address| addresses.binary_search(&address).ok()).unwrap_or_default();
            AnyValue::UInt32(u32::try_from(id).unwrap_or_default())
        }
        Kind::Text => AnyValue::StringOwned(given.value.as_str().ok_or_else(|| wrong("text"))?.into()),
        Kind::Mac => AnyValue::UInt64(mac(&given.value).ok_or_else(|| wrong("a hardware address such as 02:00:5e:10:00:01"))?.0),
        Kind::Flag => AnyValue::UInt8(u8::from(given.value.as_bool().ok_or_else(|| wrong("true or false"))?)),
        Kind::Time => {
            let moment = moment(&given.value).ok_or_else(|| wrong("a moment such as 2026-01-05T23:10:00Z"))?;
            AnyValue::Int64(if name == col::MINUTE { time::pane(moment, MINUTE) } else { moment })
        }
        Kind::Duration => AnyValue::Int64(whole()?.saturating_mul(MILLISECOND)),
        Kind::Members => AnyValue::BinaryOwned(members(u64::try_from(whole()?).unwrap_or_default()).to_bytes()),
        Kind::Seconds => AnyValue::UInt64((0..whole()?.clamp(0, 60)).fold(0, |bits, second| bits | 1 << second)),
        Kind::Number => {
            let number = whole()?;
            let most = match field.dtype() {
                DataType::UInt8 => i64::from(u8::MAX),
                DataType::UInt16 => i64::from(u16::MAX),
                DataType::UInt32 => i64::from(u32::MAX),
                _ => i64::MAX,
            };
            if !(0..=most).contains(&number) {
                return Err(wrong(&format!("from 0 to {most}")));
            }
            AnyValue::Int64(number)
        }
    })
}

/// What a row has that says nothing of this column.
fn absent(about: &Table, field: &Field, row: &Row, number: usize) -> AnyValue<'static> {
    let name = field.name().as_str();
    let given = |name: &str| row.get(name).and_then(|value| moment(&value.value));
    let time = about.time.and_then(given).or_else(|| given(col::FIRST_TS)).unwrap_or(NOON);
    match (name, field.dtype()) {
        (col::MINUTE, _) => AnyValue::Int64(time::pane(time, MINUTE)),
        (col::TS | col::FIRST_TS, _) => AnyValue::Int64(time),
        (col::LAST_TS, _) => AnyValue::Int64(given(col::FIRST_TS).unwrap_or(time)),
        (col::FIRST_ORD | col::LAST_ORD, _) => AnyValue::UInt64(number as u64 + 1),
        (col::FIRST_FAILURE | col::LAST_FAILURE | col::FIRST_SUCCESS | col::LAST_SUCCESS, _) => AnyValue::Null,
        (_, DataType::String) => AnyValue::StringOwned(PlSmallStr::EMPTY),
        (_, DataType::Binary) => AnyValue::BinaryOwned(Vec::new()),
        _ => AnyValue::Int64(0),
    }
}

fn moment(value: &Value) -> Option<Nanos> {
    match value {
        Value::String(text) => time::parse(text),
        Value::Number(seconds) => seconds.as_i64()?.checked_mul(SECOND),
        _ => None,
    }
}

fn mac(value: &Value) -> Option<Mac> {
    let bytes: Vec<u8> = value.as_str()?.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
    Some(Mac::from_bytes(bytes.try_into().ok()?))
}

/// So many distinct things.
fn members(count: u64) -> Distinct {
    let mut members = Distinct::default();
    (0..count.min(1 << 20)).for_each(|number| members.insert(mix(number, 0)));
    members
}
