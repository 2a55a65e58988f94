#![doc = include_str!("docs/slow_http.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use crate::error::Error;

pub(super) struct SlowHttp;

const DOCUMENTATION: &str = include_str!("docs/slow_http.md");

impl Detector for SlowHttp {
    fn id(&self) -> &'static str {
        "slow_http"
    }

    fn summary(&self) -> &'static str {
        "connections held open with requests that never end"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, _context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(Vec::new())
    }
}
