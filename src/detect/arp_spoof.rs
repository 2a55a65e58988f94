#![doc = include_str!("docs/arp_spoof.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct ArpSpoof;

const DOCUMENTATION: &str = include_str!("docs/arp_spoof.md");

impl Detector for ArpSpoof {
    fn id(&self) -> &'static str {
        "arp_spoof"
    }

    fn summary(&self) -> &'static str {
        "one machine claiming the address of another"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
