#![doc = include_str!("docs/password_spray.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct PasswordSpray;

const DOCUMENTATION: &str = include_str!("docs/password_spray.md");

impl Detector for PasswordSpray {
    fn id(&self) -> &'static str {
        "password_spray"
    }

    fn summary(&self) -> &'static str {
        "few failed logins each for many users or on many servers"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
