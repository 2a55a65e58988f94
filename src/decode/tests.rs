//! Frames of every protocol by the layout of its RFC, and bytes of no protocol at all.

use super::*;
use crate::net::{Addr, Mac};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn addr(text: &str) -> Addr {
    text.parse::<std::net::IpAddr>().unwrap().into()
}

/// 192.0.2.1:49153 to 198.51.100.2:80, SYN, options MSS, NOP, window scale, NOP, NOP, SACK permitted.
const SYN: &str = "45000034 1c464000 40060000 c0000201 c6336402
    c0010050 11223344 00000000 8002faf0 00000000 020405b4 01030308 01010402";
/// 192.0.2.1:54321 to 198.51.100.53:53, four bytes.
const UDP: &str = "45000020 abcd0000 3f110000 c0000201 c6336435 d4310035 000c0000 64617461";
/// The same ports between `2001:db8::1` and `2001:db8::2`.
const UDP6: &str = "60000000 000c1140 20010db8000000000000000000000001 20010db8000000000000000000000002
    d4310035 000c0000 64617461";
const ETHER: &str = "020000000002 020000000001";

/// A block of one frame, captured whole.
fn block(link: u16, bytes: Vec<u8>) -> Block {
    let len = u32::try_from(bytes.len()).unwrap();
    let frame = FrameRef { ts: 5, tick: 4, ordinal: 3, offset: 0, start: 0, caplen: len, origlen: len, link, interface: 0 };
    Block { bytes, frames: vec![frame], left_out: 0 }
}

/// Decodes both ways, which must agree and account for every frame.
fn rows(block: &Block) -> PacketBatch {
    let (mut fast, mut general) = (PacketBatch::default(), PacketBatch::default());
    decode(block, 0..block.frames.len(), &mut fast);
    decode_general(block, 0..block.frames.len(), &mut general);
    assert_eq!(fast.packets, general.packets);
    assert_eq!(fast.claims, general.claims);
    assert_eq!(fast.accounting, general.accounting);
    assert_eq!(fast.layers, general.layers);
    assert_eq!(fast.accounting.frames, block.frames.len() as u64);
    assert_eq!(fast.accounting.frames, fast.accounting.decoded + fast.accounting.reasons.iter().sum::<u64>());
    fast
}

fn reason(batch: &PacketBatch) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| batch.accounting.reasons[*reason as usize] > 0)
}

/// The packet of a frame that is decoded in full.
fn decoded(link: u16, text: &str) -> Packet {
    let batch = rows(&block(link, hex(text)));
    assert_eq!(reason(&batch), None, "{text}");
    *batch.packets.first().expect(text)
}

/// The packet of an Ethernet frame that is decoded in part, and why.
fn partly(text: &str) -> (Packet, Reason) {
    let batch = rows(&block(1, hex(text)));
    (batch.packets[0], reason(&batch).unwrap())
}

fn undecoded(link: u16, text: &str) -> Reason {
    let batch = rows(&block(link, hex(text)));
    assert_eq!((batch.packets.len(), batch.claims.len()), (0, 0));
    reason(&batch).unwrap()
}

fn ether(ether_type: &str, payload: &str) -> String {
    format!("{ETHER} {ether_type} {payload}")
}

/// An IPv4 header before a payload in hexadecimal; 203.0.113.1 to 203.0.113.2.
fn outer4(proto: u8, payload: &str) -> String {
    let len = 20 + hex(payload).len();
    format!("4500{len:04x} 00070000 09{proto:02x}0000 cb007101 cb007102 {payload}")
}

/// [`outer4`] and [`outer6`] on their way back to who sent the packet they quote.
fn back4(payload: &str) -> String {
    outer4(1, payload).replace("cb007102", "c0000201")
}

fn back6(payload: &str) -> String {
    outer6(58, payload).replace("20010db8ffff00000000000000000002", "20010db8000000000000000000000001")
}

fn outer6(next: u8, payload: &str) -> String {
    let len = hex(payload).len();
    format!("60000000 {len:04x}{next:02x}09 20010db8ffff00000000000000000001 20010db8ffff00000000000000000002 {payload}")
}

fn udp(dport: u16, payload: &str) -> String {
    let len = 8 + hex(payload).len();
    format!("c000{dport:04x} {len:04x}0000 {payload}")
}

fn is_syn(packet: &Packet) -> bool {
    (packet.src, packet.dst, packet.kind) == (addr("192.0.2.1"), addr("198.51.100.2"), Kind::Tcp)
}

fn is_udp6(packet: &Packet) -> bool {
    (packet.src, packet.dst, packet.kind) == (addr("2001:db8::1"), addr("2001:db8::2"), Kind::Udp)
}

#[test]
fn a_tcp_segment_gives_every_field_of_its_headers() {
    let packet = decoded(1, &ether("0800", SYN));
    let options = packet.options;
    assert_ne!(options, 0);
    let want = Packet {
        src: addr("192.0.2.1"),
        dst: addr("198.51.100.2"),
        ts: 5,
        tick: 4,
        ordinal: 3,
        seq: 0x1122_3344,
        ip_len: 52,
        // 14 of Ethernet, 20 of IP, 32 of TCP.
        payload_start: 66,
        wire_len: 66,
        sport: 49153,
        dport: 80,
        window: 0xfaf0,
        ip_id: 0x1c46,
        options,
        proto: 6,
        kind: Kind::Tcp,
        flags: flag::SYN,
        ttl: 64,
        ..Packet::default()
    };
    assert_eq!(packet, want);
}

#[test]
fn option_kinds_and_their_order_tell_hosts_apart_and_values_do_not() {
    let hash = |text| transport::option_hash(&hex(text));
    assert_eq!(hash("020405b4 0402"), hash("020403e8 0402"));
    assert_ne!(hash("020405b4 0402"), hash("0402 020405b4"));
    assert_eq!(hash(""), 0);
    // The list ends at kind 0, and does not run away at a length of nothing or beyond the end.
    assert_eq!(hash("0402 00 020405b4"), hash("0402"));
    assert_eq!(hash("0800"), hash("0800"));
    assert_eq!(hash("0208"), hash("020405b4"));
}

#[test]
fn udp_payload_ends_where_its_header_says_and_not_at_the_padding() {
    let packet = decoded(1, &ether("0800", &format!("{UDP} 000000000000")));
    // 14 of Ethernet, 20 of IP, 8 of UDP, then "data".
    assert_eq!((packet.payload_start, packet.payload_len, packet.payload_caplen, packet.ip_len), (42, 4, 4, 32));
    assert_eq!((packet.sport, packet.dport, packet.kind, packet.ip_id, packet.ttl), (54321, 53, Kind::Udp, 0xabcd, 63));
    assert!(is_udp6(&decoded(1, &ether("86dd", UDP6))));
}

#[test]
fn the_outermost_vlan_tag_counts() {
    assert_eq!(decoded(1, &ether("8100", &format!("6064 0800 {SYN}"))).vlan, 0x064);
    for outer in ["88a8", "9100", "8100"] {
        let text = ether(outer, &format!("00c8 8100 0064 86dd {UDP6}"));
        assert_eq!(decoded(1, &text).vlan, 200);
        assert_eq!(rows(&block(1, hex(&text))).layers.get(Layer::Qinq).frames, 1);
    }
    // A priority tag names no VLAN.
    assert_eq!(decoded(1, &ether("8100", &format!("e000 8100 0064 0800 {SYN}"))).vlan, 100);
}

#[test]
fn ip_is_found_behind_every_link_header() {
    let mac = "020000000001";
    let llc = format!("aaaa03 000000 0800 {SYN}");
    let frames = [
        (0, format!("02000000 {SYN}")),
        (0, format!("00000002 {SYN}")),
        (108, format!("00000002 {SYN}")),
        (1, ether("003c", &llc)),
        (9, format!("ff03 0021 {SYN}")),
        (9, format!("21 {SYN}")),
        (50, format!("ff03 0021 {SYN}")),
        (50, format!("0f00 0800 {SYN}")),
        (51, format!("1100 0007 0036 0021 {SYN}")),
        (1, ether("8864", &format!("1100 0007 0036 0021 {SYN}"))),
        (12, SYN.into()),
        (14, SYN.into()),
        (101, SYN.into()),
        (228, SYN.into()),
        (104, format!("0f00 0800 {SYN}")),
        (113, format!("0000 0001 0006 {mac}0000 0800 {SYN}")),
        (276, format!("0800 0000 00000002 0001 00 06 {mac}0000 {SYN}")),
        // Attributes: mark (type 3), then the payload (type 9) of 4 + 52 bytes, little-endian.
        (239, format!("02000000 08000300 00000001 38000900 {SYN}")),
        (239, format!("02000000 00080003 00000001 00380009 {SYN}")),
        (281, format!("{ETHER} 00000000 0800 {SYN}")),
        (282, format!("00000000 {ETHER} 0800 {SYN}")),
        (284, format!("{ETHER} 00000000 0800 {SYN}")),
        (285, format!("{ETHER} dada0000 00000000 0800 {SYN}")),
        (1, ether("8847", &format!("00010040 00011140 {SYN}"))),
        (1, ether("8847", &format!("00011140 00000000 {ETHER} 0800 {SYN}"))),
        (1, ether("8847", &format!("00011140 {ETHER} 0800 {SYN}"))),
        // 802.11 data to the access point; QoS data from it; four addresses with QoS.
        (105, format!("0801 0000 {mac}{mac}{mac} 1000 {llc}")),
        (105, format!("8802 0000 {mac}{mac}{mac} 1000 0000 {llc}")),
        (105, format!("8803 0000 {mac}{mac}{mac} 1000 {mac} 0000 {llc}")),
        (127, format!("0000 0800 00000000 0801 0000 {mac}{mac}{mac} 1000 {llc}")),
        (192, format!("0000 0800 69000000 0801 0000 {mac}{mac}{mac} 1000 {llc}")),
    ];
    for (link, text) in frames {
        assert!(is_syn(&decoded(link, &text)), "{link}: {text}");
    }
    for (link, text) in [(0, format!("1e000000 {UDP6}")), (229, UDP6.into()), (9, format!("0057 {UDP6}"))] {
        assert!(is_udp6(&decoded(link, &text)), "{link}: {text}");
    }
}

#[test]
fn tunnels_are_passed_to_the_packet_inside() {
    let syn_frame = ether("0800", SYN);
    let udp6_frame = ether("86dd", UDP6);
    let cases = [
        (Layer::IpInIp, outer4(4, SYN), true),
        (Layer::IpInIp, outer4(41, UDP6), false),
        (Layer::IpInIp, outer6(4, SYN), true),
        (Layer::IpInIp, outer6(41, UDP6), false),
        (Layer::Gre, outer4(47, &format!("0000 0800 {SYN}")), true),
        // Checksum, key and sequence number: twelve bytes more.
        (Layer::Gre, outer4(47, &format!("b000 86dd 00000000 00000001 00000002 {UDP6}")), false),
        (Layer::Gre, outer4(47, &format!("2000 6558 00000001 {syn_frame}")), true),
        (Layer::Gre, outer4(47, &format!("1000 88be 00000001 1000000000000000 {syn_frame}")), true),
        (Layer::Gre, outer4(47, &format!("3081 880b 00360001 00000001 00000000 ff030021 {SYN}")), true),
        (Layer::Vxlan, outer4(17, &udp(4789, &format!("08000000 00000100 {syn_frame}"))), true),
        (Layer::Vxlan, outer4(17, &udp(8472, &format!("08000000 00000100 {udp6_frame}"))), false),
        // Four bytes of options.
        (Layer::Geneve, outer4(17, &udp(6081, &format!("01006558 00000100 00000000 {syn_frame}"))), true),
        (Layer::Teredo, outer4(17, &udp(3544, UDP6)), false),
        (Layer::Teredo, outer4(17, &udp(3544, &format!("0001 0000 0102030405060708 00 0000 1234 c0000201 {UDP6}"))), false),
        (Layer::Gtpu, outer4(17, &udp(2152, &format!("30ff0034 00000001 {SYN}"))), true),
        // Sequence number, and one extension header of four bytes.
        (Layer::Gtpu, outer4(17, &udp(2152, &format!("36ff003c 00000001 00010085 01000000 {SYN}"))), true),
    ];
    for (layer, text, is_tcp) in cases {
        let text = ether(if text.starts_with('4') { "0800" } else { "86dd" }, &text);
        let packet = decoded(1, &text);
        assert!(if is_tcp { is_syn(&packet) } else { is_udp6(&packet) }, "{layer:?}: {text}");
        assert_eq!(rows(&block(1, hex(&text))).layers.get(layer).frames, 1, "{layer:?}");
    }
}

#[test]
fn a_tunnel_with_nonsense_inside_is_the_outer_packet() {
    let packet = decoded(1, &ether("0800", &outer4(17, &udp(4789, "08000000 00000100 ffffffffffff 020000000001 88cc 0000"))));
    assert_eq!((packet.src, packet.dport, packet.kind), (addr("203.0.113.1"), 4789, Kind::Udp));
    // The inner packet says that it is longer than the outer one.
    let teredo = ether("0800", &outer4(17, &udp(3544, &UDP6.replacen("000c", "000d", 1))));
    assert_eq!(decoded(1, &teredo).src, addr("203.0.113.1"));
    assert_eq!(rows(&block(1, hex(&teredo))).layers.get(Layer::Teredo).frames, 0);
    let (packet, why) = partly(&ether("0800", &outer4(47, "")));
    assert_eq!((packet.kind, packet.proto, why), (Kind::Other, 47, Reason::OtherTransport));
}

#[test]
fn tunnels_in_tunnels_end_at_the_eighth_header() {
    let nested = |levels| (0..levels).fold(SYN.to_owned(), |inner, _| outer4(4, &inner));
    assert!(is_syn(&decoded(1, &ether("0800", &nested(7)))));
    let (packet, why) = partly(&ether("0800", &nested(8)));
    assert_eq!((packet.src, packet.kind, why), (addr("203.0.113.1"), Kind::Other, Reason::TooManyLayers));
}

#[test]
fn the_first_fragment_has_ports_and_later_ones_have_none() {
    let first = decoded(1, &ether("0800", &UDP.replacen("abcd0000", "abcd2000", 1).replacen("000c", "0bb8", 1)));
    assert_eq!((first.kind, first.fragment, first.dport, first.payload_len), (Kind::Udp, true, 53, 4));
    let (later, why) = partly(&ether("0800", &UDP.replacen("abcd0000", "abcd00b9", 1)));
    assert_eq!((later.kind, later.fragment, later.sport, later.dport, later.ip_id), (Kind::Fragment, true, 0, 0, 0xabcd));
    assert_eq!((later.payload_len, later.proto, why), (12, 17, Reason::LaterFragment));
}

#[test]
fn ipv6_extension_headers_are_passed() {
    // Hop-by-hop (8 bytes), routing (16), destination options (8), fragment header that is whole.
    let transport = "d4310035 000c0000 64617461";
    let text = outer6(0, &format!("2b00010400000000 3c01000000000000 0000000000000000 2c00010400000000 11000000 0001beef {transport}"));
    let packet = decoded(1, &ether("86dd", &text));
    assert_eq!((packet.kind, packet.proto, packet.dport, packet.fragment, packet.ip_id), (Kind::Udp, 17, 53, false, 0xbeef));
    // Authentication header: (4 + 2) * 4 = 24 bytes.
    let auth = format!("1104 0000 00000001 00000001 000000000000000000000000 {transport}");
    assert_eq!(decoded(1, &ether("86dd", &outer6(51, &auth))).dport, 53);
    assert_eq!(decoded(1, &ether("0800", &outer4(51, &auth))).dport, 53);
}

#[test]
fn a_later_ipv6_fragment_is_not_read_as_headers() {
    // Offset 185 * 8; what follows is data although the next header is destination options.
    let (packet, why) = partly(&ether("86dd", &outer6(44, "3c0005c9 0001beef ffffffffffffffff")));
    assert_eq!((packet.kind, packet.proto, packet.ip_id, packet.payload_len), (Kind::Fragment, 60, 0xbeef, 8));
    assert_eq!(why, Reason::LaterFragment);
}

#[test]
fn an_echo_has_identifier_and_sequence() {
    let packet = decoded(1, &ether("0800", &outer4(1, "0800 0000 0008 0001 61626364")));
    assert_eq!((packet.kind, packet.sport, packet.dport, packet.seq, packet.payload_len), (Kind::Icmp, 8, 0, 0x0008_0001, 4));
    let packet = decoded(1, &ether("86dd", &outer6(58, "8100 0000 0009 0002")));
    assert_eq!((packet.kind, packet.sport, packet.seq), (Kind::Icmp, 129, 0x0009_0002));
    // A redirect is no error, and what it has in place of the identifier is an address.
    let packet = decoded(1, &ether("0800", &outer4(1, &format!("0501 0000 c0000201 {UDP}"))));
    assert_eq!((packet.kind, packet.sport, packet.dport, packet.seq), (Kind::Icmp, 5, 1, 0));
}

#[test]
fn an_error_is_about_the_packet_it_quotes() {
    let port_unreachable = decoded(1, &ether("0800", &back4(&format!("0303 0000 00000000 {UDP}"))));
    let want = (addr("192.0.2.1"), addr("198.51.100.53"), addr("203.0.113.1"));
    assert_eq!((port_unreachable.src, port_unreachable.dst, port_unreachable.reporter), want);
    assert_eq!((port_unreachable.kind, port_unreachable.icmp_type, port_unreachable.flags), (Kind::IcmpError, 3, 3));
    assert_eq!((port_unreachable.proto, port_unreachable.sport, port_unreachable.dport), (17, 54321, 53));
    // The least that RFC 792 asks for: header and eight bytes, although its length says 52.
    let quote = "45000034 1c464000 40060000 c0000201 c6336402 c0010050 11223344";
    let exceeded = decoded(1, &ether("0800", &back4(&format!("0b00 0000 00000000 {quote}"))));
    assert_eq!((exceeded.icmp_type, exceeded.proto, exceeded.dport, exceeded.seq), (11, 6, 80, 0x1122_3344));
    let too_big = decoded(1, &ether("86dd", &back6(&format!("0200 0000 00000500 {UDP6}"))));
    assert_eq!((too_big.kind, too_big.src, too_big.icmp_type, too_big.dport), (Kind::IcmpError, addr("2001:db8::1"), 2, 53));
    assert_eq!(too_big.reporter, addr("2001:db8:ffff::1"));
    let (unquoted, why) = partly(&ether("0800", &outer4(1, "0303 0000 00000000 4500")));
    assert_eq!((unquoted.kind, unquoted.src, why), (Kind::Icmp, addr("203.0.113.1"), Reason::BadHeader));
}

#[test]
fn an_error_about_a_translated_packet_is_about_the_addresses_seen_here() {
    // Port unreachable from 203.0.113.1 to 203.0.113.2, quoting 192.0.2.1 -> 198.51.100.53 from beyond the translator.
    let refused = decoded(1, &ether("0800", &outer4(1, &format!("0303 0000 00000000 {UDP}"))));
    assert_eq!((refused.src, refused.dst, refused.dport), (addr("203.0.113.2"), addr("203.0.113.1"), 53));
    // Host unreachable comes from a router, which was not asked.
    let unreachable = decoded(1, &ether("0800", &outer4(1, &format!("0301 0000 00000000 {UDP}"))));
    assert_eq!((unreachable.src, unreachable.dst), (addr("203.0.113.2"), addr("198.51.100.53")));
}

#[test]
fn sctp_has_ports_and_other_protocols_have_none() {
    let packet = decoded(1, &ether("0800", &outer4(132, "0b59 0b5a 00000000 00000000 01000004")));
    assert_eq!((packet.kind, packet.sport, packet.dport, packet.payload_len), (Kind::Sctp, 2905, 2906, 4));
    for proto in [2, 50, 89] {
        let (packet, why) = partly(&ether("0800", &outer4(proto, "11223344 55667788")));
        assert_eq!((packet.kind, packet.proto, packet.sport, why), (Kind::Other, proto, 0, Reason::OtherTransport));
    }
}

#[test]
fn arp_says_who_asks_for_whom() {
    let body = "020000000001 c0000201 000000000000 c0000202";
    let batch = rows(&block(1, hex(&ether("0806", &format!("0001 0800 06 04 0001 {body}")))));
    let mac = Mac::from_bytes([2, 0, 0, 0, 0, 1]);
    let want = Claim {
        ts: 5,
        tick: 4,
        ordinal: 3,
        kind: ClaimKind::ArpRequest,
        vlan: 0,
        frame_src: mac,
        mac,
        sender: addr("192.0.2.1"),
        target: addr("192.0.2.2"),
    };
    assert_eq!((batch.claims.as_slice(), reason(&batch), batch.packets.len()), ([want].as_slice(), None, 0));
    let reply = rows(&block(113, hex(&format!("0000 0001 0006 020000000001 0000 0806 0001 0800 06 04 0002 {body}"))));
    assert_eq!((reply.claims[0].kind, reply.claims[0].frame_src), (ClaimKind::ArpReply, mac));
    // Reverse ARP, and a hardware address that cannot be one.
    assert_eq!(undecoded(1, &ether("0806", &format!("0001 0800 06 04 0003 {body}"))), Reason::OtherNetwork);
    assert_eq!(undecoded(1, &ether("0806", &format!("0001 0800 05 04 0001 {body}"))), Reason::BadNetwork);
    assert_eq!(undecoded(1, &ether("0806", "0001 0800 06 04 0001 020000000001")), Reason::TooShort);
}

/// A neighbour discovery message of hop limit 255 with one link-layer address option.
fn discovery(kind: u8, option: u8, hops: u8) -> PacketBatch {
    let message = format!("{kind:02x}00 0000 00000000 20010db8000000000000000000000009 {option:02x}01 020000000007");
    rows(&block(1, hex(&ether("86dd", &outer6(58, &message).replacen("3a09", &format!("3a{hops:02x}"), 1)))))
}

#[test]
fn neighbour_discovery_is_a_packet_and_a_claim() {
    let batch = discovery(135, 1, 255);
    let claim = batch.claims[0];
    assert_eq!((batch.packets[0].kind, batch.packets[0].sport, batch.accounting.decoded), (Kind::Icmp, 135, 1));
    assert_eq!((claim.kind, claim.sender, claim.target), (ClaimKind::NeighborSolicitation, addr("2001:db8:ffff::1"), addr("2001:db8::9")));
    assert_eq!((claim.mac, claim.frame_src), (Mac::from_bytes([2, 0, 0, 0, 0, 7]), Mac::from_bytes([2, 0, 0, 0, 0, 1])));
    let claim = discovery(136, 2, 255).claims[0];
    assert_eq!((claim.kind, claim.sender, claim.target), (ClaimKind::NeighborAdvertisement, addr("2001:db8::9"), addr("2001:db8:ffff::2")));
    // Without the option that belongs to the message, the frame's address is meant.
    assert_eq!(discovery(136, 1, 255).claims[0].mac, Mac::from_bytes([2, 0, 0, 0, 0, 1]));
    // RFC 4861 7.1: not from beyond a router.
    assert_eq!(discovery(136, 2, 254).claims, []);
}

#[test]
fn a_cut_capture_counts_as_decoded_while_its_headers_are_whole() {
    let cut = |text: &str, caplen: u32| {
        let mut block = block(1, hex(text));
        block.frames[0].caplen = caplen;
        rows(&block)
    };
    let text = ether("0800", UDP);
    let whole = cut(&text, 43);
    assert_eq!((reason(&whole), whole.accounting.cut_frames, whole.accounting.captured_bytes), (None, 1, 43));
    assert_eq!((whole.packets[0].payload_len, whole.packets[0].payload_caplen), (4, 1));
    let ports = cut(&text, 38);
    assert_eq!((reason(&ports), ports.packets[0].dport), (Some(Reason::CutHeader), 53));
    let syn = ether("0800", SYN);
    // Up to the flags it is TCP; before them it must not look like a segment without any.
    assert_eq!(cut(&syn, 48).packets[0].kind, Kind::Tcp);
    assert_eq!((cut(&syn, 47).packets[0].kind, cut(&syn, 47).packets[0].dport), (Kind::Other, 80));
    assert_eq!(reason(&cut(&syn, 60)), Some(Reason::CutHeader));
    assert_eq!(reason(&cut(&syn, 33)), Some(Reason::TooShort));
    assert_eq!(reason(&cut(&syn, 13)), Some(Reason::TooShort));
}

#[test]
fn lengths_that_contradict_the_frame_are_kept_within_it() {
    let (packet, why) = partly(&ether("0800", &UDP.replacen("0020", "05dc", 1)));
    assert_eq!((packet.ip_len, packet.payload_len, why), (32, 4, Reason::BadHeader));
    let (packet, why) = partly(&ether("0800", &UDP.replacen("000c", "00ff", 1)));
    assert_eq!((packet.payload_len, why), (4, Reason::BadHeader));
    // A TCP header of four words is none.
    let (packet, why) = partly(&ether("0800", &SYN.replacen("8002", "4002", 1)));
    assert_eq!((packet.kind, packet.flags, why), (Kind::Tcp, flag::SYN, Reason::BadHeader));
    // Segmentation offload leaves the length to the frame.
    let offloaded = decoded(1, &ether("0800", &SYN.replacen("0034", "0000", 1)));
    assert_eq!((offloaded.ip_len, offloaded.kind), (52, Kind::Tcp));
}

#[test]
fn frames_without_a_packet_say_why() {
    let mac = "020000000001";
    assert_eq!(undecoded(147, SYN), Reason::UnknownLink);
    assert_eq!(undecoded(1, &ether("88cc", "0207")), Reason::OtherNetwork);
    assert_eq!(undecoded(1, &ether("0026", "424203 0000000000")), Reason::OtherNetwork);
    assert_eq!(undecoded(1, &ether("0800", "3500")), Reason::BadNetwork);
    assert_eq!(undecoded(1, &ether("8864", "1109 0000 0000")), Reason::OtherNetwork);
    assert_eq!(undecoded(9, "c021 01010004"), Reason::OtherNetwork);
    assert_eq!(undecoded(105, "8000 0000"), Reason::WirelessOther);
    assert_eq!(undecoded(105, &format!("0841 0000 {mac}{mac}{mac} 1000 aaaa03000000 0800 {SYN}")), Reason::WirelessOther);
    assert_eq!(undecoded(1, ""), Reason::TooShort);
}

#[test]
fn a_range_is_appended_in_order_and_a_range_beyond_the_block_is_nothing() {
    let mut block = block(1, hex(&ether("0800", SYN)));
    let frame = block.frames[0];
    block.frames = (1..=5).map(|ordinal| FrameRef { ordinal, ..frame }).collect();
    let mut batch = PacketBatch::default();
    decode(&block, 1..3, &mut batch);
    decode(&block, 3..4, &mut batch);
    assert_eq!(batch.packets.iter().map(|packet| packet.ordinal).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(batch.layers.get(Layer::Tcp), LayerCount { frames: 3, bytes: 3 * 66 });
    batch.clear();
    decode(&block, 4..9, &mut batch);
    assert_eq!((batch.packets.len(), batch.accounting), (0, Accounting::default()));
}

/// Xorshift (Marsaglia 2003): the same frames in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

const LINKS: [u16; 28] =
    [0, 1, 1, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 119, 127, 147, 163, 192, 228, 229, 239, 242, 276, 281, 282, 284, 285];

/// Every row must lie within its frame, and every frame in one counter. Returns the number of rows.
fn check(block: &Block) -> usize {
    let packets = rows(block).packets;
    for packet in &packets {
        let frame = block.frames[usize::try_from(packet.ordinal).unwrap()];
        let end = packet.payload_start + packet.payload_caplen;
        assert!(packet.payload_start >= frame.start && end <= frame.start + frame.caplen);
        assert!(packet.payload_caplen <= packet.payload_len);
    }
    packets.len()
}

fn push(block: &mut Block, bytes: &[u8], link: u16, missing: usize) {
    let caplen = u32::try_from(bytes.len()).unwrap();
    let frame = FrameRef {
        ts: 0,
        tick: 0,
        ordinal: block.frames.len() as u64,
        offset: 0,
        start: u32::try_from(block.bytes.len()).unwrap(),
        caplen,
        origlen: caplen + u32::try_from(missing).unwrap(),
        link,
        interface: 0,
    };
    block.bytes.extend_from_slice(bytes);
    block.frames.push(frame);
}

#[test]
fn damaged_frames_of_every_link_type_never_panic() {
    let mac = "020000000001";
    let inner = [
        SYN.to_owned(),
        UDP6.to_owned(),
        outer4(1, &format!("0303 0000 00000000 {UDP}")),
        outer4(47, &format!("b000 6558 00000000 00000001 00000002 {}", ether("8100", &format!("0064 0800 {SYN}")))),
        outer4(17, &udp(4789, &format!("08000000 00000100 {}", ether("8847", &format!("00011140 {UDP6}"))))),
        outer4(17, &udp(2152, &format!("36ff003c 00000001 00010085 01000000 {SYN}"))),
        outer4(17, &udp(3544, &format!("0001 0000 0102030405060708 00 0000 1234 c0000201 {UDP6}"))),
        outer6(0, &format!("2b00010400000000 3c01000000000000 0000000000000000 2c00010400000000 11000001 0001beef {UDP}")),
        outer6(58, "8800 0000 00000000 20010db8000000000000000000000009 0201 020000000007"),
    ];
    let below = [
        (101, String::new()),
        (1, ether("0800", "")),
        (1, ether("8864", "1100 0007 0080 0021")),
        (9, "ff03 0021".into()),
        (0, "02000000".into()),
        (104, "0f00 0800".into()),
        (113, format!("0000 0001 0006 {mac}0000 0800")),
        (276, format!("0800 0000 00000002 0001 00 06 {mac}0000")),
        (105, format!("8802 0000 {mac}{mac}{mac} 1000 8000 {mac}{mac} 0080 aaaa03000000 0800")),
        (192, format!("0000 0800 69000000 0801 0000 {mac}{mac}{mac} 1000 aaaa03000000 0800")),
        (239, "02000000 08000300 00000001 80000900".into()),
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let seeds: Vec<_> =
        below.iter().flat_map(|(link, below)| inner.iter().map(move |inner| (*link, hex(&format!("{below} {inner}"))))).collect();
    let mut packets = 0;
    for _ in 0..800 {
        let mut block = Block::default();
        for _ in 0..256 {
            let (own_link, mut bytes) = seeds[random.below(seeds.len())].clone();
            for _ in 0..random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] ^= u8::try_from(random.below(256)).unwrap();
            }
            if random.below(3) == 0 {
                bytes.truncate(random.below(bytes.len() + 1));
            }
            let link = if random.below(2) == 0 { own_link } else { LINKS[random.below(LINKS.len())] };
            let missing = random.below(3) * random.below(100);
            push(&mut block, &bytes, link, missing);
        }
        packets += check(&block);
    }
    // Half of the frames meet any link type; enough must get through to a packet.
    assert!(packets > 60_000, "{packets} packets in 204 800 frames");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..100 {
        let mut block = Block::default();
        for link in LINKS {
            let bytes: Vec<_> = (0..random.below(120)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
            push(&mut block, &bytes, link, random.below(9));
        }
        check(&block);
    }
}
