//! Whether a report that is already there is whole and ours: every file that its manifest lists, as it was written, and
//! the manifest as this user's nsm sealed it.
//!
//! Believes nothing: a manifest can be planted, with a report that fits. Links are not followed, and what belongs to somebody else
//! counts as missing. Does not know whether the report is the one that is wanted; that is for its caller.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path};
use std::sync::atomic::AtomicBool;

use super::manifest::{self, Manifest};
use super::output::{FileRecord, MANIFEST_LIMIT, open_new};
use super::seal::{self, Seal};
use crate::digest;

/// Whose files are believed: those of who runs this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    #[cfg(unix)]
    id: u32,
}

impl Owner {
    /// Whoever can make a file in the directory is who this is.
    pub fn of_new_files(dir: &Path) -> io::Result<Self> {
        let path = dir.join(".owner.partial");
        let made = open_new(&path)?.metadata();
        fs::remove_file(&path)?;
        Ok(Self::of(&made?))
    }

    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        Self { id: std::os::unix::fs::MetadataExt::uid(metadata) }
    }

    #[cfg(not(unix))]
    fn of(_metadata: &Metadata) -> Self {
        Self {}
    }

    fn owns(self, metadata: &Metadata) -> bool {
        Self::of(metadata) == self
    }
}

/// The manifest of the report in `top`/`report`, if it has our seal and every file it lists is there with its size and hash.
pub fn whole(top: &Path, report: &Path, owner: Owner, seal: &Seal) -> Option<Manifest> {
    let mut dir = top.to_owned();
    for part in report.components().filter(|part| matches!(part, Component::Normal(_))) {
        dir.push(part);
        is_own_dir(&dir, owner).then_some(())?;
    }
    let text = text_of(&dir.join(manifest::NAME), owner)?;
    // Before anything of it is parsed.
    (text_of(&dir.join(seal::NAME), owner)? == seal.of(&text).as_bytes()).then_some(())?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    manifest.files.iter().all(|record| is_as_written(&dir, record, owner)).then_some(manifest)
}

fn text_of(path: &Path, owner: Owner) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    open_own(path, owner)?.take(MANIFEST_LIMIT).read_to_end(&mut text).ok()?;
    Some(text)
}

fn is_own_dir(dir: &Path, owner: Owner) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir() && owner.owns(&found))
}

fn is_as_written(dir: &Path, record: &FileRecord, owner: Owner) -> bool {
    let name = Path::new(&record.name);
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    let parents = name.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
    let reached = inside && parents.map(|parent| dir.join(parent)).all(|parent| is_own_dir(&parent, owner));
    reached && open_own(&dir.join(name), owner).and_then(|file| content(file, record.bytes)).is_some_and(|hash| hash == record.sha256)
}

/// A regular file of the owner's, and no link to one.
fn open_own(path: &Path, owner: Owner) -> Option<File> {
    let named = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
    let file = File::open(path).ok()?;
    let opened = file.metadata().ok()?;
    (opened.is_file() && owner.owns(&opened) && is_same(&named, &opened)).then_some(file)
}

/// It was not exchanged between looking and opening.
#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len()
}

/// The hash of a file that is exactly so long.
fn content(mut file: File, bytes: u64) -> Option<String> {
    if file.metadata().ok()?.len() != bytes {
        return None;
    }
    digest::copy(&mut file, &mut io::sink(), &AtomicBool::new(false)).ok().map(|(_, hash)| hash)
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::provenance;
    use super::super::output::OutputDir;
    use super::*;

    /// The key lies outside of the reports.
    fn seal() -> Seal {
        Seal::of_key([7; 32])
    }

    fn report(top: &Path) -> Manifest {
        let out = OutputDir::replace(&top.join("a/x.pcap")).unwrap();
        let files = vec![out.write("alerts.csv", b"alerts").unwrap(), out.write("charts/traffic.png", b"picture").unwrap()];
        let manifest = Manifest { provenance: provenance(), analysed_at: String::new(), result: None, files };
        out.finish(&manifest.files, &manifest.render().unwrap(), Some(&seal())).unwrap();
        manifest
    }

    fn found(top: &Path) -> Option<Manifest> {
        whole(top, Path::new("a/x.pcap"), Owner::of_new_files(top).unwrap(), &seal())
    }

    #[test]
    fn a_report_as_it_was_written_is_whole() {
        let top = tempfile::tempdir().unwrap();
        assert_eq!(found(top.path()), None);
        let manifest = report(top.path());
        assert_eq!(found(top.path()), Some(manifest));
    }

    #[test]
    fn a_file_that_is_missing_or_changed_makes_it_not_whole() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("a/x.pcap/alerts.csv");
        report(top.path());
        fs::write(&file, "alertz").unwrap();
        assert_eq!(found(top.path()), None, "another content of the same length");
        report(top.path());
        fs::remove_file(&file).unwrap();
        assert_eq!(found(top.path()), None);
        report(top.path());
        fs::write(top.path().join("a/x.pcap").join(manifest::NAME), "{").unwrap();
        assert_eq!(found(top.path()), None);
    }

    #[test]
    fn a_report_without_our_seal_is_not_believed() {
        let top = tempfile::tempdir().unwrap();
        report(top.path());
        let (dir, owner) = (top.path().join("a/x.pcap"), Owner::of_new_files(top.path()).unwrap());
        let of_somebody_else = Seal::of_key([8; 32]);
        assert_eq!(whole(top.path(), Path::new("a/x.pcap"), owner, &of_somebody_else), None);
        let manifest = fs::read_to_string(dir.join(manifest::NAME)).unwrap();
        fs::write(dir.join(manifest::NAME), manifest + " ").unwrap();
        assert_eq!(found(top.path()), None, "a manifest that was changed");
        report(top.path());
        fs::remove_file(dir.join(seal::NAME)).unwrap();
        assert_eq!(found(top.path()), None, "no seal");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_believed() {
        use std::os::unix::fs::symlink;
        let top = tempfile::tempdir().unwrap();
        let dir = top.path().join("a/x.pcap");
        for name in ["alerts.csv", "charts", manifest::NAME, seal::NAME] {
            report(top.path());
            let elsewhere = top.path().join("elsewhere");
            fs::rename(dir.join(name), &elsewhere).unwrap();
            symlink(&elsewhere, dir.join(name)).unwrap();
            assert_eq!(found(top.path()), None, "{name}");
            fs::remove_file(dir.join(name)).unwrap();
            fs::rename(&elsewhere, dir.join(name)).unwrap();
            assert!(found(top.path()).is_some(), "{name}");
        }
        fs::rename(top.path().join("a"), top.path().join("b")).unwrap();
        symlink(top.path().join("b"), top.path().join("a")).unwrap();
        assert_eq!(found(top.path()), None, "a directory on the way");
    }

    #[test]
    fn a_manifest_that_lists_files_elsewhere_is_not_believed() {
        let top = tempfile::tempdir().unwrap();
        report(top.path());
        let outside = FileRecord { name: "../../outside".into(), ..FileRecord::of("x", b"outside") };
        fs::write(top.path().join("outside"), "outside").unwrap();
        let manifest = Manifest { provenance: provenance(), analysed_at: String::new(), result: None, files: vec![outside] };
        let dir = top.path().join("a/x.pcap");
        fs::write(dir.join(manifest::NAME), manifest.render().unwrap()).unwrap();
        fs::write(dir.join(seal::NAME), seal().of(&manifest.render().unwrap())).unwrap();
        assert_eq!(found(top.path()), None);
    }

    #[cfg(unix)]
    #[test]
    fn files_of_somebody_else_are_not_believed() {
        let top = tempfile::tempdir().unwrap();
        report(top.path());
        let mine = Owner::of_new_files(top.path()).unwrap();
        let other = Owner { id: mine.id.wrapping_add(1) };
        assert!(whole(top.path(), Path::new("a/x.pcap"), mine, &seal()).is_some());
        assert_eq!(whole(top.path(), Path::new("a/x.pcap"), other, &seal()), None);
    }
}
