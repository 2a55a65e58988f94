#![doc = include_str!("docs/exfiltration.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct Exfiltration;

const DOCUMENTATION: &str = include_str!("docs/exfiltration.md");

impl Detector for Exfiltration {
    fn id(&self) -> &'static str {
        "exfiltration"
    }

    fn summary(&self) -> &'static str {
        "much more sent out of the network than came back"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
