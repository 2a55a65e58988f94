//! `report.html`: the whole report on one page that needs nothing else, for a manager and for an analyst.
//!
//! Made of the result model and the provenance, a pure function of both. Loads nothing, and refers to nothing
//! outside of itself. `maud` escapes every text; what may come from a capture is made visible before
//! (`report::visible`), so that no character turns or hides what is read.

mod attack;
mod custody;
mod findings;
mod hosts;
mod incidents;
mod page;
mod picture;
mod plot;
mod quality;
mod story;
mod summary;
#[cfg(test)]
mod tests;
mod traffic;
mod view;
mod words;

use super::manifest::Provenance;
use super::model::Report;
use crate::error::Error;

pub const NAME: &str = "report.html";

/// The page, complete in memory.
///
/// # Errors
/// Only for defects of ours.
pub fn html(report: &Report, provenance: &Provenance) -> Result<Vec<u8>, Error> {
    let view = view::View::new(report, provenance);
    Ok(page::page(&view)?.into_string().into_bytes())
}
