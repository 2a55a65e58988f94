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
use crate::report::{self, FileRecord, OutputDir, Report};
use crate::warning::Warning;

/// Refuses what cannot be read twice, before anything is analysed.
pub(super) fn check(inputs: &[Input]) -> Result<(), Error> {
    for input in inputs {
        // What does not exist is told when it is opened.
        let is_pipe = input.files().iter().any(|path| fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()));
        if input.is_standard_input() || is_pipe {
            let path = input.path.to_string_lossy();
            let path = report::visible(&path);
            return Err(Error::Usage(format!("--carve reads a capture twice, and {path} can be read only once; save it to a file first")));
        }
    }
    Ok(())
}

/// Writes the packets behind the alerts of the report, and gives what is to be said of it.
pub(super) fn run(
    input: &Input,
    filter: Option<&str>,
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
            read((input, filter), options, last, last, |block| carver.survey(block))?;
        }
        // What was not analysed, as after an interruption or in a file that grows, is evidence of nothing yet.
        let end = if carver.reaches_on() { report.accounting.frames } else { last };
        read((input, filter), options, last, end, |block| carver.take(block))?;
    }
    let Carved { files, warning } = carver.finish()?;
    Ok((files, warning))
}

/// Hands over the frames up to `end`. Up to `last` they are there, unless the file was changed meanwhile.
fn read(
    (input, filter): (&Input, Option<&str>),
    options: &Options,
    last: u64,
    end: u64,
    mut take: impl FnMut(&Block) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut source = capture_report::open(input, filter)?.source;
    let (mut block, mut reached) = (Block::default(), 0);
    while reached < end && source.next_block(&mut block)? {
        reached = block.frames.last().map_or(reached, |frame| frame.ordinal);
        block.frames.retain(|frame| frame.ordinal <= end && options.includes(frame.ts));
        take(&block)?;
    }
    if reached >= last {
        return Ok(());
    }
    let cause = io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than when it was analysed a moment ago");
    Err(Error::Read { path: input.path.clone(), offset: source.position(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis;
    use crate::capture::FileSource;
    use crate::pipeline;

    /// A scan from 10.0.0.66 of ports 1 to 200 of 10.0.0.1, all refused: a probe and a refusal each, and then
    /// the same probes and refusals once more.
    fn scan_twice() -> Vec<Vec<u8>> {
        let segment = |from: u8, to: u8, sport: u16, dport: u16, flags: u8| {
            let ip = [&[0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to][..]].concat();
            let tcp = [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0]].concat();
            [&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0][..], &ip, &tcp].concat()
        };
        let once = || (1..=200).flat_map(|port| [segment(66, 1, 40_000, port, 0x02), segment(1, 66, port, 40_000, 0x14)]);
        once().chain(once()).collect()
    }

    /// A pcap file with these frames, one a millisecond.
    fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for (number, frame) in (0_u32..).zip(frames) {
            let length = u32::try_from(frame.len()).unwrap();
            for field in [1_700_000_000, number * 1_000, length, length] {
                file.extend(field.to_le_bytes());
            }
            file.extend(frame);
        }
        file
    }

    /// Index of what is carved from `frames` after only the first `analysed` of them were analysed.
    fn carved(frames: &[Vec<u8>], analysed: usize) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (config, options) = (Config::default(), Options::default());
        let input = Input { path: dir.path().join("scan.pcap"), ..Input::default() };
        fs::write(&input.path, pcap(&frames[..analysed])).unwrap();
        let mut source = FileSource::open(&input.path).unwrap();
        let measured = pipeline::measure(&mut source, &config.base, &options, &mut |_| Ok(())).unwrap();
        let report = analysis::judge("scan.pcap", &measured, &config, &|id| id == "port_scan").unwrap();
        assert_eq!(report.alerts.len(), 1);
        fs::write(&input.path, pcap(frames)).unwrap();
        let output = OutputDir::create(&dir.path().join("report"), false).unwrap();
        output.begin().unwrap();
        run(&input, None, &report, &config, &options, &output).unwrap();
        fs::read_to_string(dir.path().join("report/carved/index.csv")).unwrap()
    }

    #[test]
    fn frames_that_were_not_analysed_are_not_carved() {
        let frames = scan_twice();
        let numbers = |analysed| {
            let index = carved(&frames, analysed);
            let row: Vec<String> = index.lines().nth(1).unwrap().split(',').map(str::to_owned).collect();
            // packets, packets_matched, first_frame, last_frame
            [4, 5, 7, 8].map(|column| row[column].clone())
        };
        // The second round belongs to the same connections, a moment later.
        assert_eq!(numbers(frames.len()), ["800", "800", "1", "800"]);
        assert_eq!(numbers(400), ["400", "400", "1", "400"]);
    }
}
