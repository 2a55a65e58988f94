//! Frames chosen by programs that libpcap compiles, one for each link type met.

use std::sync::{Mutex, PoisonError};

use pcap::{Capture, Linktype};

use super::super::{Block, Source, SourceFacts, dlt};
use super::bpf::Program;
use crate::error::Error;
use crate::warning::Warning;

/// A filter that has a meaning for one of these is one: Ethernet, whose words are used most, then raw IP and the three
/// ways to capture wireless networks, whose words Ethernet does not know.
const TRIED: [u16; 5] = [1, 101, 105, 127, 163];

/// libpcap before 1.8 compiles one filter at a time.
static COMPILER: Mutex<()> = Mutex::new(());

pub(super) fn check(expression: &str) -> Result<(), Error> {
    let mut problem = None;
    for link in TRIED {
        match compile(link, expression) {
            Ok(_) => return Ok(()),
            Err(told) => problem = problem.or(Some(told)),
        }
    }
    Err(Error::Filter { expression: expression.to_owned(), problem: problem.unwrap_or_default() })
}

pub(super) fn wrap(source: Box<dyn Source>, expression: &str) -> Box<dyn Source> {
    Box::new(Filtered {
        source,
        expression: expression.to_owned(),
        programs: Vec::new(),
        is_first: true,
        unusable: Vec::new(),
        warnings: Vec::new(),
    })
}

fn compile(link: u16, expression: &str) -> Result<Program, String> {
    let _alone = COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
    let told = |cause| match cause {
        pcap::Error::PcapError(text) => text,
        other => other.to_string(),
    };
    let compiled = Capture::dead(Linktype(dlt::dlt_of(link))).and_then(|dead| dead.compile(expression, true)).map_err(told)?;
    Program::new(&compiled).ok_or_else(|| "libpcap writes filters in a form that is not known".to_owned())
}

struct Filtered {
    source: Box<dyn Source>,
    expression: String,
    /// For each link type met; none where the filter has no meaning.
    programs: Vec<(u16, Option<Program>)>,
    /// No frame was seen yet.
    is_first: bool,
    /// Frames of each link type that the filter has no meaning for, and why.
    unusable: Vec<(u16, u64, String)>,
    /// All warnings, once something is to be added to those of the source.
    warnings: Vec<Warning>,
}

impl Filtered {
    /// A filter that means nothing to the first frame is a mistake of who wrote it; later ones are left out.
    fn prepare(&mut self, link: u16) -> Result<(), Error> {
        if self.programs.iter().any(|(known, _)| *known == link) {
            return Ok(());
        }
        let program = match compile(link, &self.expression) {
            Ok(program) => Some(program),
            Err(problem) if self.is_first => return Err(Error::Filter { expression: self.expression.clone(), problem }),
            Err(problem) => {
                self.unusable.push((link, 0, problem));
                None
            }
        };
        self.is_first = false;
        self.programs.push((link, program));
        Ok(())
    }

    fn choose(&mut self, block: &mut Block) -> Result<(), Error> {
        // Nearly always one.
        let mut latest = None;
        for frame in &block.frames {
            if latest != Some(frame.link) {
                self.prepare(frame.link)?;
                latest = Some(frame.link);
            }
        }
        let before = block.frames.len();
        let Block { bytes, frames, left_out } = block;
        frames.retain(|frame| {
            let program = self.programs.iter().find(|(link, _)| *link == frame.link).and_then(|(_, program)| program.as_ref());
            let Some(program) = program else {
                self.unusable.iter_mut().filter(|(link, ..)| *link == frame.link).for_each(|(_, frames, _)| *frames += 1);
                return false;
            };
            let start = frame.start as usize;
            let data = bytes.get(start..start + frame.caplen as usize).unwrap_or_default();
            program.passes(data, frame.origlen)
        });
        *left_out += (before - frames.len()) as u64;
        Ok(())
    }

    fn gather_warnings(&mut self) {
        self.warnings.clear();
        if !self.unusable.is_empty() {
            self.warnings.extend_from_slice(self.source.warnings());
            self.warnings.extend(self.unusable.iter().map(|(link, frames, problem)| Warning::FilterUnusable {
                link: *link,
                frames: *frames,
                problem: problem.clone(),
            }));
        }
    }
}

impl Source for Filtered {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        let read = self.source.next_block(block)?;
        if read {
            self.choose(block)?;
        }
        self.gather_warnings();
        Ok(read)
    }

    fn end(&mut self) {
        self.source.end();
        self.gather_warnings();
    }

    fn warnings(&self) -> &[Warning] {
        if self.unusable.is_empty() { self.source.warnings() } else { &self.warnings }
    }

    fn facts(&self) -> SourceFacts {
        self.source.facts()
    }

    fn position(&self) -> u64 {
        self.source.position()
    }
}
