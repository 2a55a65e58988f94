//! Syslog: one message of RFC 5424 for each notice.
//!
//! Knows how the message is written. Does not know how it travels.
//!
//! | alert | severity of syslog |
//! |---|---|
//! | critical | 2, critical |
//! | high | 3, error |
//! | medium | 4, warning |
//! | low | 5, notice |
//! | info, and any that is withdrawn | 6, informational |
//!
//! As in `security_monitor.log`. Nothing is 0 (emergency), which syslog daemons write on every terminal, or 1 (alert).

use std::fmt::Write as _;

use super::host;
use super::queue::{Deliver, Pause};
use super::retry::Retry;
use super::transport::{Receiver, Transport};
use crate::config;
use crate::detect::{Notice, Severity, Status};
use crate::report::visible;
use crate::time;

/// `local5`: what Suricata's configuration gives, so that the rule of a site for its alerts takes ours, too.
const FACILITY: u8 = 21;
/// Whose structured data it is (RFC 5424, 7.2.2). 32473 is the enterprise number for examples (RFC 5612): nsm has
/// registered none, and no other program's data can be taken for ours.
const OURS: &str = "nsm@32473";
/// RFC 5424, 6.
const NIL: &str = "-";
/// Bytes of one value of the structured data, before it is escaped: a list is cut between its elements.
const VALUE: usize = 255;
/// RFC 5424, 6: MSGID has at most 32 printable ASCII characters.
const MSGID: usize = 32;
/// RFC 5424, 6.4: what begins a text that is UTF-8. A text of ASCII alone goes without: many receivers show it as letters.
const BOM: char = '\u{feff}';

/// Who sends, as every message says it.
struct Sender {
    host: String,
    process: u32,
}

pub(super) struct Syslog {
    sender: Sender,
    transport: Transport,
    retry: Retry,
}

impl Syslog {
    pub fn new(receiver: &Receiver, settings: &config::Outlet) -> Self {
        let sender = Sender { host: host::name().unwrap_or_else(|| NIL.into()), process: std::process::id() };
        Self { sender, transport: Transport::new(receiver, settings), retry: Retry::new(settings) }
    }
}

impl Deliver for Syslog {
    fn deliver(&mut self, notice: &Notice, pause: &Pause) -> Result<(), String> {
        let message = message(notice, &self.sender, self.transport.longest());
        self.retry.run(pause, || self.transport.send(message.as_bytes()))
    }
}

/// The whole message in at most `longest` bytes: its text is cut, and then ends with dots.
fn message(notice: &Notice, sender: &Sender, longest: usize) -> String {
    let Notice { alert, status, .. } = notice;
    let priority = FACILITY * 8 + severity(alert.severity, *status);
    // RFC 5424, 6.2.3: at most six digits of a second.
    let mut message =
        format!("<{priority}>1 {}Z {} nsm {} {} ", time::micros(alert.detected_at), sender.host, sender.process, message_id(alert.kind));
    // A quarter of the room is for the text, whatever the data.
    structured_data(&mut message, notice, longest / 4 * 3);
    message.push(' ');
    let text = visible(&format!("{} ({}, {}): {}", alert.kind, alert.severity.name(), status.name(), alert.message)).into_owned();
    let room = longest.saturating_sub(message.len() + BOM.len_utf8());
    let text = cut(text, room);
    if !text.is_ascii() {
        message.push(BOM);
    }
    message + &text
}

const fn severity(severity: Severity, status: Status) -> u8 {
    match (status, severity) {
        (Status::Withdrawn, _) | (_, Severity::Info) => 6,
        (_, Severity::Low) => 5,
        (_, Severity::Medium) => 4,
        (_, Severity::High) => 3,
        (_, Severity::Critical) => 2,
    }
}

/// The alert's type. That of a user's rule may hold anything.
fn message_id(kind: &str) -> String {
    kind.chars().take(MSGID).map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()
}

/// `[nsm@32473 id="…" type="…"]`, with what there is room for until the message has `most` bytes.
fn structured_data(message: &mut String, notice: &Notice, most: usize) {
    let Notice { id, status, alert, capture } = notice;
    let ports: Vec<String> = alert.ports.iter().map(u16::to_string).collect();
    let attack: Vec<String> = alert.attack.iter().map(|&id| id.to_owned()).collect();
    let values = [
        ("id", id.clone()),
        ("status", status.name().into()),
        ("type", alert.kind.into()),
        ("technique", alert.technique.unwrap_or_default().into()),
        ("severity", alert.severity.name().into()),
        ("confidence", alert.confidence.to_string()),
        ("attackers", list(&alert.attackers)),
        ("attackerCount", alert.attacker_count.to_string()),
        ("victims", list(&alert.victims)),
        ("victimCount", alert.victim_count.to_string()),
        ("protocol", alert.protocol.into()),
        ("ports", list(&ports)),
        ("portCount", alert.port_count.to_string()),
        ("attack", list(&attack)),
        ("firstSeen", time::rfc3339(alert.first_seen)),
        ("lastSeen", time::rfc3339(alert.last_seen)),
        ("packets", alert.packet_count.to_string()),
        ("capture", capture.clone()),
    ];
    message.push('[');
    message.push_str(OURS);
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value = escaped(&cut(visible(&value).into_owned(), VALUE));
        if message.len() + name.len() + value.len() + " =\"\"]".len() <= most {
            // Writing to a String cannot fail.
            _ = write!(message, " {name}=\"{value}\"");
        }
    }
    message.push(']');
}

/// With commas, as many as fit.
fn list(elements: &[String]) -> String {
    let mut text = String::new();
    for element in elements {
        if text.len() + element.len() >= VALUE && !text.is_empty() {
            break;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(element);
    }
    text
}

/// RFC 5424, 6.3.3.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// In at most so many bytes, with dots where something is missing.
fn cut(mut text: String, most: usize) -> String {
    const DOTS: &str = "...";
    if text.len() > most {
        let room = most.saturating_sub(DOTS.len());
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
        text.truncate(end);
        text.push_str(DOTS.get(..most.min(DOTS.len())).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn sender() -> Sender {
        Sender { host: "sensor.example".into(), process: 4711 }
    }

    fn of(notice: &Notice, longest: usize) -> String {
        message(notice, &sender(), longest)
    }

    /// What a reader of RFC 5424 makes of a message: its header, its data and its text. Written from the grammar in
    /// section 6, and of nothing else.
    fn read(message: &str) -> (Vec<String>, Vec<(String, String)>, String) {
        let is_printable = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| (33..=126).contains(&b));
        let (header, rest) = message.split_at(message.match_indices(' ').nth(5).unwrap().0);
        let fields: Vec<String> = header.split(' ').map(str::to_owned).collect();
        let [first, timestamp, host, app, process, id] = fields.as_slice() else { panic!("{header}") };
        let priority: u8 = first.strip_prefix('<').unwrap().strip_suffix(">1").unwrap().parse().unwrap();
        assert!(priority <= 191);
        assert_eq!(timestamp.len(), "2003-08-24T05:14:15.000003Z".len(), "six digits at most");
        assert!(crate::time::parse(timestamp).is_some());
        for (field, most) in [(host, 255), (app, 48), (process, 128), (id, 32)] {
            assert!(is_printable(field, most), "{field}");
        }
        let rest = rest.strip_prefix(" [").unwrap();
        let (name, mut rest) = rest.split_at(rest.find([' ', ']']).unwrap());
        assert!(is_printable(name, 32) && !name.contains(['=', '"']));
        let mut values = vec![(String::new(), name.to_owned())];
        while let Some(value) = rest.strip_prefix(' ') {
            let (name, value) = value.split_once("=\"").unwrap();
            assert!(is_printable(name, 32) && !name.contains([']', '"']), "{name}");
            let (mut text, mut letters) = (String::new(), value.char_indices());
            let end = loop {
                match letters.next().unwrap() {
                    (_, '\\') => text.push(letters.next().unwrap().1),
                    (end, '"') => break end,
                    (_, ']') => panic!("not escaped: {value}"),
                    (_, letter) => text.push(letter),
                }
            };
            values.push((name.to_owned(), text));
            rest = &value[end + 1..];
        }
        let text = rest.strip_prefix("] ").unwrap();
        assert_eq!(text.starts_with(BOM), !text.is_ascii());
        (fields, values, text.trim_start_matches(BOM).to_owned())
    }

    #[test]
    fn an_alert_is_one_message() {
        let want = "<171>1 2023-08-05T15:03:33.250000Z sensor.example nsm 4711 syn_flood \
            [nsm@32473 id=\"e29b58f07621effc\" status=\"final\" type=\"syn_flood\" technique=\"syn\" severity=\"high\" \
            confidence=\"0.9\" attackers=\"203.0.113.66,203.0.113.67\" attackerCount=\"5000\" victims=\"192.0.2.10\" \
            victimCount=\"1\" protocol=\"tcp\" ports=\"80\" portCount=\"1\" attack=\"T1498.001,T1046\" \
            firstSeen=\"2023-08-05T15:03:31.000001999Z\" lastSeen=\"2023-08-05T15:03:36.500000000Z\" packets=\"150000\" \
            capture=\"office.pcap\"] syn_flood (high, final): 30,000 SYN/s at 192.0.2.10";
        assert_eq!(of(&example::notice(), 2_048), want);
        let (fields, values, text) = read(want);
        assert_eq!(fields[5], "syn_flood");
        assert_eq!(values[0].1, "nsm@32473");
        assert_eq!(text, "syn_flood (high, final): 30,000 SYN/s at 192.0.2.10");
    }

    #[test]
    fn severities_are_those_of_the_table() {
        let priority = |severity, status| {
            let mut notice = Notice { status, ..example::notice() };
            notice.alert.severity = severity;
            read(&of(&notice, 2_048)).0[0].clone()
        };
        // RFC 5424, 6.2.1: facility times eight, and the severity.
        assert_eq!(Severity::ALL.map(|severity| priority(severity, Status::Open)), ["<174>1", "<173>1", "<172>1", "<171>1", "<170>1"]);
        assert_eq!(priority(Severity::Critical, Status::Withdrawn), "<174>1");
    }

    #[test]
    fn hostile_texts_are_data_and_never_form() {
        for (length, longest) in [(1, 2_048), (300, 2_048), (3_000, 2_048), (100_000, 2_048), (100_000, 8_192), (100_000, 480)] {
            let message = of(&example::hostile(length), longest);
            assert!(message.len() <= longest, "{}", message.len());
            let harmless = message.replacen(BOM, "", 1);
            assert!(!harmless.contains(crate::report::is_deceptive), "{harmless}");
            let (fields, values, text) = read(&message);
            assert_eq!((fields[0].as_str(), fields.len()), ("<171>1", 6));
            assert!(text.starts_with("syn_flood (high, final): a\\n<34>1 - forged"), "{text}");
            assert_eq!(text.ends_with("..."), length > 1_000, "{text}");
            assert!(values.iter().all(|(_, value)| value.len() <= VALUE));
        }
        let (_, values, _) = read(&of(&example::hostile(1), 8_192));
        let capture = values.iter().find(|(name, _)| name == "capture").unwrap();
        assert_eq!(capture.1, visible(example::HOSTILE));
    }

    #[test]
    fn a_text_beyond_ascii_is_marked_as_utf_8_and_cut_between_letters() {
        let mut notice = example::notice();
        notice.alert.message = "é".repeat(5_000);
        for longest in 2_000..2_010 {
            let message = of(&notice, longest);
            assert!((longest - 1..=longest).contains(&message.len()), "{longest}: {}", message.len());
            assert!(read(&message).2.ends_with("é..."));
        }
        // The example of RFC 5424, 6.4: EF BB BF.
        assert!(of(&notice, 2_048).as_bytes().windows(3).any(|bytes| bytes == [0xef, 0xbb, 0xbf]));
    }

    #[test]
    fn the_type_of_a_users_rule_is_a_message_id_too() {
        assert_eq!(message_id("rule:a b]\u{202e}é"), "rule:a_b]__");
        assert_eq!(message_id(&"x".repeat(100)).len(), 32);
    }

    #[test]
    fn a_list_ends_after_a_whole_element() {
        let addresses: Vec<String> = (0..20).map(|n| format!("2001:db8:ffff:ffff:ffff:ffff:ffff:{n:04x}")).collect();
        let listed = list(&addresses);
        assert!(listed.len() <= VALUE && listed.split(',').all(|address| address.len() == 38), "{listed}");
        assert_eq!(list(&["x".repeat(300)]).len(), 300, "what is too long alone is cut where it is written");
    }
}
