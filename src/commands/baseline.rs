//! The file of a baseline: read whole, written whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::detect::Baseline;
use crate::error::Error;
use crate::report::{FileRecord, open_new};

/// More than any baseline of ours.
const LIMIT: u64 = 256 << 20;

/// The baseline, and which file it was.
pub(super) fn load(path: &Path) -> Result<(Baseline, FileRecord), Error> {
    let open = |cause| Error::Open { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)).map_err(open)?;
    let read = std::str::from_utf8(&bytes).map_err(|_| "it is not one that nsm saved".to_owned()).and_then(Baseline::from_json);
    let baseline = read.map_err(|problem| Error::Baseline { path: path.to_owned(), problem })?;
    Ok((baseline, FileRecord::of(path.to_string_lossy(), &bytes)))
}

/// To be called before any work is done: only a baseline may be replaced, lest a forgotten name cost a capture.
pub(super) fn check_target(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(_) => load(path).map(|_| ()).map_err(|_| {
            Error::Usage(format!("--save-baseline: {} exists and is no baseline of this version; name another file", path.display()))
        }),
    }
}

pub(super) fn save(path: &Path, baseline: &Baseline) -> Result<(), Error> {
    let text = baseline.to_json()?;
    let partial = partial(path);
    let written = open_new(&partial).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        fs::rename(&partial, path)
    });
    written.map_err(|cause| {
        // Nothing more can be done about a temporary file that cannot be removed.
        _ = fs::remove_file(&partial);
        Error::Write { path: path.to_owned(), cause }
    })
}

/// `.name.partial` beside the file.
fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_baseline_loads_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ours.json");
        check_target(&path).unwrap();
        save(&path, &Baseline::default()).unwrap();
        check_target(&path).unwrap();
        save(&path, &Baseline::default()).unwrap();
        assert_eq!(load(&path).unwrap().0, Baseline::default());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn anything_else_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("good.pcap");
        fs::write(&path, [0xd4, 0xc3, 0xb2, 0xa1]).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("not one that nsm saved"));
        assert!(check_target(&path).unwrap_err().to_string().contains("is no baseline"));
        assert!(matches!(load(&dir.path().join("missing")), Err(Error::Open { .. })));
    }
}
