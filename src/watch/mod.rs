//! A capture that goes on: when to look at what there is of it, and which alerts of two looks are the same event.
//!
//! Pure: is told the time and the verdicts, and says what is to be done and told. Knows neither packets nor where
//! alerts go.

mod events;
mod pace;

pub use events::{Events, Look, Step, Told};
pub use pace::Pace;
