#![doc = include_str!("docs/lateral_movement.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct LateralMovement;

const DOCUMENTATION: &str = include_str!("docs/lateral_movement.md");

impl Detector for LateralMovement {
    fn id(&self) -> &'static str {
        "lateral_movement"
    }

    fn summary(&self) -> &'static str {
        "administration of other hosts by a host that does not usually"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
