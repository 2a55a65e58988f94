//! Conversations over TCP: the protocol is chosen by the first byte, or by `NSM_FUZZ_ONLY`; the rest are turns.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nsm_fuzz::decode::app::{self, End, Ending, Fact, Interest, MOST_HELD, MOST_NAME, Moment, Segment, Service};
use nsm_fuzz::time::SECOND;
use nsm_fuzz::turns::{self, Turns};

static SERVICES: LazyLock<Vec<Service>> =
    LazyLock::new(|| Service::ALL.into_iter().filter(|service| app::dialogue(*service).is_some()).collect());
static ONLY: LazyLock<Option<usize>> = LazyLock::new(|| turns::only(&SERVICES.iter().map(|service| service.name()).collect::<Vec<_>>()));
/// Of each end, as in `table::sessions`.
const OPENING: usize = 1_024;

fuzz_target!(|data: &[u8]| {
    let Some((service, data)) = turns::choose(data, *ONLY, SERVICES.len()) else { return };
    identify(data);
    let Some(mut dialogue) = app::dialogue(SERVICES[service]) else { return };
    let (mut wanted, mut facts) = (Interest::Both, Vec::new());
    let (mut at, mut said) = (Moment { ts: 1_700_000_000 * SECOND, ordinal: 1 }, [0_u64; 2]);
    let mut passed_over = [false; 2];
    for turn in Turns(data) {
        at = Moment { ts: at.ts + SECOND / 10, ordinal: at.ordinal + 1 };
        said[turn.from as usize] += turn.bytes.len() as u64;
        if !is_wanted(wanted, turn.from) {
            passed_over[turn.from as usize] = true;
            continue;
        }
        let gap = std::mem::take(&mut passed_over[turn.from as usize]) || turn.gap;
        let length = u32::try_from(turn.bytes.len()).unwrap() + turn.missing;
        wanted = dialogue.take(&Segment { from: turn.from, bytes: turn.bytes, length, gap, at }, &mut facts);
        assert!(dialogue.held() <= MOST_HELD, "{} bytes are held", dialogue.held());
        if wanted == Interest::Nothing {
            break;
        }
    }
    if wanted != Interest::Nothing {
        let [client_bytes, server_bytes] = said;
        let duration = at.ts - 1_700_000_000 * SECOND;
        let ending = Ending { at, duration, closed: data.len() % 2 == 0, reset_by_server: data.len() % 3 == 0, client_bytes, server_bytes };
        dialogue.end(&ending, &mut facts);
    }
    facts.iter().for_each(check);
});

fn is_wanted(wanted: Interest, from: End) -> bool {
    match wanted {
        Interest::Both => true,
        Interest::Client => from == End::Client,
        Interest::Server => from == End::Server,
        Interest::Nothing => false,
    }
}

/// Every beginning of the conversation is judged, as it is when it comes piece by piece.
fn identify(data: &[u8]) {
    let mut said = [Vec::new(), Vec::new()];
    for turn in Turns(data).take(8) {
        let end = &mut said[turn.from as usize];
        end.extend(turn.bytes.iter().take(OPENING.saturating_sub(end.len())));
        app::identify(&said[0], &said[1]);
    }
}

/// What is kept of what was said is bounded.
fn check(fact: &Fact) {
    match fact {
        Fact::Login(login) => assert!(login.user.len() <= MOST_NAME, "{login:?}"),
        Fact::Software(_, name) | Fact::ServerName(name) => assert!(name.len() <= 4 * MOST_NAME, "{name}"),
        Fact::Query(query) => assert!(query.name.len() <= 4 * 255, "{query:?}"),
        _ => {}
    }
}
