//! What is known of a network from captures that somebody called good: a small file, made once, used often.
//!
//! Holds hosts with their TCP services and what their minutes were like, and the half-space trees' masses. All of
//! it is counts and sets, so that baselines of several captures merge. Knows the text of the file, not where
//! it lies. The file is input like any other: what it says is checked before it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::features::{self, FEATURES};
use super::half_space::Forest;
use super::newcomers::{exchanged, services};
use super::past::Past;
use crate::error::Error;
use crate::net::Addr;
use crate::table::{Address, Tables};

/// Raised when what is saved changes its meaning, and with the features or the trees.
const VERSION: u32 = 1;
/// More hosts would make the file larger than the capture; those seen least are left out, and then no host can be
/// called new.
const MOST_HOSTS: usize = 20_000;
/// A host outside that was there for a shorter time teaches nothing.
const LEAST_MINUTES: u32 = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub past: Past,
    /// TCP ports that answered with a whole handshake.
    pub services: BTreeSet<u16>,
}

/// The saved past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    hosts: BTreeMap<Addr, Known>,
    forest: Forest,
    /// Hosts that found no room.
    left_out: u64,
}

impl Baseline {
    /// What the tables of one capture teach.
    ///
    /// # Errors
    /// Only when a table lacks a column, which would be a defect of ours.
    pub fn of(tables: &Tables) -> Result<Self, Error> {
        let active = features::active_minutes(tables)?;
        let seen = exchanged(tables)?;
        let is_kept = |host: Address, minutes: u32| {
            let address = tables.address(host);
            !address.is_group() && if address.is_private() { seen.contains(&host) } else { minutes >= LEAST_MINUTES }
        };
        let kept: Vec<bool> = (0..).zip(&active).map(|(host, minutes)| *minutes > 0 && is_kept(host, *minutes)).collect();
        let mut known: BTreeMap<Address, Known> = BTreeMap::new();
        let mut points = Vec::new();
        for minute in features::host_minutes(tables, &kept)? {
            let levels = minute.levels();
            known.entry(minute.host).or_default().past.learn(&levels);
            points.push(levels);
        }
        for (host, port) in services(tables)? {
            if let Some(known) = known.get_mut(&host) {
                known.services.insert(port);
            }
        }
        let mut baseline =
            Self { hosts: known.into_iter().map(|(host, known)| (tables.address(host), known)).collect(), ..Self::default() };
        baseline.forest.learn(&points);
        baseline.shrink();
        Ok(baseline)
    }

    /// Takes in what another capture taught.
    pub fn merge(&mut self, other: &Self) {
        for (address, other) in &other.hosts {
            let known = self.hosts.entry(*address).or_default();
            known.past.merge(&other.past);
            known.services.extend(&other.services);
        }
        self.forest.merge(&other.forest);
        self.left_out += other.left_out;
        self.shrink();
    }

    fn shrink(&mut self) {
        let Some(excess) = self.hosts.len().checked_sub(MOST_HOSTS).filter(|excess| *excess > 0) else { return };
        let mut by_minutes: Vec<(u32, Addr)> = self.hosts.iter().map(|(address, known)| (known.past.minutes, *address)).collect();
        by_minutes.sort_unstable();
        for (_, address) in &by_minutes[..excess] {
            self.hosts.remove(address);
        }
        self.left_out += excess as u64;
    }

    pub(super) fn host(&self, address: Addr) -> Option<&Known> {
        self.hosts.get(&address)
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &Known> {
        self.hosts.values()
    }

    pub(super) const fn forest(&self) -> &Forest {
        &self.forest
    }

    /// A host that is not in here was not there.
    pub(super) const fn is_complete(&self) -> bool {
        self.left_out == 0
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Never in practice: there is nothing in it that JSON cannot say.
    pub fn to_json(&self) -> Result<String, Error> {
        let hosts = self.hosts.iter().map(|(address, known)| Host {
            address: address.to_string(),
            services: known.services.iter().copied().collect(),
            past: known.past.clone(),
        });
        let file = File {
            nsm_baseline: VERSION,
            features: FEATURES.iter().map(|feature| feature.name.to_owned()).collect(),
            hosts: hosts.collect(),
            left_out: self.left_out,
            points: self.forest.points(),
            trees: self.forest.leaves(),
        };
        let mut text = serde_json::to_string(&file).map_err(|cause| Error::Internal(cause.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let Header { nsm_baseline } = serde_json::from_str(text).map_err(|_| "it is not one that nsm saved".to_owned())?;
        if nsm_baseline != VERSION {
            return Err(format!("it is of version {nsm_baseline}, and this nsm reads version {VERSION}"));
        }
        let file: File = serde_json::from_str(text).map_err(|cause| format!("it is damaged: {cause}"))?;
        if !file.features.iter().map(String::as_str).eq(FEATURES.iter().map(|feature| feature.name)) {
            return Err("it was made with other features".to_owned());
        }
        let mut hosts = BTreeMap::new();
        for host in file.hosts {
            let address = host.address.parse::<IpAddr>().map_err(|_| format!("it is damaged: {:?} is no address", host.address))?;
            if !host.past.is_sound() {
                return Err(format!("it is damaged: the counts of {address} do not add up"));
            }
            hosts.insert(Addr::from(address), Known { past: host.past, services: host.services.into_iter().collect() });
        }
        let forest = Forest::of_leaves(file.points, &file.trees).ok_or("it is damaged: the masses of the trees do not add up")?;
        Ok(Self { hosts, forest, left_out: file.left_out })
    }
}

/// What every version begins with.
#[derive(Deserialize)]
struct Header {
    nsm_baseline: u32,
}

#[derive(Serialize, Deserialize)]
struct File {
    nsm_baseline: u32,
    features: Vec<String>,
    hosts: Vec<Host>,
    left_out: u64,
    points: u32,
    trees: Vec<Vec<(u16, u32)>>,
}

#[derive(Serialize, Deserialize)]
struct Host {
    address: String,
    services: Vec<u16>,
    #[serde(flatten)]
    past: Past,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::detect::testing::{Capture, host};

    fn learned(seed: u16) -> Baseline {
        let mut capture = Capture::default();
        for n in 0..7_u16 {
            capture.at_ms(i64::from(n) * 60_000).conversation(5, 20_000 + n, 9, 80 + seed);
        }
        Baseline::of(&capture.tables(&Config::default())).unwrap()
    }

    #[test]
    fn what_is_saved_reads_back() {
        let baseline = learned(0);
        let text = baseline.to_json().unwrap();
        assert_eq!(Baseline::from_json(&text), Ok(baseline.clone()));
        let known = baseline.host(host(9).parse::<IpAddr>().map(Addr::from).unwrap()).unwrap();
        assert_eq!((known.past.minutes, known.services.iter().copied().collect::<Vec<_>>()), (7, vec![80]));
        assert_eq!(baseline.forest().points(), 14);
    }

    #[test]
    fn baselines_merge_in_any_order() {
        let (mut one, mut other) = (learned(0), learned(1));
        one.merge(&learned(1));
        other.merge(&learned(0));
        assert_eq!(one, other);
        assert_eq!(one.forest().points(), 28);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        let text = learned(0).to_json().unwrap();
        for (broken, said) in [
            ("{}".to_owned(), "not one that nsm saved"),
            ("\u{0}".to_owned(), "not one that nsm saved"),
            (text.replace("\"nsm_baseline\":1", "\"nsm_baseline\":2"), "version 2"),
            (text.replace("\"points\":14", "\"points\":15"), "do not add up"),
            (text.replace("\"minutes\":7", "\"minutes\":8"), "do not add up"),
            (text.replace("10.0.0.9", "10.0.0.900"), "no address"),
            (text.replace("DNS questions", "DNS answers"), "other features"),
            (text[..text.len() / 2].to_owned(), "not one that nsm saved"),
        ] {
            let refused = Baseline::from_json(&broken).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
