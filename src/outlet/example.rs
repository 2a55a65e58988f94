//! An alert for the tests of the outlets.

use crate::detect::{Alert, FrameSpan, Measured, Notice, Picture, Severity, Status};

pub(super) fn notice() -> Notice {
    let alert = Alert {
        kind: "syn_flood",
        technique: Some("syn"),
        title: "SYN flood against 192.0.2.10".into(),
        message: "30,000 SYN/s at 192.0.2.10".into(),
        severity: Severity::High,
        confidence: 0.9,
        attack: &["T1498.001", "T1046"],
        first_seen: 1_691_247_811_000_001_999,
        last_seen: 1_691_247_816_500_000_000,
        detected_at: 1_691_247_813_250_000_000,
        attackers: vec!["203.0.113.66".into(), "203.0.113.67".into()],
        attacker_count: 5_000,
        victims: vec!["192.0.2.10".into()],
        victim_count: 1,
        ports: vec![80],
        port_count: 1,
        protocol: "tcp",
        measured: vec![Measured { name: "rate", value: 30_000.0, unit: "SYN/s", threshold: Some(256.0) }],
        window_s: 1.0,
        flow_count: 7,
        packet_count: 150_000,
        frames: FrameSpan { first: 12, last: 150_011 },
        community_ids: vec!["1:PmxdDGEQMs0/kCGGqKWooNavvIE=".into()],
        quality: Vec::new(),
        next_steps: vec!["look".into()],
        picture: Picture::None,
    };
    Notice { id: "e29b58f07621effc".into(), status: Status::Final, alert, capture: "office.pcap".into() }
}

/// What a capture may bring: ends of lines, quotes, brackets, terminal sequences, commands, direction marks.
pub(super) const HOSTILE: &str = "a\n<34>1 - forged\r\"]\\ \x1b[2J\0 $(touch /tmp/x) `id` ; rm -rf ~ %s \u{202e}\u{2028}é";

/// The notice with that in every text that may come from a capture, and a long one.
pub(super) fn hostile(length: usize) -> Notice {
    let text = HOSTILE.repeat(length.div_ceil(HOSTILE.len()).max(1));
    let mut notice = notice();
    notice.id.clone_from(&text);
    notice.capture.clone_from(&text);
    notice.alert.title.clone_from(&text);
    notice.alert.message.clone_from(&text);
    notice.alert.attackers = vec![text.clone(); 3];
    notice.alert.victims = vec![text.clone(); 3];
    notice.alert.community_ids = vec![text];
    notice
}
