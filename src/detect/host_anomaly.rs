#![doc = include_str!("docs/host_anomaly.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct HostAnomaly;

const DOCUMENTATION: &str = include_str!("docs/host_anomaly.md");

impl Detector for HostAnomaly {
    fn id(&self) -> &'static str {
        "host_anomaly"
    }

    fn summary(&self) -> &'static str {
        "a host that departs from its own past and from its peers"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
