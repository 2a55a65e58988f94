#![doc = include_str!("docs/dhcp_starvation.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct DhcpStarvation;

const DOCUMENTATION: &str = include_str!("docs/dhcp_starvation.md");

impl Detector for DhcpStarvation {
    fn id(&self) -> &'static str {
        "dhcp_starvation"
    }

    fn summary(&self) -> &'static str {
        "one sender asking for leases under many hardware addresses"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
