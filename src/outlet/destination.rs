//! Who is told of alerts, as the command line names them.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::command::Hook;
use super::command_line::CommandLine;
use super::lines::{Lines, Target};
use super::queue::Deliver;
use super::syslog::Syslog;
use super::transport::Receiver;
use super::url::Url;
use super::webhook::Webhook;
use super::{ecs, eve};
use crate::config;
use crate::error::Error;
use crate::report;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    Syslog(Receiver),
    Webhook(Url),
    /// JSON lines as Suricata's.
    Eve(Target),
    /// JSON lines with the field names of the Elastic Common Schema.
    Ecs(Target),
    Command(CommandLine),
    /// JSON lines as in `alerts.jsonl`.
    Jsonl(Target),
}

impl Destination {
    /// # Errors
    /// As [`Receiver::parse`].
    pub fn syslog(text: &str) -> Result<Self, Error> {
        Receiver::parse(text).map(Self::Syslog)
    }

    /// A URL, or `@FILE`: the file that holds it, so that it is in no list of processes.
    ///
    /// # Errors
    /// [`Error::Usage`], without the URL, and [`Error::Open`] for the file.
    pub fn webhook(text: &str) -> Result<Self, Error> {
        let Some(path) = text.strip_prefix('@') else { return Url::parse(text).map(Self::Webhook) };
        let held = fs::read_to_string(path).map_err(|cause| Error::Open { path: path.into(), cause })?;
        Url::parse(&held).map(Self::Webhook)
    }

    #[must_use]
    pub fn eve(path: &Path) -> Self {
        Self::Eve(Target::of(path))
    }

    #[must_use]
    pub fn ecs(path: &Path) -> Self {
        Self::Ecs(Target::of(path))
    }

    /// # Errors
    /// As [`CommandLine::parse`].
    pub fn command(text: &str) -> Result<Self, Error> {
        CommandLine::parse(text).map(Self::Command)
    }

    /// Kind and receiver, for people: without what may be a secret.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Syslog(receiver) => format!("syslog {receiver}"),
            Self::Webhook(url) => format!("webhook {url}"),
            Self::Eve(target) => format!("eve {}", target.name()),
            Self::Ecs(target) => format!("ecs {}", target.name()),
            Self::Command(command) => format!("command {}", command.name()),
            Self::Jsonl(target) => format!("jsonl {}", target.name()),
        }
    }

    pub(super) fn open(&self, settings: &config::Outlet) -> Result<Box<dyn Deliver>, Error> {
        Ok(match self {
            Self::Syslog(receiver) => Box::new(Syslog::new(receiver, settings)),
            Self::Webhook(url) => Box::new(Webhook::new(url, settings)),
            Self::Eve(target) => Box::new(Lines::open(target, eve::line)?),
            Self::Ecs(target) => Box::new(Lines::open(target, ecs::line)?),
            Self::Command(command) => Box::new(Hook::new(command, settings)),
            Self::Jsonl(target) => Box::new(Lines::open(target, |notice| report::json_line(&notice.record()))?),
        })
    }

    /// Where lines go, if it is lines.
    const fn target(&self) -> Option<&Target> {
        match self {
            Self::Eve(target) | Self::Ecs(target) | Self::Jsonl(target) => Some(target),
            Self::Syslog(_) | Self::Webhook(_) | Self::Command(_) => None,
        }
    }
}

/// Nobody is told twice, and no file is of two formats.
pub(super) fn no_two_alike(wanted: &[Destination]) -> Result<(), Error> {
    let (mut known, mut files) = (HashSet::new(), HashSet::new());
    for destination in wanted {
        if !known.insert(destination) || destination.target().is_some_and(|target| !files.insert(target)) {
            return Err(Error::Usage(format!("alerts are to go to the same place twice: {}", destination.name())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_refused_twice_and_named_without_secrets() {
        let webhook = || Destination::webhook("https://a/s3cret").unwrap();
        let eve = || Destination::eve(Path::new("-"));
        let refusal = |wanted: &[Destination]| no_two_alike(wanted).unwrap_err().to_string();
        assert!(refusal(&[webhook(), eve(), webhook()]).ends_with("twice: webhook https://a/..."));
        assert!(refusal(&[eve(), Destination::ecs(Path::new("-"))]).ends_with("twice: ecs -"));
        assert!(
            no_two_alike(&[eve(), Destination::ecs(Path::new("x")), webhook(), Destination::webhook("https://a/other").unwrap()]).is_ok()
        );
    }

    #[test]
    fn a_url_can_be_held_by_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "https://a/s3cret\n").unwrap();
        let held = Destination::webhook(&format!("@{}", file.path().display())).unwrap();
        assert_eq!(held, Destination::webhook("https://a/s3cret").unwrap());
        assert!(matches!(Destination::webhook("@/no/such"), Err(Error::Open { .. })));
    }
}
