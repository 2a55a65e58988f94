#![doc = include_str!("docs/host_sweep.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use super::scan_alert::{Telling, alerts};
use super::scans::Shape;
use crate::error::Error;

pub struct HostSweep;

const TELLING: Telling = Telling { kind: "host_sweep", title: "Host sweep", counted: "hosts", attack: &["T1046", "T1018"] };

impl Detector for HostSweep {
    fn id(&self) -> &'static str {
        "host_sweep"
    }

    fn summary(&self) -> &'static str {
        "one port tried on many hosts by one source"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/host_sweep.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(alerts(context, Shape::Hosts, &TELLING))
    }
}
