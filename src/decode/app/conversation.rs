//! Two ends that speak in lines, in turns, until one of them begins TLS.
//!
//! Knows who said which line. What the lines mean is a matter of each protocol ([`Talk`]).

use std::fmt;

use super::lines::{Line, Lines};
use super::{Dialogue, End, Fact, Interest, Segment};

/// What a protocol makes of the lines.
pub(super) trait Talk: Default + Send + Sync + fmt::Debug + 'static {
    /// Lines of this end were lost.
    fn resume(&mut self, from: End);

    /// A line of the client.
    fn say(&mut self, line: Line<'_>) -> Interest;

    /// A line of the server, which came with this segment.
    fn answer(&mut self, line: Line<'_>, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest;
}

/// Two ends that speak in lines.
#[derive(Debug, Default)]
struct Conversation<T> {
    client: Lines,
    server: Lines,
    talk: T,
}

pub(super) fn conversation<T: Talk>() -> Box<dyn Dialogue> {
    Box::new(Conversation::<T>::default())
}

impl<T: Talk> Dialogue for Conversation<T> {
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let Self { client, server, talk } = self;
        if is_tls(segment.bytes) {
            return Interest::Nothing;
        }
        if segment.gap {
            talk.resume(segment.from);
        }
        match segment.from {
            End::Client => client.take(segment, |line| talk.say(line)),
            End::Server => server.take(segment, |line| talk.answer(line, segment, facts)),
        }
    }
}

/// A record of TLS: an upgrade whose announcement was not captured.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 3, 0..=4, ..])
}
