//! What every detector is given: the tables, the thresholds, and what is known of the capture.

use super::alert::{Alert, LISTED};
use super::baseline::Baseline;
use super::campaigns::Campaign;
use super::flood_seconds::Flood;
use super::quality::{self, Damage, Quality};
use super::rows::{i64s, u32s, u64s};
use super::scans::Scans;
use super::{campaigns, syn_flood, udp_flood};
use crate::config::{Config, Settings};
use crate::decode::Checksums;
use crate::error::Error;
use crate::net::Addr;
use crate::table::{Address, Tables, schema as col};
use crate::time::Nanos;

/// What the accounting says about the capture as evidence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capture {
    pub span: Option<(Nanos, Nanos)>,
    pub clock_jumps: u64,
    /// Frames and, of those, frames cut by the snapshot length.
    pub frames: u64,
    pub cut_frames: u64,
    /// Frames that could not be decoded at all.
    pub undecoded: u64,
    /// Packets the capturing machine dropped.
    pub dropped: u64,
    pub damage: Damage,
    /// Of a sample of frames, where one was taken.
    pub checksums: Option<Checksums>,
}

pub struct Context<'a> {
    pub tables: &'a Tables,
    pub config: &'a Config,
    pub capture: Capture,
    /// Most packets went one way only: silence says nothing.
    pub asymmetric: bool,
    /// What is known of the network from captures that were called good.
    pub baseline: Option<&'a Baseline>,
    /// Scans, found once and told by several detectors.
    pub(super) scans: Scans,
    /// Floods and failed logins, in the same way.
    pub(super) syn_floods: Vec<syn_flood::Found>,
    pub(super) udp_floods: Vec<udp_flood::Found>,
    pub(super) campaigns: Vec<Campaign>,
    /// Minute and packets of what was folded, by source.
    folds: Vec<(Address, Nanos, u64)>,
    quality: Quality,
}

impl<'a> Context<'a> {
    /// Looks at the tables once for what several detectors need.
    ///
    /// # Errors
    /// When Polars refuses a query, which would be a defect of ours.
    pub fn new(tables: &'a Tables, config: &'a Config, capture: Capture) -> Result<Self, Error> {
        let asymmetric = quality::is_one_way(&tables.totals);
        let quality = Quality::of(&capture, tables);
        let (sources, minutes, packets) =
            (u32s(&tables.folds, col::SOURCE)?, i64s(&tables.folds, col::MINUTE)?, u64s(&tables.folds, col::PACKETS)?);
        let mut folds: Vec<(Address, Nanos, u64)> =
            (0..tables.folds.height()).map(|row| (sources[row], minutes[row], packets[row])).collect();
        folds.sort_unstable();
        let scans = Scans::find(tables, config, asymmetric)?;
        let mut context = Self {
            tables,
            config,
            capture,
            asymmetric,
            baseline: None,
            scans,
            syn_floods: Vec::new(),
            udp_floods: Vec::new(),
            campaigns: Vec::new(),
            folds,
            quality,
        };
        context.syn_floods = syn_flood::find(&context)?;
        context.udp_floods = udp_flood::find(&context)?;
        context.campaigns = campaigns::find(&context)?;
        Ok(context)
    }

    /// Judges against what is known from other captures, too.
    #[must_use]
    pub const fn with_baseline(mut self, baseline: Option<&'a Baseline>) -> Self {
        self.baseline = baseline;
        self
    }

    /// What the capture is worth as evidence.
    #[must_use]
    pub const fn quality(&self) -> &Quality {
        &self.quality
    }

    #[must_use]
    pub fn address(&self, id: Address) -> Addr {
        self.tables.address(id)
    }

    /// Floods that explain connections to their targets.
    pub(super) fn floods(&self) -> impl Iterator<Item = &Flood> {
        self.syn_floods.iter().map(|found| &found.flood).chain(self.udp_floods.iter().map(|found| &found.flood))
    }

    /// Minute and packets of what a source sent too fast to be kept one by one.
    pub(super) fn folds_from(&self, source: Address) -> impl Iterator<Item = (Nanos, u64)> {
        let start = self.folds.partition_point(|(other, _, _)| *other < source);
        self.folds[start..].iter().take_while(move |(other, _, _)| *other == source).map(|(_, minute, packets)| (*minute, *packets))
    }

    /// The thresholds for a host.
    #[must_use]
    pub fn settings(&self, host: Address) -> &Settings {
        self.config.for_host(self.address(host))
    }

    /// Notes on an alert what about the capture weakens it; with any weakness the confidence is
    /// lower.
    pub(crate) fn weaken(&self, alert: &mut Alert) {
        const WEAKENED: f64 = 0.8;
        let weaknesses = self.quality.weaknesses();
        if !weaknesses.is_empty() {
            alert.quality = weaknesses;
            alert.confidence = (alert.confidence * WEAKENED * 100.0).round() / 100.0;
        }
    }
}

/// `part / whole`, and 0 of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Addresses as an alert lists them: sorted, at most [`LISTED`], with their true number.
#[must_use]
pub fn listed(mut addresses: Vec<Addr>) -> (Vec<String>, u64) {
    addresses.sort_unstable();
    addresses.dedup();
    (addresses.iter().take(LISTED).map(Addr::to_string).collect(), addresses.len() as u64)
}
