//! One damaged capture, analysed in this process up to the files of its report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use network_security_monitor::capture::FileSource;
use network_security_monitor::config::Config;
use network_security_monitor::error::Error;
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::report::{self, Formats, Provenance};
use network_security_monitor::{analysis, panics};
use polars_async::executor::ALLOW_RAYON_THREADS;
use polars_core::runtime::RAYON;

use super::damage::Damage;

/// Of so many runs one draws charts and the page too: they take ten times as long as all else.
pub const DRAWN: usize = 25;
/// Where one analysis of the whole takes longer, bits are turned in a beginning that does not.
const AFFORDABLE: Duration = Duration::from_millis(300);

/// Exit codes, as the README lists them.
pub const NO_CAPTURE: i32 = 1;
const DAMAGED: i32 = 3;

pub struct Trial {
    pub took: Duration,
    /// The exit code that such an input asks for; none where something is wrong.
    pub code: Option<i32>,
    pub panicked: Option<String>,
    /// What does not add up, or an error that no input may cause.
    pub wrong: Option<String>,
}

/// As the program does with small captures: what is parallel is done one after another.
pub fn stay_on_this_thread() {
    ALLOW_RAYON_THREADS.set(false);
    RAYON.install(|| ());
}

pub fn run(bytes: &Arc<[u8]>, damage: Damage, drawn: bool) -> Trial {
    let began = Instant::now();
    let outcome = panics::caught(|| analysed(bytes, damage, drawn));
    let took = began.elapsed();
    match outcome {
        Ok(Ok(code)) => Trial { took, code: Some(code), panicked: None, wrong: None },
        Ok(Err(wrong)) => Trial { took, code: None, panicked: None, wrong: Some(wrong) },
        Err(panicked) => Trial { took, code: None, panicked: Some(panicked), wrong: None },
    }
}

/// As much of the beginning as is analysed in a time that several hundred runs can take.
pub fn affordable(bytes: &Arc<[u8]>, whole: &Trial) -> Arc<[u8]> {
    if whole.took <= AFFORDABLE {
        return Arc::clone(bytes);
    }
    let share = AFFORDABLE.as_secs_f64() / whole.took.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let length = (bytes.len() as f64 * share) as usize;
    bytes.get(..length).unwrap_or(bytes).into()
}

fn analysed(bytes: &Arc<[u8]>, damage: Damage, drawn: bool) -> Result<i32, String> {
    let mut source = match FileSource::from_reader("capture".into(), damage.of(bytes)) {
        Ok(source) => source,
        Err(error) => return unreadable(bytes, &error),
    };
    let config = Config::default();
    let measured = match pipeline::measure(&mut source, &config.base, &Options::default(), &mut |_| Ok(())) {
        Ok(measured) => measured,
        Err(error) => return unreadable(bytes, &error),
    };
    let counted = measured.accounting;
    if counted.frames != counted.decoded + counted.partly_decoded() + counted.not_decoded() + counted.filtered {
        return Err(format!("does not add up: {counted:?}"));
    }
    let report = analysis::judge("capture", &measured, &config, &|_| true).map_err(|error| error.to_string())?;
    let in_timeline: u64 = report.timeline.buckets.iter().map(|bucket| bucket.packets).sum();
    if in_timeline != counted.frames {
        return Err(format!("{in_timeline} frames in the timeline instead of {}", counted.frames));
    }
    let formats = Formats { json: true, csv: true, png: drawn, html: drawn };
    report::render(&report, &Provenance::default(), formats).map_err(|error| error.to_string())?;
    Ok(if report.warnings.iter().any(network_security_monitor::warning::Warning::is_damage) { DAMAGED } else { 0 })
}

/// An input of which nothing can be read is told so, and is no defect.
fn unreadable(bytes: &[u8], error: &Error) -> Result<i32, String> {
    match error {
        Error::NotACapture { .. } => Ok(NO_CAPTURE),
        // A compressed stream may be damaged in its first bytes.
        Error::Read { .. } if is_compressed(bytes) => Ok(NO_CAPTURE),
        other => Err(format!("an error that is not about the format: {other}")),
    }
}

fn is_compressed(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 3] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"];
    magics.iter().any(|magic| bytes.starts_with(magic))
}
