//! `--carve`: the input read again, for the packets behind the alerts.

use std::fs;
use std::io;

use super::capture_report;
use super::inputs::Input;
use crate::capture::Block;
use crate::carve::{Carved, Carver};
use crate::config::Config;
use crate::error::Error;
use crate::pipeline::Options;
use crate::report::{FileRecord, OutputDir, Report};
use crate::warning::Warning;

/// Refuses what cannot be read twice, before anything is analysed.
pub(super) fn check(inputs: &[Input]) -> Result<(), Error> {
    for input in inputs {
        // What does not exist is told when it is opened.
        let is_pipe = input.files().iter().any(|path| fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()));
        if input.is_standard_input() || is_pipe {
            let path = input.path.display();
            return Err(Error::Usage(format!("--carve reads a capture twice, and {path} can be read only once; save it to a file first")));
        }
    }
    Ok(())
}

/// Writes the packets behind the alerts of the report, and gives what is to be said of it.
pub(super) fn run(
    input: &Input,
    report: &Report,
    config: &Config,
    options: &Options,
    output: &OutputDir,
) -> Result<(Vec<FileRecord>, Option<Warning>), Error> {
    let name = input.path.file_name().unwrap_or(input.path.as_os_str()).to_string_lossy();
    let program = format!("nsm {}", env!("CARGO_PKG_VERSION"));
    let mut carver = Carver::new(report, &name, program, config.base.carve, output);
    if let Some(last) = carver.last_frame() {
        if carver.wants_survey() {
            read(input, options, last, last, |block| carver.survey(block))?;
        }
        let end = if carver.reaches_on() { u64::MAX } else { last };
        read(input, options, last, end, |block| carver.take(block))?;
    }
    let Carved { files, warning } = carver.finish()?;
    Ok((files, warning))
}

/// Hands over the frames up to `end`. Up to `last` they are there, unless the file was changed meanwhile.
fn read(input: &Input, options: &Options, last: u64, end: u64, mut take: impl FnMut(&Block) -> Result<(), Error>) -> Result<(), Error> {
    let mut source = capture_report::open(input)?.source;
    let (mut block, mut reached) = (Block::default(), 0);
    while reached < end && source.next_block(&mut block)? {
        reached = block.frames.last().map_or(reached, |frame| frame.ordinal);
        block.frames.retain(|frame| options.includes(frame.ts));
        take(&block)?;
    }
    if reached >= last {
        return Ok(());
    }
    let cause = io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than when it was analysed a moment ago");
    Err(Error::Read { path: input.path.clone(), offset: source.position(), cause })
}
