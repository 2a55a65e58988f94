#![doc = include_str!("docs/icmp_tunnel.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct IcmpTunnel;

const DOCUMENTATION: &str = include_str!("docs/icmp_tunnel.md");

impl Detector for IcmpTunnel {
    fn id(&self) -> &'static str {
        "icmp_tunnel"
    }

    fn summary(&self) -> &'static str {
        "data carried in echo requests and replies"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
