//! The program itself on one damaged capture: how it ends, and when.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::damage::Damage;
use super::watch::LONGEST;

pub struct Ended {
    pub took: Duration,
    /// None where a signal ended it, or we did because it took too long.
    pub code: Option<i32>,
    pub said: String,
}

pub fn run(nsm: &Path, bytes: &Arc<[u8]>, damage: Damage) -> io::Result<Ended> {
    let directory = tempfile::tempdir()?;
    let capture = directory.path().join("capture");
    io::copy(&mut damage.of(bytes), &mut fs::File::create(&capture)?)?;
    let said = directory.path().join("said");
    let began = Instant::now();
    let mut child = Command::new(nsm)
        .args(["analyze", "-q", "--hash", "none", "-o"])
        .arg(directory.path().join("reports"))
        .arg(&capture)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said)?)
        .spawn()?;
    let mut ended: Option<ExitStatus> = None;
    while ended.is_none() && began.elapsed() < LONGEST {
        ended = child.try_wait()?;
        sleep(Duration::from_millis(2));
    }
    if ended.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let took = began.elapsed();
    let mut words = String::new();
    fs::File::open(&said)?.take(2_000).read_to_string(&mut words)?;
    Ok(Ended { took, code: ended.and_then(|status| status.code()), said: words })
}
