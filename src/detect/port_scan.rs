#![doc = include_str!("docs/port_scan.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use super::scan_alert::{Telling, alerts};
use super::scans::Shape;
use crate::error::Error;

pub struct PortScan;

const TELLING: Telling = Telling { kind: "port_scan", title: "Port scan", counted: "ports", attack: &["T1046", "T1595.001"] };

impl Detector for PortScan {
    fn id(&self) -> &'static str {
        "port_scan"
    }

    fn summary(&self) -> &'static str {
        "many ports of one host tried by one source"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/port_scan.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(alerts(context, Shape::Ports, &TELLING))
    }
}
