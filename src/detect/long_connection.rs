#![doc = include_str!("docs/long_connection.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct LongConnection;

const DOCUMENTATION: &str = include_str!("docs/long_connection.md");

impl Detector for LongConnection {
    fn id(&self) -> &'static str {
        "long_connection"
    }

    fn summary(&self) -> &'static str {
        "a connection that stays open for hours"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
