//! The port scan again, in files that are damaged.

use std::io;

use super::{port_scan, scanner, scans_and_floods_without, web_server};
use crate::capture_file;
use crate::sample::{Expectation, Expected, Sample};

/// Bytes missing at the end: half a record.
const MISSING: usize = 40;
/// Whole frames before the record that cannot be right.
const WHOLE: usize = 1_200;

pub fn cut_record() -> io::Result<Sample> {
    let damaged = Expectation { damaged: true, ..port_scan::expectation() };
    let file = capture_file::cut(&port_scan::frames(), MISSING)?;
    Ok(Sample {
        name: "damaged-cut",
        title: "Damaged capture: the end is missing",
        shows: "the port scan, its last record cut short",
        story: "The capture of `port-scan`, but the file ends 40 bytes too early, in the middle of its last record. Everything before\n\
            is whole, and what is there of the last frame counts too; the scan is all there.",
        file,
        expect: damaged,
        ..port_scan::sample()?
    })
}

pub fn impossible_length() -> io::Result<Sample> {
    let scan = Expected::one("port_scan", "medium").technique("syn").by(scanner()).against(web_server());
    let expect = Expectation { damaged: true, ..Expectation::only(vec![scan], &scans_and_floods_without(&["port_scan"])) };
    Ok(Sample {
        name: "damaged-length",
        title: "Damaged capture: an impossible record",
        shows: "the port scan, one record with an impossible length",
        story: "The capture of `port-scan`, but the record after frame 1200 claims to hold 3 735 928 559 bytes. The classic format has\n\
            no mark to find the next record by, so that nothing after it can be trusted; the 1200 frames before it hold most of the\n\
            scan.",
        file: capture_file::corrupted(&port_scan::frames(), WHOLE)?,
        expect,
        ..port_scan::sample()?
    })
}
