//! A process of root that becomes another user for good.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid, getegid, geteuid, getgid, getuid, initgroups, setegid, seteuid, setgid, setuid};

use crate::error::Error;

/// Somebody this process can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: Uid,
    gid: Gid,
}

/// Looks a user up. To be done before the files are restricted: users are in files.
///
/// # Errors
/// When there is no such user, it is root, or this process is not.
pub fn user(name: &str) -> Result<User, Error> {
    let refused =
        |problem: &str, hint: &str| Error::User { user: name.to_owned(), problem: problem.to_owned(), hint: Some(hint.to_owned()) };
    if !geteuid().is_root() {
        return Err(refused("only root can become another user", "run nsm with sudo, or leave --user out: there is nothing to give up"));
    }
    match unistd::User::from_name(name) {
        Ok(Some(found)) if found.uid.is_root() => Err(refused("that is root, who gives up nothing", "choose another user, such as nobody")),
        Ok(Some(found)) => Ok(User { name: name.to_owned(), uid: found.uid, gid: found.gid }),
        Ok(None) => Err(refused("there is no such user", "`getent passwd` lists the users; sudo useradd --system makes one for this")),
        Err(cause) => Err(refused(&cause.to_string(), "`getent passwd` lists the users")),
    }
}

/// Sees to it that a directory is the user's: one that is not there is made, for them only. One that is there stays
/// whose it is.
///
/// # Errors
/// When it is somebody else's, or cannot be made.
pub fn own(dir: &Path, user: &User) -> Result<(), Error> {
    let failed = |cause| Error::Write { path: dir.to_owned(), cause };
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => Err(failed(io::ErrorKind::NotADirectory.into())),
        Ok(found) if found.uid() == user.uid.as_raw() => Ok(()),
        Ok(found) => {
            let owner = unistd::User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
            let owner = owner.map_or_else(|| format!("user {}", found.uid()), |owner| owner.name);
            let name = &user.name;
            Err(Error::User {
                user: name.clone(),
                problem: format!("{} belongs to {owner}, and {name} is to write there", dir.display()),
                hint: Some(format!("choose a directory that is {name}'s, or one that is not there: it is made for {name}")),
            })
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => make(dir, user).map_err(failed),
        Err(cause) => Err(failed(cause)),
    }
}

/// A directory, and those above it that are missing.
fn make(dir: &Path, user: &User) -> io::Result<()> {
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty() && !above.exists()) {
        make(above, user)?;
    }
    DirBuilder::new().mode(0o700).create(dir)?;
    let opened = File::open(dir)?;
    // Whoever may write above it could have put a link to another directory in its place.
    let (made, named) = (opened.metadata()?, fs::symlink_metadata(dir)?);
    if !made.is_dir() || (made.dev(), made.ino()) != (named.dev(), named.ino()) {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it was replaced while it was made"));
    }
    fchown(&opened, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}

/// Gives up being root, with all groups, for all threads and for good.
///
/// # Errors
/// When that fails, or root could be had again; then nothing more should be done.
pub fn become_user(user: &User) -> Result<(), Error> {
    let failed = |problem: String| Error::User { user: user.name.clone(), problem, hint: None };
    // The groups while that is still allowed, the user last.
    let changed = CString::new(user.name.as_str())
        .map_err(|_| Errno::EINVAL)
        .and_then(|name| initgroups(&name, user.gid))
        .and_then(|()| setgid(user.gid))
        .and_then(|()| setuid(user.uid));
    changed.map_err(|cause| failed(cause.to_string()))?;
    let is_user = [getuid(), geteuid()] == [user.uid; 2] && [getgid(), getegid()] == [user.gid; 2];
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let regains =
        setuid(root.0).is_ok() || seteuid(root.0).is_ok() || (user.gid != root.1 && (setgid(root.1).is_ok() || setegid(root.1).is_ok()));
    if !is_user || regains {
        return Err(failed("the rights of root could be had again".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    /// Set in the process that is to become somebody: the directory of the test.
    const INSIDE: &str = "NSM_TEST_BECOME";

    fn is_root(test: &str) -> bool {
        let is_root = geteuid().is_root();
        if !is_root {
            // Past the harness, which shows nothing of tests that pass.
            _ = writeln!(io::stderr(), "\nSKIPPED, NOTHING WAS CHECKED: {test}: it takes root\n");
        }
        is_root
    }

    #[test]
    fn root_is_given_up_for_good() {
        const TEST: &str = "confine::user::tests::root_is_given_up_for_good";
        if let Some(dir) = std::env::var_os(INSIDE) {
            return given_up(Path::new(&dir));
        }
        if !is_root(TEST) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // For all threads of the process: it has to be another one.
        let mut other = Command::new(std::env::current_exe().unwrap());
        let run = other.args([TEST, "--exact", "--nocapture"]).env(INSIDE, dir.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let reports = fs::metadata(dir.path().join("reports/lan")).unwrap();
        assert_eq!((reports.mode() & 0o777, reports.uid()), (0o700, user("nobody").unwrap().uid.as_raw()));
        assert_eq!(fs::read(dir.path().join("reports/lan/a")).unwrap(), b"a");
    }

    fn given_up(dir: &Path) {
        let nobody = user("nobody").unwrap();
        let reports = dir.join("reports/lan");
        own(&reports, &nobody).unwrap();
        own(&reports, &nobody).unwrap();
        become_user(&nobody).unwrap();
        fs::write(reports.join("a"), "a").unwrap();
        assert_eq!(fs::write(dir.join("b"), "b").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        // What the kernel says, and not the library.
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!([line("Uid:"), line("Gid:")], [vec![nobody.uid.to_string(); 4], vec![nobody.gid.to_string(); 4]]);
        assert!(!line("Groups:").contains(&"0") && line("CapEff:") == ["0000000000000000"] && line("CapPrm:") == ["0000000000000000"]);
        assert!(matches!(user("nobody"), Err(Error::User { hint: Some(hint), .. }) if hint.contains("sudo")), "no root, no other user");
    }

    #[test]
    fn whom_nobody_can_become_is_told() {
        if !is_root("whom_nobody_can_become_is_told") {
            return;
        }
        let told = |name: &str| user(name).unwrap_err().to_string();
        assert_eq!(told("root"), "cannot run as root: that is root, who gives up nothing");
        assert_eq!(told("nobody-by-this-name"), "cannot run as nobody-by-this-name: there is no such user");
        assert!(user("a\0b").is_err());
    }

    #[test]
    fn what_belongs_to_others_stays_theirs() {
        if !is_root("what_belongs_to_others_stays_theirs") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let nobody = user("nobody").unwrap();
        let refused = own(dir.path(), &nobody).unwrap_err();
        assert!(refused.to_string().contains("belongs to root") && refused.hint().unwrap().contains("it is made for nobody"));
        assert_eq!(fs::metadata(dir.path()).unwrap().uid(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(own(&file, &nobody), Err(Error::Write { .. })));
    }
}
