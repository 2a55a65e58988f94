#![doc = include_str!("docs/brute_force.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct BruteForce;

const DOCUMENTATION: &str = include_str!("docs/brute_force.md");

impl Detector for BruteForce {
    fn id(&self) -> &'static str {
        "brute_force"
    }

    fn summary(&self) -> &'static str {
        "many failed logins of one client against one server"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
