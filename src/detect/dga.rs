#![doc = include_str!("docs/dga.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct Dga;

const DOCUMENTATION: &str = include_str!("docs/dga.md");

impl Detector for Dga {
    fn id(&self) -> &'static str {
        "dga"
    }

    fn summary(&self) -> &'static str {
        "one host asking for many domains that do not exist"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
