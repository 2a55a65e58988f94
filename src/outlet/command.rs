//! A program of the user's for every notice, one at a time and without a shell.
//!
//! It finds the alert as JSON, as in `alerts.jsonl`, on its standard input, and the fields of [`fields`] in its
//! environment. Nothing of an alert is ever an argument. What it writes to standard output is thrown away (there may be
//! alerts on ours); its standard error is ours.
//!
//! It is killed when its time is over or the run ends, and counts as failed then, as it does with an exit code other
//! than 0. Only the program itself can be killed: processes that it started are its own affair.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::command_line::CommandLine;
use super::queue::{Deliver, Pause};
use crate::config;
use crate::detect::Notice;
use crate::report::{is_deceptive, json_line};
use crate::time;

/// Bytes of one variable. A longer one may keep the program from starting (Linux: 128 KiB); all of it is in the JSON.
const VALUE: usize = 4_096;
/// How often a running program is looked at: at first for those that end at once, then seldom.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// How long the input of a program that has ended may take to find its end.
const FEEDING: Duration = Duration::from_secs(1);

pub(super) struct Hook {
    command: CommandLine,
    timeout: Duration,
    /// Gives a program its input, which may be more than fits into the pipe to it.
    feeder: Option<JoinHandle<()>>,
}

impl Hook {
    pub fn new(command: &CommandLine, settings: &config::Outlet) -> Self {
        Self { command: command.clone(), timeout: Duration::from_secs_f64(settings.command_s), feeder: None }
    }

    fn spawn(&self, notice: &Notice) -> std::io::Result<Child> {
        Command::new(&self.command.program)
            .args(&self.command.arguments)
            .envs(fields(notice))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
    }

    /// The input of the program before this one has found its end, as it does once nobody holds it any more. That may
    /// never be, where a program was killed and left another behind: then there is no second one.
    fn has_fed(&self, pause: &Pause) -> bool {
        let (begin, mut step) = (Instant::now(), LOOKS.0);
        let is_fed = || self.feeder.as_ref().is_none_or(JoinHandle::is_finished);
        while !is_fed() && begin.elapsed() < FEEDING && pause.wait(step) {
            step = (step * 2).min(LOOKS.1);
        }
        is_fed()
    }

    fn feed(&mut self, input: Option<ChildStdin>, alert: String) {
        let write = move || {
            // A program need not read it.
            _ = input.map(|mut input| input.write_all(alert.as_bytes()));
        };
        self.feeder = thread::Builder::new().name("nsm-on-alert".into()).spawn(write).ok();
    }
}

impl Deliver for Hook {
    fn deliver(&mut self, notice: &Notice, pause: &Pause) -> Result<(), String> {
        if !self.has_fed(pause) {
            return Err("something that it started still holds the input of the alert before".into());
        }
        let mut alert = json_line(&notice.record()).map_err(|cause| cause.to_string())?;
        alert.push('\n');
        let mut child = self.spawn(notice).map_err(|cause| format!("cannot be run: {cause}"))?;
        self.feed(child.stdin.take(), alert);
        let ended = wait(&mut child, self.timeout, pause);
        if ended.is_err() {
            // It may have ended by itself meanwhile.
            _ = child.kill();
            _ = child.wait();
        }
        judged(ended?)
    }
}

fn wait(child: &mut Child, timeout: Duration, pause: &Pause) -> Result<ExitStatus, String> {
    let (begin, (mut step, longest)) = (Instant::now(), LOOKS);
    loop {
        if let Some(status) = child.try_wait().map_err(|cause| format!("cannot be waited for: {cause}"))? {
            return Ok(status);
        }
        let left = timeout.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(format!("had not ended after {} s, and was killed", timeout.as_secs_f64()));
        }
        if !pause.wait(step.min(left)) {
            return Err("had not ended with the run, and was killed".into());
        }
        step = (step * 2).min(longest);
    }
}

fn judged(status: ExitStatus) -> Result<(), String> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err("was ended by a signal".into()),
    }
}

/// What the program finds in its environment: always all of these, empty where there is nothing to say. Lists have
/// commas between their elements.
fn fields(notice: &Notice) -> [(&'static str, String); 13] {
    let Notice { id, status, alert, capture } = notice;
    [
        ("NSM_ALERT_ID", plain(id)),
        ("NSM_ALERT_STATUS", status.name().into()),
        ("NSM_ALERT_TYPE", plain(alert.kind)),
        ("NSM_ALERT_TECHNIQUE", plain(alert.technique.unwrap_or_default())),
        ("NSM_ALERT_SEVERITY", alert.severity.name().into()),
        ("NSM_ALERT_CONFIDENCE", alert.confidence.to_string()),
        ("NSM_ALERT_TITLE", plain(&alert.title)),
        ("NSM_ALERT_MESSAGE", plain(&alert.message)),
        ("NSM_ALERT_FIRST_SEEN", time::rfc3339(alert.first_seen)),
        ("NSM_ALERT_LAST_SEEN", time::rfc3339(alert.last_seen)),
        ("NSM_ALERT_ATTACKERS", plain(&alert.attackers.join(","))),
        ("NSM_ALERT_VICTIMS", plain(&alert.victims.join(","))),
        ("NSM_ALERT_CAPTURE", plain(capture)),
    ]
}

/// Without anything that cannot be seen: a blank stands for it, as `\n` spelled out would be the end of a line again to
/// `echo`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars().map(|c| if is_deceptive(c) { ' ' } else { c }) {
        if plain.len() + letter.len_utf8() > VALUE {
            break;
        }
        plain.push(letter);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn variables_hold_nothing_that_is_not_seen_and_not_too_much() {
        let fields = fields(&example::hostile(100_000));
        for (name, value) in &fields {
            assert!(name.starts_with("NSM_ALERT_") && value.len() <= VALUE && !value.contains(is_deceptive), "{name}");
        }
        let title = &fields.iter().find(|(name, _)| *name == "NSM_ALERT_TITLE").unwrap().1;
        assert!(title.starts_with("a <34>1 - forged \"]\\  [2J  $(touch /tmp/x) `id` ; rm -rf ~ %s   é"), "{title}");
    }
}
