//! Where alerts go beside the report: syslog, a webhook, files in the formats of Suricata and Elastic, a command.
//!
//! Knows how an alert is written for each receiver, and that no receiver may slow anybody down: every outlet works on
//! a thread of its own behind a bounded queue. Does not know where alerts come from, and computes none.
//!
//! Everything in an alert that comes from a capture is hostile. It is escaped for the format it is written in, and
//! never becomes an option, an address or a part of a command line.

mod command;
mod command_line;
mod destination;
mod ecs;
mod eve;
#[cfg(test)]
mod example;
mod host;
mod lines;
mod members;
mod parties;
mod queue;
mod retry;
mod syslog;
mod transport;
mod url;
mod webhook;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use command_line::CommandLine;
pub use destination::Destination;
pub use lines::Target;
pub use queue::Delivery;
pub use transport::Receiver;
pub use url::Url;

use crate::config;
use crate::detect::{Notice, Severity, Status};
use crate::error::Error;
use queue::{Deliver, Queue};

/// Open alerts that are remembered, so that who heard of one hears of its end; more are not open at a time.
const MOST_OPEN: usize = 65_536;

/// Everybody who is told of alerts.
#[derive(Debug)]
pub struct Outlets {
    queues: Vec<Queue>,
    least: Severity,
    /// Alerts that somebody heard of and that are not over.
    open: Mutex<HashSet<String>>,
    patience: Duration,
}

impl Outlets {
    /// Opens files and starts the threads. Receivers in the network are not asked: they may come later.
    ///
    /// To be called with the rights and the view of the file system that the outlets need: what restricts the process
    /// afterwards may keep them from connecting again, or from running the command.
    ///
    /// # Errors
    /// [`Error::Write`] for a file that cannot be opened, [`Error::Usage`] where a destination is given twice.
    pub fn start(wanted: &[Destination], settings: &config::Outlet, least: Severity) -> Result<Self, Error> {
        destination::no_two_alike(wanted)?;
        let opened: Vec<(String, Box<dyn Deliver>)> =
            wanted.iter().map(|destination| Ok((destination.name(), destination.open(settings)?))).collect::<Result<_, Error>>()?;
        let room = usize::try_from(settings.queue).unwrap_or(usize::MAX);
        let queues = opened.into_iter().map(|(name, outlet)| Queue::start(name, room, outlet)).collect::<Result<_, Error>>()?;
        let patience = Duration::from_secs_f64(settings.patience_s);
        Ok(Self { queues, least, open: Mutex::default(), patience })
    }

    /// Nobody is told.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Tells everybody, or counts what is lost where a queue is full. Never waits for a receiver.
    ///
    /// Alerts below the least severity are passed over, but for the end of those that were told of while they were worse.
    pub fn tell(&self, notice: &Arc<Notice>) {
        if !self.queues.is_empty() && self.concerns(notice) {
            self.queues.iter().for_each(|queue| queue.offer(notice));
        }
    }

    /// Alerts that did not reach their receiver so far: dropped and failed, of all outlets together.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queues.iter().map(|queue| queue.delivery().lost()).sum()
    }

    /// Delivers what is queued, for as long as `outlet.patience_s` says for all outlets together, and says what became
    /// of everything: `sent + dropped + failed` is what was told.
    #[must_use]
    pub fn finish(self) -> Vec<Delivery> {
        let deadline = Instant::now() + self.patience;
        self.queues.iter().for_each(Queue::close);
        self.queues.iter().for_each(|queue| queue.drain(deadline));
        // First all, then each: what they still hold they let go side by side.
        self.queues.iter().for_each(Queue::give_up);
        let farewell = Instant::now() + queue::FAREWELL;
        self.queues.iter().map(|queue| queue.end(farewell)).collect()
    }

    fn concerns(&self, notice: &Notice) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = notice.status == Status::Open;
        let heard_of = if is_open { open.contains(&notice.id) } else { open.remove(&notice.id) };
        let concerns = heard_of || notice.alert.severity >= self.least;
        if is_open && concerns && !heard_of && open.len() < MOST_OPEN {
            open.insert(notice.id.clone());
        }
        concerns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::Pause;

    /// Keeps what it is told of.
    struct Memory(Arc<Mutex<Vec<(String, Status)>>>);

    impl Deliver for Memory {
        fn deliver(&mut self, notice: &Notice, _: &Pause) -> Result<(), String> {
            self.0.lock().unwrap().push((notice.id.clone(), notice.status));
            Ok(())
        }
    }

    #[test]
    fn who_heard_of_an_alert_hears_of_its_end() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let queue = Queue::start("memory".into(), 100, Box::new(Memory(Arc::clone(&told)))).unwrap();
        let outlets = Outlets { queues: vec![queue], least: Severity::Medium, open: Mutex::default(), patience: Duration::from_secs(10) };
        let tell = |id: &str, status, severity| {
            let mut notice = example::notice();
            (notice.id, notice.status, notice.alert.severity) = (id.into(), status, severity);
            outlets.tell(&Arc::new(notice));
        };
        tell("quiet", Status::Open, Severity::Low);
        tell("quiet", Status::Final, Severity::Low);
        tell("loud", Status::Open, Severity::High);
        tell("loud", Status::Open, Severity::Low);
        tell("loud", Status::Withdrawn, Severity::Low);
        tell("loud", Status::Final, Severity::Low);
        tell("late", Status::Final, Severity::Medium);
        let delivered = outlets.finish();
        let want = [("loud", Status::Open), ("loud", Status::Open), ("loud", Status::Withdrawn), ("late", Status::Final)];
        assert_eq!(*told.lock().unwrap(), want.map(|(id, status)| (id.to_owned(), status)));
        assert_eq!((delivered[0].sent, delivered[0].lost()), (4, 0));
    }

    #[test]
    fn nobody_costs_nothing() {
        let outlets = Outlets::start(&[], &config::Outlet::default(), Severity::Low).unwrap();
        outlets.tell(&Arc::new(example::notice()));
        assert!(outlets.is_empty());
        assert_eq!(outlets.lost(), 0);
        assert!(outlets.finish().is_empty());
    }
}
