//! The form of a capture, in the words of `nsm info` and of the chain of custody.

use super::units::{counted, thousands};
use crate::capture::{SourceFacts, link_name};

/// Label and value of each fact.
pub fn facts(facts: &SourceFacts) -> [(&'static str, String); 4] {
    let compressed = facts.compression.as_ref().map(|name| format!(", compressed with {name}")).unwrap_or_default();
    let links: Vec<String> = facts.link_types.iter().map(|link| format!("{} ({link})", link_name(*link))).collect();
    let or_none = |stated: bool, text: String| if stated { text } else { "none stated".to_owned() };
    [
        ("Format", format!("{}{compressed}", facts.format)),
        ("Link types", or_none(!links.is_empty(), links.join(", "))),
        ("Interfaces", thousands(facts.interfaces.into())),
        ("Snapshot length", or_none(facts.snaplen > 0, counted(facts.snaplen.into(), "byte", "bytes"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_types_have_names_and_numbers_and_what_is_not_stated_says_so() {
        let told = |source: &SourceFacts| facts(source).map(|(_, value)| value);
        let stated = SourceFacts {
            format: "pcapng".into(),
            compression: Some("gzip".into()),
            // Numbers and names of the registry of tcpdump.org.
            link_types: vec![1, 113],
            interfaces: 2,
            snaplen: 65_535,
            ..SourceFacts::default()
        };
        assert_eq!(told(&stated), ["pcapng, compressed with gzip", "Ethernet (1), Linux cooked v1 (113)", "2", "65,535 bytes"]);
        let bare = SourceFacts { format: "pcap".into(), ..SourceFacts::default() };
        assert_eq!(told(&bare), ["pcap", "none stated", "0", "none stated"]);
    }
}
