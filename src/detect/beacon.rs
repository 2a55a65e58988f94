#![doc = include_str!("docs/beacon.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct Beacon;

const DOCUMENTATION: &str = include_str!("docs/beacon.md");

impl Detector for Beacon {
    fn id(&self) -> &'static str {
        "beacon"
    }

    fn summary(&self) -> &'static str {
        "connections of one host to one destination in a steady rhythm"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
