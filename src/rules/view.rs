//! Stored tables as rules see them: addresses as text, times in seconds, sets as their numbers.
//!
//! A column is made once for all rules that read it, and columns that no rule reads are not made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use polars::prelude::*;
use rayon::prelude::*;

use super::columns::{HOUR, Kind, Table, WEEKDAY};
use super::rule::{Network, ROWS, Rule, WINDOW};
use crate::error::Error;
use crate::net::{Addr, Mac};
use crate::pseudonym;
use crate::table::{Distinct, Tables, internal, schema as col};
use crate::time::{HOUR as AN_HOUR, MILLISECOND, SECOND};

const SCOPE: &str = "_scope";
const WITHIN: &str = "_in_";
const DAY: i64 = 24 * AN_HOUR;

/// A column that a rule reads: its name there, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    stored: &'static str,
    made: Made,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Plain(Kind),
    Scope,
    /// Lies in one of the networks of that name.
    Within(Network),
    Hour,
    Weekday,
}

/// The column of that name, stored or derived.
pub fn input(table: &'static Table, networks: &[Network], name: &str) -> Option<Input> {
    let of = |stored, made| Some(Input { name: name.to_owned(), stored, made });
    if let Some(column) = table.column(name) {
        return of(column.name, Made::Plain(column.kind));
    }
    if let Some(time) = table.time {
        match name {
            HOUR => return of(time, Made::Hour),
            WEEKDAY => return of(time, Made::Weekday),
            _ => {}
        }
    }
    let address = table.addresses().find(|address| name.strip_prefix(address).is_some_and(|rest| rest.starts_with('_')))?;
    let rest = name.strip_prefix(address)?;
    if rest == SCOPE {
        return of(address, Made::Scope);
    }
    let network = networks.iter().find(|network| rest.strip_prefix(WITHIN) == Some(&network.name))?;
    of(address, Made::Within(network.clone()))
}

impl Input {
    /// A value of this column as it is told.
    pub fn told(&self, value: &str) -> String {
        match self.made {
            Made::Plain(Kind::Address) => address(value).unwrap_or_else(|| pseudonym::word(value).into_owned()),
            Made::Plain(Kind::Mac) => Mac::of_plain(value).map_or_else(|| pseudonym::word(value).into_owned(), |mac| mac.to_string()),
            Made::Plain(Kind::Text) => match self.stored {
                col::DOMAIN | col::NAME | col::SERVER_NAME => pseudonym::name(value).into_owned(),
                col::USER => pseudonym::user(value).into_owned(),
                col::CLIENT_SOFTWARE | col::SERVER_SOFTWARE => pseudonym::word(value).into_owned(),
                // Words of ours, and fingerprints.
                _ => value.to_owned(),
            },
            _ => value.to_owned(),
        }
    }

    /// Its values are from packets, and name somebody.
    fn is_captured(&self) -> bool {
        const OURS: [&str; 5] = [col::SERVICE, col::CONN_STATE, col::OUTCOME, col::WHAT, col::JA4];
        matches!(self.made, Made::Plain(Kind::Address | Kind::Mac | Kind::Text)) && !OURS.contains(&self.stored)
    }
}

/// What an expression made of these columns, as it is told.
pub fn told(inputs: &[Input], value: &str) -> String {
    if pseudonym::current().is_none() || !inputs.iter().any(Input::is_captured) {
        return value.to_owned();
    }
    let mac = || Mac::of_plain(value).map(|mac| mac.to_string());
    address(value).or_else(mac).unwrap_or_else(|| pseudonym::word(value).into_owned())
}

fn address(value: &str) -> Option<String> {
    value.parse::<IpAddr>().ok().map(|ip| Addr::from(ip).to_string())
}

/// Every name that [`input`] knows.
pub fn names(table: &'static Table, networks: &[Network]) -> Vec<String> {
    let derived = table.addresses().flat_map(|address| {
        let within = networks.iter().map(move |network| format!("{address}{WITHIN}{}", network.name));
        std::iter::once(format!("{address}{SCOPE}")).chain(within)
    });
    let time = table.time.iter().flat_map(|_| [HOUR, WEEKDAY]).map(str::to_owned);
    table.columns.iter().map(|column| column.name.to_owned()).chain(derived).chain(time).collect()
}

impl Made {
    const fn dtype(&self) -> DataType {
        match self {
            Self::Plain(Kind::Address | Kind::Mac | Kind::Text) | Self::Scope => DataType::String,
            Self::Plain(Kind::Flag) | Self::Within(_) => DataType::Boolean,
            Self::Plain(Kind::Number | Kind::Time | Kind::Duration | Kind::Members | Kind::Seconds) | Self::Hour | Self::Weekday => {
                DataType::Int64
            }
        }
    }
}

/// The frame that a rule's groups are made of, without rows.
pub fn empty(rule: &Rule) -> DataFrame {
    let inputs = rule.inputs.iter().map(|input| Column::new_empty(input.name.as_str().into(), &input.made.dtype()));
    DataFrame::new(0, inputs.chain([Column::new_empty(WINDOW.into(), &DataType::Int64)]).collect()).unwrap_or_default()
}

/// Columns that have been made, by table and name; a network's are its rule's own.
pub struct Views<'a> {
    tables: &'a Tables,
    addresses: StringChunked,
    made: BTreeMap<(&'static str, String), Column>,
}

impl<'a> Views<'a> {
    /// Makes what the rules read.
    ///
    /// # Errors
    /// When a stored table is not what it should be, which would be a defect of ours.
    pub fn new(tables: &'a Tables, rules: &[&Rule]) -> Result<Self, Error> {
        let needed: BTreeMap<(&'static str, &str), &Input> =
            rules.iter().flat_map(|rule| rule.inputs.iter().map(|input| ((rule.table.name, input.name.as_str()), input))).collect();
        let texts = needed.values().any(|input| input.made == Made::Plain(Kind::Address));
        let addresses: StringChunked = if texts {
            // Rules are judged by real addresses, too; what is told of their rows goes through `told`.
            tables.addresses.par_iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().into_iter().map(Some).collect()
        } else {
            StringChunked::default()
        };
        let mut views = Self { tables, addresses, made: BTreeMap::new() };
        for ((table, name), input) in needed {
            if !matches!(input.made, Made::Within(_)) {
                let column = views.make(table, input)?;
                views.made.insert((table, name.to_owned()), column);
            }
        }
        Ok(views)
    }

    /// The frame that a rule is judged on: what it reads, and the number of the stored row.
    pub fn frame(&self, rule: &Rule) -> Result<DataFrame, Error> {
        let stored = stored(self.tables, rule.table.name)?;
        let mut columns = Vec::with_capacity(rule.inputs.len() + 1);
        for input in &rule.inputs {
            let made = self.made.get(&(rule.table.name, input.name.clone())).cloned();
            columns.push(made.map_or_else(|| self.make(rule.table.name, input), Ok)?);
        }
        let rows = u32::try_from(stored.height()).unwrap_or(u32::MAX);
        columns.push(UInt32Chunked::from_vec(ROWS.into(), (0..rows).collect()).into_column());
        DataFrame::new(stored.height(), columns).map_err(internal)
    }

    fn make(&self, table: &str, input: &Input) -> Result<Column, Error> {
        let stored = stored(self.tables, table)?.column(input.stored).map_err(internal)?;
        self.values(stored, input).map(|made| made.with_name(input.name.as_str().into())).map_err(internal)
    }

    fn values(&self, stored: &Column, input: &Input) -> PolarsResult<Column> {
        Ok(match &input.made {
            Made::Plain(Kind::Text) => stored.clone(),
            Made::Plain(Kind::Address) => self.addresses.take(stored.u32()?)?.into_column(),
            Made::Plain(Kind::Mac) => {
                stored.u64()?.iter().map(|mac| mac.map(|mac| Mac(mac).plain())).collect::<StringChunked>().into_column()
            }
            Made::Plain(Kind::Number) => stored.cast(&DataType::Int64)?,
            Made::Plain(Kind::Time) => stored.i64()?.apply_values(|ts| ts.div_euclid(SECOND)).into_column(),
            Made::Plain(Kind::Duration) => stored.i64()?.apply_values(|length| length.div_euclid(MILLISECOND)).into_column(),
            Made::Plain(Kind::Flag) => stored.u8()?.iter().map(|flag| flag.map(|flag| flag != 0)).collect::<BooleanChunked>().into_column(),
            Made::Plain(Kind::Members) => {
                let count = |bytes: Option<&[u8]>| bytes.and_then(|bytes| i64::try_from(Distinct::from_bytes(bytes).count()).ok());
                stored.binary()?.iter().map(count).collect::<Int64Chunked>().into_column()
            }
            Made::Plain(Kind::Seconds) => {
                stored.u64()?.iter().map(|bits| bits.map(|bits| i64::from(bits.count_ones()))).collect::<Int64Chunked>().into_column()
            }
            Made::Scope => {
                let scopes: StringChunked = SCOPES.into_iter().map(Some).collect();
                let places: UInt32Chunked = stored.u32()?.iter().map(|id| id.map(|id| scope(self.tables.address(id)))).collect();
                scopes.take(&places)?.into_column()
            }
            Made::Within(network) => {
                let inside: Vec<bool> = self
                    .tables
                    .addresses
                    .par_iter()
                    .map(|address| network.prefixes.iter().any(|prefix| prefix.contains(*address)))
                    .collect();
                let is_inside = |id: Option<u32>| id.map(|id| inside.get(id as usize).copied().unwrap_or_default());
                stored.u32()?.iter().map(is_inside).collect::<BooleanChunked>().into_column()
            }
            Made::Hour => stored.i64()?.apply_values(|ts| ts.rem_euclid(DAY) / AN_HOUR).into_column(),
            // 1970-01-01 was a Thursday, the fourth day of its week.
            Made::Weekday => stored.i64()?.apply_values(|ts| (ts.div_euclid(DAY) + 3).rem_euclid(7) + 1).into_column(),
        })
    }
}

/// The stored table of that name.
pub fn stored<'a>(tables: &'a Tables, name: &str) -> Result<&'a DataFrame, Error> {
    let found = tables.frames().into_iter().find(|(stored, _)| *stored == name);
    found.map(|(_, table)| table).ok_or_else(|| Error::Internal(format!("there is no table {name}")))
}

const SCOPES: [&str; 3] = ["public", "private", "group"];

/// Place in [`SCOPES`].
const fn scope(address: Addr) -> u32 {
    if address.is_group() {
        2
    } else if address.is_private() {
        1
    } else {
        0
    }
}
