//! A source that is waited for a moment and no longer: what another source yields meanwhile, or an empty block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Block, Source, SourceFacts};
use crate::error::Error;
use crate::warning::Warning;

/// How long to wait for the next block.
const PATIENCE: Duration = Duration::from_millis(200);
/// Blocks that may wait to be taken.
const AHEAD: usize = 4;

/// A source that has ended, and how.
type Ended = (Box<dyn Source>, Result<(), Error>);

/// Reads another source on a thread of its own.
pub struct Paced {
    full: Receiver<Block>,
    spent: Sender<Block>,
    reader: Option<JoinHandle<Ended>>,
    stop: Arc<AtomicBool>,
    /// As the source said before it was begun, and then when it has ended.
    facts: SourceFacts,
    warnings: Vec<Warning>,
    position: u64,
}

impl Paced {
    /// Ends when the source does, or `stop` becomes true.
    #[must_use]
    pub fn begin(mut source: Box<dyn Source>, stop: Arc<AtomicBool>) -> Self {
        let (sender, full) = sync_channel(AHEAD);
        let (spent, empty) = channel::<Block>();
        let facts = source.facts();
        let reader = thread::spawn(move || {
            loop {
                let mut block = empty.try_recv().unwrap_or_default();
                match source.next_block(&mut block) {
                    Ok(true) if sender.send(block).is_ok() => {}
                    Ok(_) => return (source, Ok(())),
                    Err(error) => return (source, Err(error)),
                }
            }
        });
        Self { full, spent, reader: Some(reader), stop, facts, warnings: Vec::new(), position: 0 }
    }

    /// The source has ended: what it says now.
    fn join(&mut self) -> Result<(), Error> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        let (source, ended) = reader.join().map_err(|_| Error::Internal("the reader stopped".into()))?;
        self.facts = source.facts();
        self.warnings = source.warnings().to_vec();
        self.position = source.position();
        ended
    }
}

impl Source for Paced {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        block.clear();
        if self.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match self.full.recv_timeout(PATIENCE) {
            Ok(next) => {
                // A reader that has ended takes no more blocks.
                let _ = self.spent.send(std::mem::replace(block, next));
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(true),
            Err(RecvTimeoutError::Disconnected) => self.join().map(|()| false),
        }
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn facts(&self) -> SourceFacts {
        self.facts.clone()
    }

    fn position(&self) -> u64 {
        self.position
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
        assert_eq!(drain(&mut Paced::begin(Box::new(memory()), Arc::default())).unwrap(), drain(&mut memory()).unwrap());
    }

    #[test]
    fn silence_is_an_empty_block_and_ends_when_asked() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut paced = Paced::begin(Box::new(Silent), Arc::clone(&stop));
        let mut block = Block::default();
        assert!(paced.next_block(&mut block).unwrap() && block.frames.is_empty());
        stop.store(true, Ordering::Relaxed);
        assert!(!paced.next_block(&mut block).unwrap());
    }
}
