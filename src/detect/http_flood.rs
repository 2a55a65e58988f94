#![doc = include_str!("docs/http_flood.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct HttpFlood;

const DOCUMENTATION: &str = include_str!("docs/http_flood.md");

impl Detector for HttpFlood {
    fn id(&self) -> &'static str {
        "http_flood"
    }

    fn summary(&self) -> &'static str {
        "requests that keep a web server from serving others"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
