//! Which detectors and rules run: `--only` and `--skip`.

use super::catalogue;
use crate::config::Config;
use crate::detect;
use crate::error::Error;
use crate::rules::{self, Rules};

#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<'a> {
    pub only: &'a [String],
    pub skip: &'a [String],
}

impl Chosen<'_> {
    /// Whether a detector or rule runs. Asking for some detectors says nothing about the rules that were given
    /// besides; asking for a rule leaves the detectors out.
    pub(super) fn runs(self, id: &str) -> bool {
        let is_rule = |id: &str| id.starts_with(rules::PREFIX);
        let mut alike = self.only.iter().filter(|only| is_rule(only) == is_rule(id)).peekable();
        let asked = if alike.peek().is_some() { alike.any(|only| only == id) } else { is_rule(id) || self.only.is_empty() };
        asked && !self.skip.iter().any(|skip| skip == id)
    }

    /// Refuses names that nothing has, here and in the allow-list.
    pub(super) fn check(self, rules: &Rules, config: &Config) -> Result<(), Error> {
        for id in self.only.iter().chain(self.skip).filter(|id| !rules.has(id)) {
            detect::find(id).ok_or_else(|| catalogue::unknown(id))?;
        }
        // An allow-list is written once; a run need not load every rule that it speaks of.
        for id in config.allow.iter().filter_map(|entry| entry.detector.as_deref()).filter(|id| !id.starts_with(rules::PREFIX)) {
            detect::find(id).ok_or_else(|| catalogue::unknown(id))?;
        }
        Ok(())
    }
}
