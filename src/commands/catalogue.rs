//! `nsm detectors`: the list, or the documentation of one.

use crate::config::nearest;
use crate::detect::{self, DETECTORS};
use crate::error::Error;

pub(super) fn render(id: Option<&str>) -> Result<String, Error> {
    let Some(id) = id else {
        return Ok(DETECTORS.iter().map(|detector| format!("{:<22} {}\n", detector.id(), detector.summary())).collect());
    };
    let detector = detect::find(id).ok_or_else(|| unknown(id))?;
    // The heading says more here than the title that the page has elsewhere.
    let (_title, page) = detector.documentation().split_once("\n\n").unwrap_or_default();
    Ok(format!("# {}: {}\n\n{page}", detector.id(), detector.summary()))
}

/// No detector of that name; says which one may have been meant.
pub(super) fn unknown(id: &str) -> Error {
    let meant = nearest(id, DETECTORS.iter().map(|detector| detector.id()));
    let hint = meant.map_or_else(|| "`nsm detectors` lists them".into(), |meant| format!("did you mean {meant}?"));
    Error::Usage(format!("there is no detector {id:?}; {hint}"))
}
