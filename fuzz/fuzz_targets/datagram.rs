//! Datagrams: the protocol is chosen by the first byte, or by `NSM_FUZZ_ONLY`; the rest are turns, each a message.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nsm_fuzz::decode::app::{self, Datagram, End, Moment, Service};
use nsm_fuzz::net::{Addr, Mac};
use nsm_fuzz::turns::{self, Turns};

const SERVICES: [Service; 4] = [Service::Unknown, Service::Dns, Service::Dhcp, Service::Kerberos];
static ONLY: LazyLock<Option<usize>> = LazyLock::new(|| turns::only(&SERVICES.map(Service::name)));

fuzz_target!(|data: &[u8]| {
    let Some((service, data)) = turns::choose(data, *ONLY, SERVICES.len()) else { return };
    let mut facts = Vec::new();
    for turn in Turns(data) {
        let (client, server) = ((Addr::from_v4(0x0a00_0001), 50_000), (Addr::from_v4(0x0a00_0002), 53));
        let ((src, src_port), (dst, dst_port)) = if turn.from == End::Client { (client, server) } else { (server, client) };
        let length = u32::try_from(turn.bytes.len()).unwrap() + turn.missing;
        let at = Moment { ts: 1, ordinal: 1 };
        let frame_src = Mac::default();
        let datagram = Datagram { from: turn.from, bytes: turn.bytes, length, src, src_port, dst, dst_port, vlan: 0, frame_src, at };
        app::datagram(SERVICES[service], &datagram, &mut facts);
    }
});
