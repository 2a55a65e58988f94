//! A thread that can open no other files than it needs: Landlock (`landlock(7)`, Linux 5.13).

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus,
};

use super::{Allowed, Restricted};

/// The newest rights that are asked for (Linux 6.10). An older kernel enforces those it knows.
const RIGHTS: ABI = ABI::V5;

/// Takes from this thread, and from those it starts later, all files but the ones allowed; for good. Threads that run
/// already keep what they have: to be called before there are others. What is open stays open.
#[must_use]
pub fn restrict(allowed: &Allowed) -> Restricted {
    match enforce(allowed) {
        Ok(RulesetStatus::FullyEnforced) => Restricted::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Restricted::Partial,
        Ok(RulesetStatus::NotEnforced) => Restricted::None("this kernel has no Landlock, or it is switched off".into()),
        Err(problem) => Restricted::None(problem),
    }
}

fn enforce(allowed: &Allowed) -> Result<RulesetStatus, String> {
    let told = |cause: RulesetError| cause.to_string();
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let made = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile | AccessFs::RemoveDir;
    let write = read | made | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::Refer;
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(RIGHTS)).and_then(Ruleset::create).map_err(told)?;
    for path in &allowed.writable {
        rules = allow(rules, path, write)?;
    }
    for path in allowed.readable.iter().filter(|path| path.exists()) {
        rules = allow(rules, path, read)?;
    }
    for path in allowed.executable.iter().filter(|path| path.exists()) {
        rules = allow(rules, path, read | AccessFs::Execute)?;
    }
    rules.restrict_self().map(|status| status.ruleset).map_err(told)
}

fn allow(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, String> {
    // A file has no rights of directories.
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(RIGHTS) };
    let told = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let beneath = PathBeneath::new(PathFd::new(path).map_err(|cause| told(&cause))?, rights);
    rules.add_rule(beneath).map_err(|cause| told(&cause))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, ErrorKind, Write};
    use std::process::Command;
    use std::thread;

    use super::*;

    /// Only the thread is restricted that asks for it, and so a thread may be tested.
    fn in_a_thread(allowed: &Allowed, then: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let restricted = scope.spawn(|| match restrict(allowed) {
                Restricted::None(reason) => {
                    _ = writeln!(io::stderr(), "\nSKIPPED, NOTHING WAS CHECKED: confinement of files: {reason}\n");
                }
                _ => then(),
            });
            restricted.join().unwrap();
        });
    }

    fn refused<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|cause| cause.kind() == ErrorKind::PermissionDenied)
    }

    #[test]
    fn only_what_is_allowed_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["out/in", "etc", "home"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        for name in ["out/old", "etc/hosts", "home/secret", "list"] {
            fs::write(path(name), name).unwrap();
        }
        let allowed = Allowed {
            writable: vec![path("out")],
            readable: vec![path("etc"), path("list"), path("is not there")],
            executable: Vec::new(),
        };
        in_a_thread(&allowed, || {
            fs::write(path("out/new"), "new").unwrap();
            fs::rename(path("out/new"), path("out/in/new")).unwrap();
            fs::create_dir(path("out/dir")).unwrap();
            fs::remove_dir(path("out/dir")).unwrap();
            fs::OpenOptions::new().append(true).open(path("out/old")).unwrap().set_len(1).unwrap();
            fs::remove_file(path("out/old")).unwrap();
            assert_eq!(fs::read_to_string(path("etc/hosts")).unwrap(), "etc/hosts");
            assert_eq!(fs::read_to_string(path("list")).unwrap(), "list");
            assert_eq!(fs::read_dir(path("etc")).unwrap().count(), 1);

            assert!(refused(fs::read(path("home/secret"))));
            assert!(refused(fs::read_dir(path("home"))));
            assert!(refused(fs::write(path("etc/hosts"), "evil")));
            assert!(refused(fs::write(path("etc/new"), "evil")));
            assert!(refused(fs::write(path("list"), "evil")));
            assert!(refused(fs::remove_file(path("home/secret"))));
            assert!(fs::rename(path("out/in/new"), path("home/new")).is_err());
            assert!(refused(std::os::unix::fs::symlink("/", path("out/link"))));
            assert!(refused(Command::new("/bin/true").status()));
            // What a thread starts is as confined as it is.
            let inherited = thread::scope(|scope| scope.spawn(|| refused(fs::read(path("home/secret")))).join().unwrap());
            assert!(inherited);
        });
        assert_eq!(fs::read_to_string(path("home/secret")).unwrap(), "home/secret", "and no other thread is");
    }

    #[test]
    fn a_program_runs_where_that_is_allowed() {
        let system = ["/bin", "/usr", "/lib", "/lib64", "/etc"].map(Into::into).to_vec();
        let allowed = Allowed { writable: vec!["/dev/null".into()], executable: system, ..Allowed::default() };
        in_a_thread(&allowed, || assert!(Command::new("/bin/true").status().unwrap().success()));
    }

    #[test]
    fn a_place_to_write_that_is_not_there_is_told() {
        let allowed = Allowed { writable: vec!["/is/not/there".into()], ..Allowed::default() };
        assert!(matches!(restrict(&allowed), Restricted::None(reason) if reason.contains("/is/not/there")));
    }
}
