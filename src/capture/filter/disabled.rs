//! Without libpcap nobody knows what a filter means, and this says so.

use super::super::Source;
use super::super::live::NOT_BUILT;
use crate::error::Error;

pub(super) fn check(_: &str) -> Result<(), Error> {
    Err(Error::Usage(NOT_BUILT.into()))
}

/// Never called: no expression passes the check.
pub(super) fn wrap(source: Box<dyn Source>, _: &str) -> Box<dyn Source> {
    source
}
