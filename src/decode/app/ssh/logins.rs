//! How SSH logins went, inferred from the lengths of encrypted segments.
//!
//! Padding makes lengths telling (RFC 4253 section 6): SERVICE_ACCEPT, the server's first message, is 17
//! bytes of payload, and USERAUTH_SUCCESS is one, which is exactly 16 bytes less on the wire whatever the
//! cipher: 32 and 16 with blocks of 16 bytes, 24 and 8 with chacha20-poly1305. USERAUTH_FAILURE lists the
//! methods that may continue, so that it has one length in a session, never below SERVICE_ACCEPT's. As
//! Zeek's analyzer does, but the first failure counts too: many tools try one password per connection.
//!
//! Knows nothing of what is in clear.

use super::super::{End, Fact, Interest, Login, LoginOutcome, Moment};

/// Lengths that SERVICE_ACCEPT can have, from 28 bytes of packet without MAC to 36 with one of 64.
const ACCEPT: std::ops::RangeInclusive<u32> = 28..=100;
const SUCCESS_IS_SHORTER: u32 = 16;
/// The longest list of methods in use (publickey, gssapi-keyex, gssapi-with-mic, password,
/// keyboard-interactive, hostbased) makes 84 bytes of payload. A key that is accepted for signing, or a
/// banner, is longer.
const FAILURE_IS_LONGER: u32 = 80;
/// A first request shorter than this above the service request has no room for a password or key: it is
/// the method "none", which asks what there is. Payloads are 31 bytes and the user against 40, the user
/// and the password.
const ATTEMPT_IS_LONGER: u32 = 32;

/// A client that goes on so long without a failure is in: no login takes as many messages.
const LASTING_SEGMENTS: u32 = 8;
const LASTING_SERVER_BYTES: u32 = 1_500;
/// The same where the server has little to say, as with an upload.
const LONG_LASTING_SEGMENTS: u32 = 64;
/// Without SERVICE_ACCEPT among so many, an end is not in the capture.
const MOST_UNKNOWN: u32 = 40;

/// A segment after NEWKEYS: all that is known of it.
pub(super) struct Encrypted {
    pub from: End,
    pub length: u32,
    /// Something of this end was lost before it.
    pub gap: bool,
    pub at: Moment,
}

#[derive(Debug, Default)]
pub(super) struct Logins {
    client_spoke: bool,
    segments: u32,
    accept: Option<u32>,
    failure: Option<u32>,
    /// Length of the request that waits for its answer; 0 when none does.
    request: u32,
    answered: bool,
    requests: u32,
    /// The first request failed, and may have been the method "none" of a user with a long name.
    undecided: Option<Undecided>,
    since_failure: Traffic,
}

#[derive(Debug)]
struct Undecided {
    request: u32,
    at: Moment,
}

#[derive(Debug, Default)]
struct Traffic {
    client_segments: u32,
    server_bytes: u32,
}

impl Logins {
    pub(super) fn take(&mut self, segment: &Encrypted, facts: &mut Vec<Fact>) -> Interest {
        self.segments = self.segments.saturating_add(1);
        if segment.gap {
            self.request = 0;
            self.answered = true;
        }
        let succeeded = match segment.from {
            End::Client => self.ask(segment.length),
            End::Server => self.answer(segment.length, segment.at, facts),
        };
        if succeeded {
            self.decide(self.request, facts);
            facts.push(login(LoginOutcome::Succeeded, segment.at));
        }
        if succeeded || (self.accept.is_none() && self.segments > MOST_UNKNOWN) { Interest::Nothing } else { Interest::Both }
    }

    /// Nothing more was asked after it: it was an attempt.
    pub(super) fn end(&mut self, facts: &mut Vec<Fact>) {
        self.decide(0, facts);
    }

    fn ask(&mut self, length: u32) -> bool {
        self.client_spoke = true;
        if self.accept.is_none() {
            return false;
        }
        let begun = if self.answered { 0 } else { self.request };
        self.request = begun.saturating_add(length);
        self.answered = false;
        self.since_failure.client_segments = self.since_failure.client_segments.saturating_add(1);
        self.is_lasting()
    }

    fn answer(&mut self, length: u32, at: Moment, facts: &mut Vec<Fact>) -> bool {
        let Some(accept) = self.accept else {
            // What the server says unasked before that (EXT_INFO) is not it.
            self.accept = Some(length).filter(|length| self.client_spoke && ACCEPT.contains(length));
            return false;
        };
        self.since_failure.server_bytes = self.since_failure.server_bytes.saturating_add(length);
        if self.request == 0 {
            return self.is_lasting();
        }
        if !std::mem::replace(&mut self.answered, true) {
            self.requests = self.requests.saturating_add(1);
        }
        if length == accept.saturating_sub(SUCCESS_IS_SHORTER) {
            return true;
        }
        if self.is_failure(length, accept) {
            self.fail(length, accept, at, facts);
        }
        self.is_lasting()
    }

    fn is_failure(&self, length: u32, accept: u32) -> bool {
        self.failure.map_or_else(|| (accept..=accept.saturating_add(FAILURE_IS_LONGER)).contains(&length), |failure| failure == length)
    }

    fn fail(&mut self, length: u32, accept: u32, at: Moment, facts: &mut Vec<Fact>) {
        self.failure = Some(length);
        self.since_failure = Traffic::default();
        let request = std::mem::take(&mut self.request);
        if self.requests > 1 {
            self.decide(request, facts);
            facts.push(login(LoginOutcome::Failed, at));
        } else if request >= accept.saturating_add(ATTEMPT_IS_LONGER) {
            self.undecided = Some(Undecided { request, at });
        }
    }

    /// A longer request after the first says that the first one was only the method "none".
    fn decide(&mut self, next: u32, facts: &mut Vec<Fact>) {
        if let Some(first) = self.undecided.take()
            && next <= first.request
        {
            facts.push(login(LoginOutcome::Failed, first.at));
        }
    }

    const fn is_lasting(&self) -> bool {
        let since = &self.since_failure;
        since.client_segments >= LONG_LASTING_SEGMENTS
            || since.client_segments >= LASTING_SEGMENTS && since.server_bytes > LASTING_SERVER_BYTES
    }
}

fn login(outcome: LoginOutcome, at: Moment) -> Fact {
    Fact::Login(Login { user: String::new(), outcome, certain: false, at })
}
