//! Landlock is of Linux; other systems have other means, which are not used.

use super::{Allowed, Restricted};

#[must_use]
pub fn restrict(_: &Allowed) -> Restricted {
    Restricted::None("this needs Landlock, which only Linux has".into())
}
