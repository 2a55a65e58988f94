//! The configuration as a file that explains itself.

use super::{Config, SECTIONS, Section, Setting};

/// Comments are wrapped so that the whole line stays within this many letters.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Settings of nsm, with unit, range and the reason for each default.
# Use with: nsm analyze -C this-file.yaml CAPTURE. What is left out keeps its default.
";

const NETWORKS: &str = "
# Other thresholds for some networks or hosts. The most specific network wins; what it does not set
# comes from the network around it. Sections that shape the tables cannot be set here. Example:
#   10.0.0.0/8: { scan: { ports: 100 } }
";

const ALLOW: &str = "
# Alerts that are known and accepted; they are counted and listed as suppressed. An entry needs a
# source, a target or a detector, and matches if all that it gives does. Example:
#   - { source: 10.0.0.5/32, detector: port_scan, reason: \"vulnerability scanner\" }
";

pub(super) fn yaml(config: &Config) -> String {
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    for section in SECTIONS {
        lines.extend(section_lines(config, section));
    }
    lines.extend(NETWORKS.lines().map(str::to_owned));
    lines.extend(network_lines(config));
    lines.extend(ALLOW.lines().map(str::to_owned));
    lines.extend(allow_lines(config));
    lines.join("\n") + "\n"
}

fn section_lines(config: &Config, section: &Section) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(comment("", section.about));
    if section.shapes_tables {
        lines.extend(comment("", "Shapes the stored tables: a change needs the packets again."));
    }
    lines.push(format!("{}:", section.name));
    lines.extend(section.settings.iter().flat_map(|setting| setting_lines(config, setting)));
    lines
}

fn setting_lines(config: &Config, setting: &Setting) -> Vec<String> {
    let value = config.base.get(setting.path).unwrap_or(setting.default);
    let range = format!("{}; from {} to {}; default {}", setting.unit, setting.min, setting.max, setting.default);
    let mut lines = comment("  ", setting.reason);
    lines.extend(comment("  ", &range));
    lines.push(format!("  {}: {value}", setting.name));
    lines
}

fn network_lines(config: &Config) -> Vec<String> {
    if config.networks.is_empty() {
        return vec!["networks: {}".to_owned()];
    }
    let mut lines = vec!["networks:".to_owned()];
    for network in &config.networks {
        lines.push(format!("  \"{}\":", network.prefix));
        for (section, values) in &network.overrides {
            lines.push(format!("    {section}:"));
            lines.extend(values.iter().map(|(name, value)| format!("      {name}: {value}")));
        }
    }
    lines
}

fn allow_lines(config: &Config) -> Vec<String> {
    if config.allow.is_empty() {
        return vec!["allow: []".to_owned()];
    }
    let mut lines = vec!["allow:".to_owned()];
    lines.extend(config.allow.iter().map(|entry| format!("  - {entry}")));
    lines
}

/// The text as comment lines, broken between words.
fn comment(indent: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = format!("{indent}#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("{indent}#")));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines
}
