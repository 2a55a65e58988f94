//! Flags that say where alerts go beside the report, and how such a command line is shown to others.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueHint};

use super::severity;
use crate::detect::Severity;
use crate::error::Error;
use crate::outlet::Destination;

const WEBHOOK: &str = "--webhook";
const ON_ALERT: &str = "--on-alert";

#[derive(Args, Debug)]
#[command(next_help_heading = "Notification")]
pub struct Notification {
    /// Send each alert as a syslog message (RFC 5424): `udp://HOST[:PORT]`, `tcp://HOST:PORT` or `unix:/dev/log`.
    /// Can be given again.
    ///
    /// Facility local5, as Suricata; severity critical, error, warning, notice or informational for critical, high,
    /// medium, low and info. TCP counts octets (RFC 6587).
    #[arg(long, value_name = "RECEIVER")]
    pub syslog: Vec<String>,

    /// Send each alert as JSON, as in alerts.jsonl, in a POST to this http or https URL. Can be given again.
    ///
    /// @FILE reads the URL from a file, so that it is in no list of processes; it is shown without user, path and query
    /// in the report, too. Connection errors and the answers 429 and 5xx are tried again; redirects are not followed.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub webhook: Vec<Hidden>,

    /// Append alerts to this file as Suricata's EVE writes them, `-` for standard output. Can be given again.
    ///
    /// The whole alert is under `nsm`. A new file is readable by its owner only; a symbolic link is refused.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub eve: Vec<PathBuf>,

    /// Append alerts to this file with the field names of the Elastic Common Schema; otherwise as --eve.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ecs: Vec<PathBuf>,

    /// Run this program for each alert, without a shell: words are divided by blanks, quotes hold them together.
    /// Can be given again.
    ///
    /// It gets the alert as JSON on standard input, and in its environment NSM_ALERT_ID, NSM_ALERT_STATUS, NSM_ALERT_TYPE,
    /// NSM_ALERT_TECHNIQUE, NSM_ALERT_SEVERITY, NSM_ALERT_CONFIDENCE, NSM_ALERT_TITLE, NSM_ALERT_MESSAGE,
    /// NSM_ALERT_FIRST_SEEN, NSM_ALERT_LAST_SEEN, NSM_ALERT_ATTACKERS, NSM_ALERT_VICTIMS and NSM_ALERT_CAPTURE. Nothing of
    /// an alert is ever an argument. One runs at a time, and is killed after outlet.command_s.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString)]
    pub on_alert: Vec<Hidden>,

    /// Tell of alerts from this severity on: `low` is what is worth a look, `info` a mere fact for the report.
    ///
    /// What could not be delivered is said at the end; it does not change the exit code, which is about the captures.
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), default_value = "low")]
    pub notify_from: Severity,
}

/// A value that may hold a secret, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Notification {
    /// Who is told, in the order of the flags' help.
    ///
    /// # Errors
    /// [`Error::Usage`] for what names nobody, [`Error::Open`] for the file of a URL.
    pub fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let syslog = self.syslog.iter().map(|receiver| Destination::syslog(receiver));
        let webhooks = self.webhook.iter().map(|url| Destination::webhook(&url.0));
        let eve = self.eve.iter().map(|path| Ok(Destination::eve(path)));
        let ecs = self.ecs.iter().map(|path| Ok(Destination::ecs(path)));
        let commands = self.on_alert.iter().map(|command| Destination::command(&command.0));
        syslog.chain(webhooks).chain(eve).chain(ecs).chain(commands).collect()
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A command line as it may be read by others: of the URL of a webhook only the host, and a command without its
/// arguments, as both may be what lets somebody in.
#[must_use]
pub fn shown(command_line: &[String]) -> Vec<String> {
    let mut flag = None;
    let mut ended = false;
    let mut shown = Vec::with_capacity(command_line.len());
    for argument in command_line {
        let joined = [WEBHOOK, ON_ALERT].into_iter().find_map(|flag| Some((flag, argument.strip_prefix(flag)?.strip_prefix('=')?)));
        shown.push(match (flag.take(), joined) {
            _ if ended => argument.clone(),
            (Some(flag), _) => hidden(flag, argument),
            (None, Some((flag, value))) => format!("{flag}={}", hidden(flag, value)),
            (None, None) => {
                flag = [WEBHOOK, ON_ALERT].into_iter().find(|flag| argument == flag);
                argument.clone()
            }
        });
        // What follows are captures, whatever they are called.
        ended |= argument == "--";
    }
    shown
}

fn hidden(flag: &str, value: &str) -> String {
    const LEFT_OUT: &str = "...";
    if flag == ON_ALERT {
        return match value.trim().split_once([' ', '\t']) {
            Some((program, _)) if !program.contains(['\'', '"', '\\']) => format!("{program} {LEFT_OUT}"),
            None => value.to_owned(),
            Some(_) => LEFT_OUT.to_owned(),
        };
    }
    if value.starts_with('@') {
        return value.to_owned();
    }
    Destination::webhook(value).map_or_else(|_| LEFT_OUT.to_owned(), |url| url.name().trim_start_matches("webhook ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &str) -> String {
        let all: Vec<String> = arguments.split('|').map(str::to_owned).collect();
        shown(&all).join("|")
    }

    #[test]
    fn secrets_are_not_in_the_command_line_that_is_shown() {
        for (given, want) in [
            ("nsm|analyze|a.pcap|--eve|x", "nsm|analyze|a.pcap|--eve|x"),
            ("nsm|analyze|--webhook|https://u:p@h:8443/T0/s3cret?k=1|a", "nsm|analyze|--webhook|https://h:8443/...|a"),
            ("nsm|analyze|--webhook=https://h/s3cret|--webhook=https://h", "nsm|analyze|--webhook=https://h/...|--webhook=https://h"),
            ("nsm|analyze|--webhook|s3cret", "nsm|analyze|--webhook|..."),
            ("nsm|analyze|--webhook|@url.txt", "nsm|analyze|--webhook|@url.txt"),
            ("nsm|analyze|--on-alert|notify --token s3cret|a", "nsm|analyze|--on-alert|notify ...|a"),
            ("nsm|analyze|--on-alert=/bin/notify", "nsm|analyze|--on-alert=/bin/notify"),
            ("nsm|analyze|--on-alert|'a s3cret b' c", "nsm|analyze|--on-alert|..."),
            ("nsm|analyze|--|--webhook|https://h/capture", "nsm|analyze|--|--webhook|https://h/capture"),
        ] {
            assert_eq!(of(given), want);
        }
    }

    #[test]
    fn flags_are_shown_without_their_values() {
        assert_eq!(format!("{:?}", Hidden("s3cret".into())), "(hidden)");
    }
}
