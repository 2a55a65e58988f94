//! Standard error, written by a thread of its own: who stops reading it (Ctrl-S, a pager) stops nothing else.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What may wait to be shown; beyond that it is left out. Everything is in the log, too.
const AHEAD: usize = 1_024;
/// At the end, how long whoever reads may take.
const PATIENCE: Duration = Duration::from_secs(2);

enum Shown {
    /// Stays.
    Line(String),
    /// Takes the place of what was shown before.
    Screen(String),
}

pub(super) struct Console {
    sender: SyncSender<Shown>,
    done: Receiver<()>,
    has_screen: bool,
}

impl Console {
    /// The screen, lines that stay in place, is for terminals only.
    pub(super) fn open(wants_screen: bool) -> Self {
        let has_screen = wants_screen && io::stderr().is_terminal();
        let (sender, shown) = sync_channel(AHEAD);
        let (end, done) = channel();
        thread::spawn(move || {
            show(&shown, has_screen);
            // Nobody may wait any more.
            _ = end.send(());
        });
        Self { sender, done, has_screen }
    }

    pub(super) const fn has_screen(&self) -> bool {
        self.has_screen
    }

    /// Something that stays, above the screen. It must be harmless already.
    pub(super) fn line(&self, text: impl Into<String>) {
        _ = self.sender.try_send(Shown::Line(text.into()));
    }

    /// What is to be seen from now on.
    pub(super) fn screen(&self, text: String) {
        _ = self.sender.try_send(Shown::Screen(text));
    }

    /// Shows what waits, if anybody reads it.
    pub(super) fn end(self) {
        let Self { sender, done, .. } = self;
        drop(sender);
        _ = done.recv_timeout(PATIENCE);
    }
}

fn show(shown: &Receiver<Shown>, has_screen: bool) {
    let target = if has_screen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    for shown in shown {
        match shown {
            // A closed standard error is no reason to stop.
            Shown::Line(text) => bar.suspend(|| _ = writeln!(io::stderr(), "{text}")),
            Shown::Screen(text) => {
                bar.set_message(text);
                bar.tick();
            }
        }
    }
    bar.finish_and_clear();
}
