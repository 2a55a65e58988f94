//! One frame of any link type: the two ways through it agree, and every frame is in one counter.
//!
//! First byte: the link type; second byte: how much longer the frame was on the wire.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nsm_fuzz::capture::{Block, FrameRef};
use nsm_fuzz::decode::{self, Checksums, PacketBatch};
use nsm_fuzz::links::LINKS;
use nsm_fuzz::turns;

fuzz_target!(|data: &[u8]| {
    let Some((link, rest)) = turns::choose(data, None, LINKS.len()) else { return };
    let Some((longer, frame)) = rest.split_first() else { return };
    let caplen = u32::try_from(frame.len()).unwrap();
    // Whatever lies around the frame in its block is not looked at.
    let bytes = [&[0x45; 20], frame, &[0x45; 40]].concat();
    let origlen = caplen + u32::from(*longer);
    let frame = FrameRef { ts: 1_000_000_000, tick: 0, ordinal: 1, offset: 0, start: 20, caplen, origlen, link: LINKS[link], interface: 0 };
    let block = Block { bytes, frames: vec![frame], left_out: 0 };

    let (mut fast, mut general) = (PacketBatch::default(), PacketBatch::default());
    decode::decode(&block, 0..1, &mut fast);
    decode::decode_general(&block, 0..1, &mut general);
    assert_eq!(fast.packets, general.packets);
    assert_eq!(fast.claims, general.claims);
    assert_eq!(fast.accounting, general.accounting);
    assert!(fast.layers.iter().eq(general.layers.iter()), "layers differ");

    let counted = fast.accounting;
    assert_eq!(counted.frames, 1);
    assert_eq!(counted.decoded + counted.partly_decoded() + counted.not_decoded() + counted.filtered, 1, "{counted:?}");
    for packet in &fast.packets {
        let (start, end) = (packet.payload_start, packet.payload_start + packet.payload_caplen);
        assert!(packet.payload_caplen == 0 || (20 <= start && end <= 20 + caplen), "the payload is not in the frame: {packet:?}");
        assert!(packet.payload_caplen <= packet.payload_len, "more payload was captured than sent: {packet:?}");
    }
    Checksums::default().take(&block, &frame);
});
