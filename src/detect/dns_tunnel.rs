#![doc = include_str!("docs/dns_tunnel.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct DnsTunnel;

const DOCUMENTATION: &str = include_str!("docs/dns_tunnel.md");

impl Detector for DnsTunnel {
    fn id(&self) -> &'static str {
        "dns_tunnel"
    }

    fn summary(&self) -> &'static str {
        "data carried in the names that are asked of DNS"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
