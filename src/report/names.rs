//! What the capture itself calls an address.
//!
//! The one place that decides between several names, so that every file of a report says the same.

use std::collections::BTreeMap;

use super::model::Report;
use crate::net::Addr;

/// Names that who captured wrote into the file, then those that answers of DNS gave; the first one wins.
pub fn names(report: &Report) -> BTreeMap<Addr, &str> {
    let written = report.facts.names.iter().rev().map(|(address, name)| (*address, name.as_str()));
    report.resolved.iter().map(|(address, name)| (*address, &**name)).chain(written).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_first_name_written_wins_over_the_others_and_over_dns() {
        let mut report = example::report();
        let [here, there] = [report.hosts[0].address, report.hosts[1].address];
        report.facts.names = vec![(here, "first".into()), (here, "second".into())];
        report.resolved = vec![(here, "from DNS".into()), (there, "from DNS".into())];
        assert_eq!(names(&report), BTreeMap::from([(here, "first"), (there, "from DNS")]));
    }
}
