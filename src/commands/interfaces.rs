//! `nsm analyze --list-interfaces`: what can be watched, as a table.

use crate::capture::live::Interface;
use crate::report::visible;

const HEADINGS: [&str; 4] = ["Interface", "State", "Addresses", "Description"];

/// Columns that are as wide as what is in them; texts of the system and its drivers are made harmless.
pub(super) fn table(interfaces: &[Interface]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(interfaces.iter().map(row));
    let letters = |text: &String| text.chars().count();
    let widths: Vec<usize> =
        (0..HEADINGS.len()).map(|column| rows.iter().map(|row| row.get(column).map_or(0, letters)).max().unwrap_or(0)).collect();
    let line = |row: &[String; 4]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(interface: &Interface) -> [String; 4] {
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let shown = |text: &str| visible(text).into_owned();
    [shown(&interface.name), state(interface), addresses.join(", "), shown(interface.description.as_deref().unwrap_or_default())]
}

fn state(interface: &Interface) -> String {
    let words = [
        (true, if interface.up { "up" } else { "down" }),
        (interface.up && !interface.running, "not running"),
        (interface.connected == Some(false), "not connected"),
        (interface.loopback, "loopback"),
        (interface.wireless, "wireless"),
    ];
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_has_a_line_and_no_name_breaks_it() {
        let interface = |name: &str, up, addresses: &[&str], description: Option<&str>| Interface {
            name: name.into(),
            description: description.map(str::to_owned),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            up,
            running: false,
            loopback: name == "lo",
            wireless: false,
            connected: (name == "lo").then_some(false),
        };
        let listed = [interface("eth0", true, &["10.0.0.7", "fe80::1"], None), interface("lo", false, &[], Some("the\n\x1b[2J loop"))];
        assert_eq!(
            table(&listed),
            "Interface  State                          Addresses          Description\n\
             eth0       up, not running                10.0.0.7, fe80::1\n\
             lo         down, not connected, loopback                     the\\n\\u{1b}[2J loop\n"
        );
    }
}
