#![doc = include_str!("docs/rogue_dhcp.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct RogueDhcp;

const DOCUMENTATION: &str = include_str!("docs/rogue_dhcp.md");

impl Detector for RogueDhcp {
    fn id(&self) -> &'static str {
        "rogue_dhcp"
    }

    fn summary(&self) -> &'static str {
        "a second DHCP server that offers something else"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
