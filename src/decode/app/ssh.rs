//! SSH: what both ends call themselves, and how their logins went.
//!
//! The handshake is in clear until each end says NEWKEYS ([`handshake`]); after that only lengths are left,
//! and a login's outcome is inferred from them ([`logins`]). Users are never seen: they are encrypted.

mod handshake;
mod logins;

use super::identify::Recognised;
use super::{Dialogue, End, Ending, Fact, Interest, Login, LoginOutcome, Moment, Segment};
use handshake::{GREETING, Handshake, Heard, is_refusal};
use logins::{Encrypted, Logins};

pub(super) fn recognise(client: &[u8], server: &[u8]) -> Recognised {
    use Recognised::{Maybe, No, Yes};
    match (greets(client), server_greets(server)) {
        (No, _) | (_, No) => No,
        (Yes, _) | (_, Yes) => Yes,
        (Maybe, Maybe) => Maybe,
    }
}

fn greets(bytes: &[u8]) -> Recognised {
    match bytes.strip_prefix(GREETING) {
        Some([b'1' | b'2', b'.', ..]) => Recognised::Yes,
        Some([] | [b'1' | b'2']) => Recognised::Maybe,
        None if GREETING.starts_with(bytes) => Recognised::Maybe,
        Some(_) | None => Recognised::No,
    }
}

/// RFC 4253 section 4.2 lets a server, and only a server, write other lines before its greeting.
fn server_greets(bytes: &[u8]) -> Recognised {
    match greets(bytes) {
        Recognised::No if is_refusal(bytes) || bytes.split(|b| *b == b'\n').skip(1).any(|line| line.starts_with(GREETING)) => {
            Recognised::Yes
        }
        judged => judged,
    }
}

pub(super) fn begin() -> Box<dyn Dialogue> {
    Box::new(Ssh { client: Handshake::new(End::Client), server: Handshake::new(End::Server), logins: Logins::default() })
}

#[derive(Debug)]
struct Ssh {
    client: Handshake,
    server: Handshake,
    logins: Logins,
}

impl Dialogue for Ssh {
    fn held(&self) -> usize {
        self.client.held() + self.server.held()
    }

    fn take(&mut self, segment: &Segment<'_>, facts: &mut Vec<Fact>) -> Interest {
        let end = match segment.from {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        };
        match end.take(segment, facts) {
            Heard::Clear => Interest::Both,
            Heard::Encrypted { length, gap } => self.logins.take(&Encrypted { from: segment.from, length, gap, at: segment.at }, facts),
            Heard::Refusal => {
                facts.push(dropped(segment.at, true));
                Interest::Nothing
            }
            Heard::Lost => Interest::Nothing,
        }
    }

    fn end(&mut self, ending: &Ending, facts: &mut Vec<Fact>) {
        if self.was_dropped(ending) {
            facts.push(dropped(ending.at, false));
        }
        self.logins.end(facts);
    }
}

impl Ssh {
    /// The client greeted, and the server hung up before its first packet. Who closed first is not known
    /// unless by a reset; a client that has sent a packet already did not come for the greeting only.
    fn was_dropped(&self, ending: &Ending) -> bool {
        let closed_on_a_client_at_work = ending.closed && self.client.packets() > 0 && ending.server_bytes > 0;
        self.client.has_greeted() && self.server.packets() == 0 && (ending.reset_by_server || closed_on_a_client_at_work)
    }
}

fn dropped(at: Moment, certain: bool) -> Fact {
    Fact::Login(Login { user: String::new(), outcome: LoginOutcome::Dropped, certain, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4253 section 6: length, padding length, payload, padding.
    fn packet(code: u8, payload: usize) -> Vec<u8> {
        let padding = 8 - (payload + 5) % 8 + 4;
        let mut packet = u32::try_from(1 + payload + padding).unwrap().to_be_bytes().to_vec();
        packet.push(u8::try_from(padding).unwrap());
        packet.push(code);
        packet.resize(4 + 1 + payload + padding, 0xa5);
        packet
    }

    type Said = Vec<(End, Vec<u8>)>;

    fn greetings() -> Said {
        vec![(End::Server, b"SSH-2.0-OpenSSH_8.7\r\n".to_vec()), (End::Client, b"SSH-2.0-libssh2_1.8.0\r\n".to_vec())]
    }

    fn key_exchange() -> Said {
        vec![
            (End::Client, packet(20, 700)),
            (End::Server, packet(20, 900)),
            (End::Client, packet(30, 40)),
            (End::Server, [packet(31, 500), packet(21, 1)].concat()),
        ]
    }

    /// Lengths as nmap's ssh-brute was measured to send: its NEWKEYS shares a segment with its service request.
    fn session(encrypted: &[(End, usize)]) -> Said {
        let mut said = [greetings(), key_exchange()].concat();
        said.push((End::Client, [packet(21, 1), vec![0; 52]].concat()));
        said.push((End::Server, vec![0; 52]));
        said.extend(encrypted.iter().map(|(from, length)| (*from, vec![0; *length])));
        said
    }

    fn ending() -> Ending {
        Ending { at: Moment::default(), duration: 0, closed: true, reset_by_server: false, client_bytes: 2_000, server_bytes: 2_000 }
    }

    fn listen_cut(said: &Said, ending: &Ending, snaplen: usize) -> Vec<Fact> {
        let (mut dialogue, mut facts, mut cut) = (begin(), Vec::new(), [false; 2]);
        for (from, bytes) in said {
            let captured = bytes.get(..snaplen).unwrap_or(bytes);
            let gap = std::mem::replace(&mut cut[usize::from(*from == End::Server)], captured.len() < bytes.len());
            let length = u32::try_from(bytes.len()).unwrap();
            let segment = Segment { from: *from, bytes: captured, length, gap, at: Moment::default() };
            if dialogue.take(&segment, &mut facts) == Interest::Nothing {
                return facts;
            }
        }
        dialogue.end(ending, &mut facts);
        facts
    }

    fn listen(said: &Said) -> Vec<Fact> {
        listen_cut(said, &ending(), usize::MAX)
    }

    fn logins(facts: &[Fact]) -> Vec<(LoginOutcome, bool)> {
        let of = |fact: &Fact| if let Fact::Login(login) = fact { Some((login.outcome, login.certain)) } else { None };
        facts.iter().filter_map(of).collect()
    }

    const FAILED: (LoginOutcome, bool) = (LoginOutcome::Failed, false);
    const SUCCEEDED: (LoginOutcome, bool) = (LoginOutcome::Succeeded, false);

    #[test]
    fn both_ends_are_named_by_their_software() {
        let facts = listen(&greetings());
        assert_eq!(facts, [Fact::Software(End::Server, "OpenSSH_8.7".into()), Fact::Software(End::Client, "libssh2_1.8.0".into())]);
    }

    #[test]
    fn one_failure_in_a_connection_counts() {
        assert_eq!(logins(&listen(&session(&[(End::Client, 84), (End::Server, 52)]))), [FAILED]);
    }

    #[test]
    fn asking_for_the_methods_is_no_attempt() {
        assert_eq!(logins(&listen(&session(&[(End::Client, 68), (End::Server, 52)]))), []);
    }

    #[test]
    fn a_success_may_follow_failures_and_ends_the_reading() {
        let said = [(End::Client, 68), (End::Server, 84), (End::Client, 164), (End::Server, 84), (End::Client, 164), (End::Server, 36)];
        assert_eq!(logins(&listen(&session(&said))), [FAILED, SUCCEEDED]);
    }

    #[test]
    fn a_long_user_name_does_not_make_the_methods_question_an_attempt() {
        let said = [(End::Client, 84), (End::Server, 84), (End::Client, 164), (End::Server, 36)];
        assert_eq!(logins(&listen(&session(&said))), [SUCCEEDED]);
    }

    #[test]
    fn lasting_traffic_is_a_success_even_if_its_message_was_missed() {
        let mut said = vec![(End::Client, 68), (End::Server, 84)];
        said.extend([(End::Client, 164), (End::Server, 300)].repeat(8));
        assert_eq!(logins(&listen(&session(&said))), [SUCCEEDED]);
    }

    #[test]
    fn too_many_at_once_is_a_drop_that_the_server_states() {
        let said = vec![(End::Server, b"Exceeded MaxStartups\r\n".to_vec()), (End::Client, b"SSH-2.0-libssh2_1.8.0\r\n".to_vec())];
        assert_eq!(logins(&listen(&said)), [(LoginOutcome::Dropped, true)]);
    }

    #[test]
    fn a_reset_after_the_greetings_is_a_drop_and_a_banner_grab_is_not() {
        let reset = Ending { reset_by_server: true, ..ending() };
        assert_eq!(logins(&listen_cut(&greetings(), &reset, usize::MAX)), [(LoginOutcome::Dropped, false)]);
        assert_eq!(logins(&listen(&greetings())), []);
    }

    #[test]
    fn lengths_suffice_where_a_capture_keeps_only_the_beginning_of_frames() {
        assert_eq!(logins(&listen_cut(&session(&[(End::Client, 84), (End::Server, 52)]), &ending(), 42)), [FAILED]);
    }

    #[test]
    fn the_handshake_reads_the_same_byte_by_byte() {
        let whole = session(&[(End::Client, 84), (End::Server, 52)]);
        let handshake = 6;
        let mut bytewise: Said = Vec::new();
        for (from, bytes) in whole.iter().take(handshake) {
            bytewise.extend(bytes.iter().map(|byte| (*from, vec![*byte])));
        }
        bytewise.extend(whole.iter().skip(handshake).cloned());
        assert_eq!(listen(&bytewise), listen(&whole));
    }

    #[test]
    fn nothing_that_is_said_can_stop_it() {
        let mut state = 7_u64;
        for _ in 0..2_000 {
            let mut said = greetings();
            for _ in 0..12 {
                state = crate::net::mix(state, 1);
                let length = usize::try_from(state % 40).unwrap();
                let bytes = state.to_le_bytes().iter().copied().cycle().take(length).collect();
                said.push((if state & 1 == 0 { End::Client } else { End::Server }, bytes));
            }
            let from = usize::try_from(state % 3).unwrap();
            listen(&said.split_off(from.min(said.len())));
        }
    }

    #[test]
    fn it_is_known_by_its_greeting_alone() {
        assert_eq!(recognise(b"", b"SSH-2.0-OpenSSH_8.7\r\n"), Recognised::Yes);
        assert_eq!(recognise(b"SSH-1.99-x", b""), Recognised::Yes);
        assert_eq!(recognise(b"", b"Go away.\r\nSSH-2.0-x\r\n"), Recognised::Yes);
        assert_eq!(recognise(b"", b"Exceeded MaxStartups\r\n"), Recognised::Yes);
        assert_eq!(recognise(b"SS", b""), Recognised::Maybe);
        assert_eq!(recognise(b"GET / HTTP/1.1\r\n", b"SSH-2.0-OpenSSH_8.7\r\n"), Recognised::No);
        assert_eq!(recognise(b"SSH-agent", b""), Recognised::No);
    }
}
