//! What a panic becomes: an error, with its place, and never a stack trace on somebody's terminal.
//!
//! Libraries stop at inputs that nobody thought of (Polars at a damaged table, for one); so may we.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

/// Message and place of the last panic, whichever thread it was on.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From now on panics are remembered and not printed. For the program, which says what went wrong itself.
pub fn remember() {
    panic::set_hook(Box::new(|info| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(match info.location() {
            Some(place) => format!("{} ({}:{})", text(info.payload()), place.file().rsplit('/').next().unwrap_or_default(), place.line()),
            None => text(info.payload()).to_owned(),
        });
    }));
}

/// Does the work; if it panics, what was said.
///
/// # Errors
/// The message of the panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let remembered = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
        remembered.unwrap_or_else(|| text(&*payload).to_owned())
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let fixed = payload.downcast_ref::<&'static str>().copied();
    fixed.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        assert_eq!(caught(|| 1), Ok(1));
        assert!(caught(|| panic!("in {}", "vain")).unwrap_err().contains("in vain"));
    }
}
