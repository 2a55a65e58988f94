//! A source that is waited for a moment and no longer: what another source yields meanwhile, or an empty block.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Block, Source, SourceFacts};
use crate::error::Error;
use crate::warning::Warning;

/// How long to wait for the next block.
const PATIENCE: Duration = Duration::from_millis(200);
/// Blocks that may wait to be taken.
const AHEAD: usize = 4;

/// Reads another source on a thread of its own.
pub struct Paced {
    full: Receiver<Block>,
    spent: Sender<Block>,
    reader: Option<JoinHandle<Result<(), Error>>>,
    stop: Arc<AtomicBool>,
    /// Packets that may still be handed out.
    left: Option<u64>,
    said: Arc<Mutex<Said>>,
    /// What it had said with the latest block.
    last: Said,
}

/// What the source says of itself.
#[derive(Clone, Default)]
struct Said {
    facts: SourceFacts,
    warnings: Vec<Warning>,
    position: u64,
}

impl Said {
    fn of(source: &dyn Source) -> Self {
        Self { facts: source.facts(), warnings: source.warnings().to_vec(), position: source.position() }
    }
}

impl Paced {
    /// Ends when the source does, after so many packets, or when `stop` becomes true. The source is opened on the other
    /// thread, for that may have to wait, too; that it cannot be opened is the first answer.
    #[must_use]
    pub fn begin(
        open: impl FnOnce() -> Result<Box<dyn Source>, Error> + Send + 'static,
        packets: Option<u64>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let (sender, full) = sync_channel(AHEAD);
        let (spent, empty) = channel::<Block>();
        let said = Arc::new(Mutex::new(Said::default()));
        let shared = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let mut source = open()?;
            loop {
                let mut block = empty.try_recv().unwrap_or_default();
                let goes_on = source.next_block(&mut block)?;
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Said::of(&*source);
                if !goes_on || sender.send(block).is_err() {
                    return Ok(());
                }
            }
        });
        Self { full, spent, reader: Some(reader), stop, left: packets, said, last: Said::default() }
    }

    /// The source has ended: what it says now.
    fn join(&mut self) -> Result<(), Error> {
        let ended = self.reader.take().map(JoinHandle::join);
        self.listen();
        ended.unwrap_or(Ok(Ok(()))).map_err(|_| Error::Internal("the reader stopped".into()))?
    }

    fn listen(&mut self) {
        self.last = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    }
}

impl Source for Paced {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.clear();
        if self.stop.load(Ordering::Relaxed) || self.left == Some(0) {
            self.listen();
            return Ok(false);
        }
        match self.full.recv_timeout(PATIENCE) {
            Ok(next) => {
                // A reader that has ended takes no more blocks.
                let _ = self.spent.send(std::mem::replace(block, next));
                block.frames.truncate(self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX));
                self.left = self.left.map(|left| left - block.frames.len() as u64);
                self.listen();
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(true),
            Err(RecvTimeoutError::Disconnected) => self.join().map(|()| false),
        }
    }

    fn warnings(&self) -> &[Warning] {
        &self.last.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.last.facts.clone()
    }

    fn position(&self) -> u64 {
        self.last.position
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemorySource;
    use super::super::fixtures::drain;
    use super::*;

    /// Waits for ever, as an interface without traffic.
    struct Silent;

    impl Source for Silent {
        fn next_block(&mut self, _: &mut Block) -> Result<bool, Error> {
            thread::sleep(Duration::from_secs(3_600));
            Ok(false)
        }

        fn warnings(&self) -> &[Warning] {
            &[]
        }

        fn facts(&self) -> SourceFacts {
            SourceFacts::default()
        }

        fn position(&self) -> u64 {
            0
        }
    }

    #[test]
    fn everything_comes_through_in_order_with_what_is_said_at_the_end() {
        let frames: Vec<_> = (0_u8..200).map(|n| (i64::from(n % 100) * 2_000_000_000, vec![n; 60])).collect();
        let memory = || MemorySource::new(1, frames.clone()).block_frames(7);
        let source = memory();
        let mut paced = Paced::begin(move || Ok(Box::new(source) as Box<dyn Source>), None, Arc::default());
        assert_eq!(drain(&mut paced).unwrap(), drain(&mut memory()).unwrap());
        let source = memory();
        let mut ten = Paced::begin(move || Ok(Box::new(source) as Box<dyn Source>), Some(10), Arc::default());
        assert_eq!(drain(&mut ten).unwrap().frames.len(), 10);
    }

    #[test]
    fn silence_is_an_empty_block_and_ends_when_asked() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut paced = Paced::begin(|| Ok(Box::new(Silent) as Box<dyn Source>), None, Arc::clone(&stop));
        let mut block = Block::default();
        assert!(paced.next_block(&mut block).unwrap() && block.frames.is_empty());
        stop.store(true, Ordering::Relaxed);
        assert!(!paced.next_block(&mut block).unwrap());
    }
}
