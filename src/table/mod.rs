//! From packets to the few small tables that detectors judge.
//!
//! Packets are aggregated natively in [`SHARDS`] virtual shards, and in as many shards of targets; the
//! aggregates become Polars frames when they are complete ([`Tables`]). The number of shards never
//! depends on the number of threads, so neither does any result. This module knows what a connection,
//! an attempt and an answer are; it does not know what is suspicious.

mod admission;
mod busy_services;
mod claims;
mod contacts;
mod distinct;
mod echoes;
mod fact_frames;
mod facts;
pub mod flow;
mod frames;
mod gather;
mod hosts;
mod kept;
mod keyed;
mod leases;
mod logins;
mod mixture;
mod names;
mod neighbours;
mod pages;
mod part;
mod rate;
mod remote;
mod requests;
mod resolved;
pub mod schema;
mod series;
mod served;
mod services;
mod sessions;
mod shard;
mod store;
mod streams;
mod timeline;
mod told;
mod victims;
mod weights;

pub use admission::Limits;
pub use busy_services::BusyService;
pub use distinct::Distinct;
pub use echoes::EchoRow;
pub use echoes::USUAL as USUAL_ECHO;
pub use fact_frames::FactFrames;
#[cfg(test)]
pub use facts::Ends;
pub use flow::{ConnState, Flow, Outcome, Timeouts, pattern};
pub(crate) use frames::internal;
pub use frames::{Address, Tables};
pub use hosts::HostTotals;
pub use keyed::Merge;
pub use mixture::{FEATURES, Mixture};
pub use names::QUESTION;
pub use neighbours::Role;
pub use part::{Part, Wire};
pub use rate::BUSY;
pub use series::Start;
pub use served::Served;
pub use sessions::Labels;
pub use shard::{Ended, ShardTotals};
pub use store::{Settings, Store};
pub use timeline::Counts;
pub use told::Told;

/// Virtual shards of address pairs, and of targets. Enough for any machine's cores and few enough
/// that a batch of 65 536 rows gives each a run worth its start.
pub const SHARDS: usize = 64;
