#![doc = include_str!("docs/block_scan.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use super::scan_alert::{Telling, alerts};
use super::scans::Shape;
use crate::error::Error;

pub struct BlockScan;

const TELLING: Telling = Telling { kind: "block_scan", title: "Block scan", counted: "pairs", attack: &["T1046", "T1595.001"] };

impl Detector for BlockScan {
    fn id(&self) -> &'static str {
        "block_scan"
    }

    fn summary(&self) -> &'static str {
        "many ports tried on many hosts by one source"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/block_scan.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(alerts(context, Shape::Block, &TELLING))
    }
}
