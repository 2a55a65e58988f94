//! The bounded queue before an outlet, and the thread behind it.
//!
//! Counts: whatever is offered is in the end sent, dropped (it never came to the outlet) or failed (the outlet could
//! not deliver it), exactly once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::detect::Notice;
use crate::error::Error;
use crate::panics;

/// How long an outlet that was given up has to let go of what it holds, such as a running command.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);

/// Takes a notice to its receiver.
pub(super) trait Deliver: Send {
    /// May take its time. Waits only with `pause`, so that it can be given up.
    ///
    /// # Errors
    /// Why the notice did not reach the receiver, in words that hold no secret.
    fn deliver(&mut self, notice: &Notice, pause: &Pause) -> Result<(), String>;
}

/// What became of everything that one outlet was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Kind and receiver, without secrets: `syslog udp://192.0.2.1:514`.
    pub outlet: String,
    pub sent: u64,
    /// Never came to the receiver: the queue was full, or time ran out.
    pub dropped: u64,
    /// The receiver could not be reached, or refused.
    pub failed: u64,
    pub last_error: Option<String>,
}

impl Delivery {
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.dropped + self.failed
    }
}

pub(super) struct Queue {
    shared: Arc<Shared>,
    /// Notices that may wait.
    room: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The thread is done.
    has_ended: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Notice>>,
    /// The outlet has a notice in hand.
    is_busy: bool,
    phase: Phase,
    delivery: Delivery,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Open,
    /// Nothing more will be offered.
    Closed,
    /// Everything is counted; whatever still happens no longer is.
    GivenUp,
}

/// How an outlet waits: it is woken when it is given up.
pub(super) struct Pause(Arc<Shared>);

impl Queue {
    pub fn start(name: String, room: usize, mut outlet: Box<dyn Deliver>) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        shared.lock().delivery.outlet = name;
        let pause = Pause(Arc::clone(&shared));
        let work = move || {
            pause.0.work(&mut *outlet, &pause);
            drop(outlet);
            pause.0.change(|_| pause.0.has_ended.store(true, Ordering::Release));
        };
        // The thread ends by itself once the queue is closed and empty; nobody waits longer than its patience.
        let started = thread::Builder::new().name("nsm-outlet".into()).spawn(work);
        started.map_err(|cause| Error::Internal(format!("no thread for an outlet: {cause}")))?;
        Ok(Self { shared, room })
    }

    /// Waits for nobody.
    pub fn offer(&self, notice: &Arc<Notice>) {
        self.shared.change(|state| {
            if state.phase > Phase::Open || state.waiting.len() >= self.room {
                state.delivery.dropped += 1;
            } else {
                state.waiting.push_back(Arc::clone(notice));
            }
        });
    }

    pub fn delivery(&self) -> Delivery {
        self.shared.lock().delivery.clone()
    }

    pub fn close(&self) {
        self.shared.change(|state| state.phase = state.phase.max(Phase::Closed));
    }

    /// Waits until all is delivered, or the moment has come.
    pub fn drain(&self, deadline: Instant) {
        self.shared.wait_while(deadline, |state| state.is_busy || !state.waiting.is_empty());
    }

    /// Counts what was not delivered by now as lost.
    pub fn give_up(&self) {
        self.shared.change(State::give_up);
    }

    /// Waits for the thread, and says what became of everything.
    pub fn end(&self, deadline: Instant) -> Delivery {
        self.shared.wait_while(deadline, |_| !self.shared.has_ended.load(Ordering::Acquire));
        self.delivery()
    }
}

impl Drop for Queue {
    /// No thread is left behind waiting for work.
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.delivery().fmt(f)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_while(&self, deadline: Instant, condition: impl FnMut(&mut State) -> bool) {
        let left = deadline.saturating_duration_since(Instant::now());
        drop(self.changed.wait_timeout_while(self.lock(), left, condition));
    }

    fn work(&self, outlet: &mut dyn Deliver, pause: &Pause) {
        while let Some(notice) = self.next() {
            // An outlet that comes down must not leave its queue full for ever.
            let delivered = panics::caught(|| outlet.deliver(&notice, pause)).unwrap_or_else(Err);
            self.change(|state| state.done(delivered));
        }
    }

    /// The next notice; none when all is done.
    fn next(&self) -> Option<Arc<Notice>> {
        let idle = |state: &mut State| state.waiting.is_empty() && state.phase == Phase::Open;
        let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let next = state.waiting.pop_front();
        state.is_busy = next.is_some();
        next
    }
}

impl State {
    fn done(&mut self, delivered: Result<(), String>) {
        if self.phase == Phase::GivenUp {
            return;
        }
        self.is_busy = false;
        match delivered {
            Ok(()) => self.delivery.sent += 1,
            Err(reason) => {
                self.delivery.failed += 1;
                self.delivery.last_error = Some(reason);
            }
        }
    }

    fn give_up(&mut self) {
        self.phase = Phase::GivenUp;
        self.delivery.dropped += self.waiting.len() as u64;
        self.waiting.clear();
        if std::mem::take(&mut self.is_busy) {
            self.delivery.failed += 1;
            self.delivery.last_error.get_or_insert_with(|| "the run ended before the receiver had taken it".into());
        }
    }
}

impl Pause {
    /// Waits; false, and earlier, if the outlet was given up.
    pub fn wait(&self, time: Duration) -> bool {
        self.0.wait_while(Instant::now() + time, |state| state.phase < Phase::GivenUp);
        !self.is_given_up()
    }

    pub fn is_given_up(&self) -> bool {
        self.0.lock().phase == Phase::GivenUp
    }

    #[cfg(test)]
    pub fn endless() -> Self {
        Self(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::example;
    use super::*;

    /// An outlet that waits for a word before each delivery.
    struct Told(Receiver<Result<(), String>>);

    impl Deliver for Told {
        fn deliver(&mut self, _: &Notice, _: &Pause) -> Result<(), String> {
            self.0.recv().unwrap_or_else(|_| panic!("nobody speaks"))
        }
    }

    fn told(room: usize) -> (Queue, Sender<Result<(), String>>) {
        let (word, words) = channel();
        (Queue::start("told".into(), room, Box::new(Told(words))).unwrap(), word)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// Until the outlet has a notice in hand.
    fn until_busy(queue: &Queue) {
        let deadline = soon();
        while !queue.shared.lock().is_busy && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn counts(delivery: &Delivery) -> (u64, u64, u64) {
        (delivery.sent, delivery.dropped, delivery.failed)
    }

    #[test]
    fn everything_is_counted_once() {
        let (queue, word) = told(3);
        let notice = Arc::new(example::notice());
        queue.offer(&notice);
        // One in hand, three wait, six are too many.
        until_busy(&queue);
        (0..9).for_each(|_| queue.offer(&notice));
        assert_eq!(counts(&queue.delivery()), (0, 6, 0));
        for delivered in [Ok(()), Err("no".into()), Ok(())] {
            word.send(delivered).unwrap();
        }
        queue.shared.wait_while(soon(), |state| state.delivery.sent < 2);
        queue.close();
        queue.drain(Instant::now() + Duration::from_millis(50));
        queue.give_up();
        let delivery = queue.delivery();
        assert_eq!(counts(&delivery), (2, 6, 2), "the last one was in hand");
        assert_eq!(delivery.last_error.as_deref(), Some("no"));
        // What comes too late changes nothing.
        word.send(Ok(())).unwrap();
        assert_eq!(counts(&queue.end(soon())), (2, 6, 2));
    }

    #[test]
    fn a_hanging_outlet_holds_up_nobody_and_memory_does_not_grow() {
        let (queue, _word) = told(8);
        let notice = Arc::new(example::notice());
        let begin = Instant::now();
        (0..100_000).for_each(|_| queue.offer(&notice));
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        assert!(Arc::strong_count(&notice) <= 1 + 8 + 1);
        queue.give_up();
        let delivery = queue.delivery();
        assert_eq!(delivery.dropped + delivery.failed, 100_000);
        assert!(Arc::strong_count(&notice) <= 2);
    }

    #[test]
    fn what_is_offered_after_the_end_is_dropped() {
        let (queue, _word) = told(8);
        queue.close();
        queue.offer(&Arc::new(example::notice()));
        assert_eq!(counts(&queue.end(soon())), (0, 1, 0));
    }

    #[test]
    fn an_outlet_that_comes_down_is_an_outlet_that_fails() {
        let (queue, word) = told(8);
        drop(word);
        (0..3).for_each(|_| queue.offer(&Arc::new(example::notice())));
        queue.close();
        queue.drain(soon());
        let delivery = queue.end(soon());
        assert_eq!(counts(&delivery), (0, 0, 3));
        assert!(delivery.last_error.unwrap().contains("nobody speaks"));
    }

    #[test]
    fn a_wait_ends_when_the_outlet_is_given_up() {
        struct Waits;
        impl Deliver for Waits {
            fn deliver(&mut self, _: &Notice, pause: &Pause) -> Result<(), String> {
                if pause.wait(Duration::from_secs(3_600)) { Ok(()) } else { Err("given up".into()) }
            }
        }
        let queue = Queue::start("waits".into(), 8, Box::new(Waits)).unwrap();
        queue.offer(&Arc::new(example::notice()));
        until_busy(&queue);
        queue.give_up();
        let begin = Instant::now();
        assert_eq!(counts(&queue.end(soon())), (0, 0, 1));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_queue_that_is_let_go_leaves_no_thread() {
        let (queue, _word) = told(8);
        let shared = Arc::clone(&queue.shared);
        drop(queue);
        shared.wait_while(soon(), |_| !shared.has_ended.load(Ordering::Acquire));
        assert!(shared.has_ended.load(Ordering::Acquire));
    }
}
