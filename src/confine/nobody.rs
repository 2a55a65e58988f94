//! Where a process cannot become another user for good by means that are at hand, it says so.

use std::path::Path;

use crate::error::Error;

/// There is none: it cannot be made.
#[derive(Clone, Debug)]
pub enum User {}

/// # Errors
/// Always.
pub fn user(name: &str) -> Result<User, Error> {
    let problem = "this system has no way to give up the rights of root that nsm knows".to_owned();
    Err(Error::User { user: name.to_owned(), problem, hint: Some("leave --user out".to_owned()) })
}

/// # Errors
/// None: there is no user.
pub fn own(_: &Path, user: &User) -> Result<(), Error> {
    match *user {}
}

/// # Errors
/// None: there is no user.
pub fn become_user(user: &User) -> Result<(), Error> {
    match *user {}
}
