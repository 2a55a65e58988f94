//! The services that carried the most bytes: who was reached at which port, and what was spoken there.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::frames::{Address, Tables, internal};
use super::schema;
use crate::error::Error;
use crate::net::{Addr, ip_proto};

/// Names kept of a service; one server can have thousands.
const NAMES: usize = 3;

/// One port of one host that others connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusyService {
    pub address: Addr,
    pub port: u16,
    /// IP protocol number.
    pub proto: u8,
    /// What was spoken, known by content (`http`, `ssl`); empty where nothing was recognised.
    pub service: String,
    /// TLS server names or HTTP hosts, those of most connections first.
    pub names: Vec<String>,
    pub connections: u64,
    /// Payload, both ways.
    pub bytes: u64,
}

type Place = (Address, u16, u8);

impl Tables {
    /// The services with the most payload, busiest first; ports that carried none are no service.
    ///
    /// # Errors
    /// When Polars refuses a query, which would be a defect of ours.
    pub fn busiest_services(&self, limit: usize) -> Result<Vec<BusyService>, Error> {
        let busiest = self.busiest(limit)?;
        let mut spoken = self.spoken(&busiest)?;
        let service = |(place, connections, bytes): (Place, u64, u64)| {
            let (service, names) = spoken.remove(&place).unwrap_or_default();
            BusyService { address: self.address(place.0), port: place.1, proto: place.2, service, names, connections, bytes }
        };
        Ok(busiest.into_iter().map(service).collect())
    }

    /// Place, connections and bytes.
    fn busiest(&self, limit: usize) -> Result<Vec<(Place, u64, u64)>, Error> {
        const BYTES: &str = "bytes";
        let found = self
            .contacts
            .clone()
            .lazy()
            .group_by([col(schema::TARGET), col(schema::PORT), col(schema::PROTO)])
            .agg([
                col(schema::CONNECTIONS).cast(DataType::UInt64).sum(),
                (col(schema::BYTES_OUT).sum() + col(schema::BYTES_BACK).sum()).alias(BYTES),
            ])
            .filter(col(BYTES).gt(lit(0_u64)).and(has_ports()))
            // Every column of the key, so that the order is total.
            .sort_by_exprs(
                [col(BYTES), col(schema::TARGET), col(schema::PORT), col(schema::PROTO)],
                SortMultipleOptions::new().with_order_descending_multi([true, false, false, false]),
            )
            .limit(IdxSize::try_from(limit).unwrap_or(IdxSize::MAX))
            .collect()
            .map_err(internal)?;
        let numbers = |name: &str| found.column(name).and_then(|column| column.u64()).map_err(internal);
        let targets = found.column(schema::TARGET).and_then(|column| column.u32()).map_err(internal)?;
        let ports = found.column(schema::PORT).and_then(|column| column.u16()).map_err(internal)?;
        let protos = found.column(schema::PROTO).and_then(|column| column.u8()).map_err(internal)?;
        let places = targets.into_no_null_iter().zip(ports.into_no_null_iter()).zip(protos.into_no_null_iter());
        let sums = numbers(schema::CONNECTIONS)?.into_no_null_iter().zip(numbers(BYTES)?.into_no_null_iter());
        Ok(places.zip(sums).map(|(((target, port), proto), (connections, bytes))| ((target, port, proto), connections, bytes)).collect())
    }

    /// What was spoken at these places, and under which names.
    fn spoken(&self, places: &[(Place, u64, u64)]) -> Result<BTreeMap<Place, (String, Vec<String>)>, Error> {
        let table = &self.facts.services;
        let text = |name: &str| table.column(name).and_then(|column| column.str()).map_err(internal);
        let servers = table.column(schema::SERVER).and_then(|column| column.u32()).map_err(internal)?;
        let ports = table.column(schema::PORT).and_then(|column| column.u16()).map_err(internal)?;
        let protos = table.column(schema::PROTO).and_then(|column| column.u8()).map_err(internal)?;
        let connections = table.column(schema::CONNECTIONS).and_then(|column| column.u64()).map_err(internal)?;
        let keys = servers.into_no_null_iter().zip(ports.into_no_null_iter()).zip(protos.into_no_null_iter());
        let text = |name: &str| text(name).map(|texts| texts.iter().map(Option::unwrap_or_default));
        let said = text(schema::SERVICE)?.zip(text(schema::NAME)?);
        let mut rows: BTreeMap<Place, Vec<(u64, &str, &str)>> = places.iter().map(|(place, ..)| (*place, Vec::new())).collect();
        for ((((server, port), proto), (service, name)), connections) in keys.zip(said).zip(connections.into_no_null_iter()) {
            if let Some(rows) = rows.get_mut(&(server, port, proto)) {
                rows.push((connections, service, name));
            }
        }
        Ok(rows.into_iter().map(|(place, rows)| (place, most_spoken(rows))).collect())
    }
}

/// ICMP has types in place of ports, and types are no services.
fn has_ports() -> Expr {
    [ip_proto::TCP, ip_proto::UDP, ip_proto::SCTP]
        .map(|proto| col(schema::PROTO).eq(lit(proto)))
        .into_iter()
        .reduce(Expr::or)
        .unwrap_or(lit(true))
}

/// The service of most connections, and the names of most connections.
fn most_spoken(mut rows: Vec<(u64, &str, &str)>) -> (String, Vec<String>) {
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let service = rows.iter().map(|(_, service, _)| *service).find(|service| !service.is_empty()).unwrap_or_default();
    let names = rows.iter().map(|(_, _, name)| *name).filter(|name| !name.is_empty()).take(NAMES);
    (service.to_owned(), names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_called_what_most_connections_called_it() {
        let rows = vec![(1, "http", "old.test"), (5, "", ""), (3, "ssl", "b.test"), (3, "ssl", "a.test"), (1, "ssl", "z.test")];
        assert_eq!(most_spoken(rows), ("ssl".to_owned(), ["a.test", "b.test", "old.test"].map(str::to_owned).to_vec()));
        assert_eq!(most_spoken(Vec::new()), (String::new(), Vec::new()));
    }
}
