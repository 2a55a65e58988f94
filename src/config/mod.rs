//! Resolved settings: what every detector and table is told, and where each value came from.
//!
//! Knows names, units, ranges and reasons. Knows nothing of packets, tables or detectors; reads no
//! file and no environment.

mod allow;
mod document;
mod nearest;
mod prefix;
mod setting;
mod thresholds;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use allow::AllowEntry;
pub use nearest::nearest;
pub use prefix::Prefix;
pub use setting::{Number, Section, Setting};
pub use thresholds::{
    Alert, Anomaly, Arp, Beacon, Carve, Dhcp, Discovery, Dns, Exfiltration, Flood, Flow, Fold, Http, Icmp, Lateral, Live, Login, Memory,
    Outlet, Ports, Rate, SECTIONS, Scan, Settings,
};

use crate::error::Error;
use crate::net::Addr;
use nearest::did_you_mean;

/// Sections that decide nothing in a report: they concern the run and no host, and a report made with others is the same.
const BESIDE: [&str; 2] = ["live", "outlet"];

const NETWORKS: &str = "networks";
const ALLOW: &str = "allow";

/// Written as JSON it has the shape of the configuration file, and can be used as one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Config {
    /// Where no network says otherwise.
    #[serde(flatten)]
    pub base: Settings,
    /// The most specific first.
    #[serde(serialize_with = "as_mapping")]
    pub networks: Vec<Network>,
    pub allow: Vec<AllowEntry>,
}

/// Values by section and name, as a network gives them.
type Overrides = BTreeMap<&'static str, BTreeMap<&'static str, Number>>;

/// Other settings for the addresses of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub prefix: Prefix,
    overrides: Overrides,
    /// The base, with the overrides of all networks around this one, and its own.
    settings: Settings,
}

impl Config {
    /// Reads a configuration file. What it leaves out keeps its default.
    pub fn from_yaml(text: &str) -> Result<Self, Error> {
        Self::default().with_yaml(text)
    }

    /// The same over another configuration: what the file leaves out stays, networks and allow-list as a whole.
    pub fn with_yaml(self, text: &str) -> Result<Self, Error> {
        let options = serde_saphyr::options! { with_snippet: false };
        let tree: Option<Value> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|cause| wrong("the file", &format!("cannot be read as YAML: {cause}")))?;
        let mut config = self;
        for (key, value) in mapping("the file", &tree.unwrap_or_default())? {
            match key.as_str() {
                NETWORKS => config.read_networks(value)?,
                ALLOW => config.read_allow(value)?,
                _ => {
                    let section = find_section(key, key)?;
                    for (setting, number) in read_section(key, section, value)? {
                        config.base.put(setting.path, number);
                    }
                }
            }
        }
        config.resolve();
        Ok(config)
    }

    /// Sets one value of the base from text, as `--set scan.ports=30` does. Networks that give the
    /// same setting keep theirs.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), Error> {
        let paths = || SECTIONS.iter().flat_map(|section| section.settings);
        let setting = paths()
            .find(|setting| setting.path == key)
            .ok_or_else(|| wrong(key, &did_you_mean(key, paths().map(|setting| setting.path))))?;
        let number = setting.read(key, &setting::value_of(text))?;
        self.base.put(setting.path, number);
        self.resolve();
        Ok(())
    }

    /// The settings that hold for a host.
    #[must_use]
    pub fn for_host(&self, addr: Addr) -> &Settings {
        self.networks.iter().find(|network| network.prefix.contains(addr)).map_or(&self.base, |network| &network.settings)
    }

    /// The first entry of the allow-list that silences such an alert.
    #[must_use]
    pub fn allowed(&self, detector: &str, attackers: &[Addr], victims: &[Addr]) -> Option<&AllowEntry> {
        self.allow.iter().find(|entry| entry.matches(detector, attackers, victims))
    }

    /// What decided the results, in the shape of the configuration file.
    ///
    /// # Errors
    /// Only for a defect of ours: it is written to memory.
    pub fn deciding(&self) -> Result<Value, Error> {
        let mut all = serde_json::to_value(self).map_err(|cause| Error::Internal(cause.to_string()))?;
        if let Value::Object(sections) = &mut all {
            sections.retain(|name, _| !BESIDE.contains(&name.as_str()));
        }
        Ok(all)
    }

    /// The whole configuration as a file that explains itself and reads back as the same.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        document::yaml(self)
    }

    fn read_networks(&mut self, value: &Value) -> Result<(), Error> {
        self.networks.clear();
        for (name, sections) in mapping(NETWORKS, value)? {
            let key = format!("{NETWORKS}.{name}");
            let prefix: Prefix = name.parse().map_err(|cause: String| wrong(&key, &cause))?;
            if self.networks.iter().any(|network| network.prefix == prefix) {
                return Err(wrong(&key, "is given twice"));
            }
            let overrides = read_overrides(&key, sections)?;
            self.networks.push(Network { prefix, overrides, settings: Settings::default() });
        }
        Ok(())
    }

    fn read_allow(&mut self, value: &Value) -> Result<(), Error> {
        self.allow.clear();
        let entries = match value {
            Value::Null => return Ok(()),
            Value::Array(entries) => entries,
            _ => return Err(wrong(ALLOW, "must be a list")),
        };
        for (i, entry) in entries.iter().enumerate() {
            self.allow.push(AllowEntry::read(&format!("{ALLOW}[{i}]"), entry)?);
        }
        Ok(())
    }

    /// Computes what holds in each network, so that asking for a host costs one search.
    fn resolve(&mut self) {
        self.networks.sort_by_key(|network| (u8::MAX - network.prefix.length(), network.prefix));
        let given: Vec<(Prefix, Overrides)> = self.networks.iter().map(|network| (network.prefix, network.overrides.clone())).collect();
        for network in &mut self.networks {
            network.settings = self.base;
            let around = given.iter().rev().filter(|(prefix, _)| prefix.covers(&network.prefix));
            for (section, name, number) in around.flat_map(|(_, overrides)| entries(overrides)) {
                network.settings.put(&format!("{section}.{name}"), number);
            }
        }
    }
}

fn entries(overrides: &Overrides) -> impl Iterator<Item = (&'static str, &'static str, Number)> {
    overrides.iter().flat_map(|(section, values)| values.iter().map(|(name, number)| (*section, *name, *number)))
}

fn read_overrides(key: &str, value: &Value) -> Result<Overrides, Error> {
    let mut overrides = Overrides::new();
    for (name, values) in mapping(key, value)? {
        let key = format!("{key}.{name}");
        let section = find_section(&key, name)?;
        if section.shapes_tables {
            return Err(wrong(&key, "shapes the tables and can only be set for all networks together"));
        }
        if BESIDE.contains(&section.name) {
            return Err(wrong(&key, "concerns the run and no network"));
        }
        let numbers = read_section(&key, section, values)?;
        overrides.insert(section.name, numbers.into_iter().map(|(setting, number)| (setting.name, number)).collect());
    }
    Ok(overrides)
}

fn read_section(key: &str, section: &'static Section, value: &Value) -> Result<Vec<(&'static Setting, Number)>, Error> {
    let mut numbers = Vec::new();
    for (name, value) in mapping(key, value)? {
        let key = format!("{key}.{name}");
        let setting = section.settings.iter().find(|setting| setting.name == name);
        let setting = setting.ok_or_else(|| wrong(&key, &did_you_mean(name, section.settings.iter().map(|setting| setting.name))))?;
        numbers.push((setting, setting.read(&key, value)?));
    }
    Ok(numbers)
}

fn find_section(key: &str, name: &str) -> Result<&'static Section, Error> {
    let names = SECTIONS.iter().map(|section| section.name);
    SECTIONS.iter().find(|section| section.name == name).ok_or_else(|| wrong(key, &did_you_mean(name, names.chain([NETWORKS, ALLOW]))))
}

/// The entries of a mapping; a key with nothing after it is an empty one.
fn mapping<'a>(key: &str, value: &'a Value) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, Error> {
    let empty: Option<&Map<String, Value>> = None;
    match value {
        Value::Null => Ok(empty.into_iter().flatten()),
        Value::Object(entries) => Ok(Some(entries).into_iter().flatten()),
        _ => Err(wrong(key, "must be a mapping of names to values")),
    }
}

fn wrong(key: &str, problem: &str) -> Error {
    Error::Setting { key: key.to_owned(), problem: problem.to_owned() }
}

fn as_mapping<S: Serializer>(networks: &[Network], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(networks.iter().map(|network| (network.prefix, &network.overrides)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const FILE: &str = r#"
scan: { ports: 30 }
flood:
networks:
  10.0.0.0/8: { scan: { ports: 100, hosts: 50 } }
  10.1.0.0/16: { scan: { ports: 200 }, flood: { syn_completed: 0.5 } }
  2001:db8::/32: { rate: { attempts_per_s: 9 } }
allow:
  - { source: 10.0.0.5/32, detector: port_scan, reason: "vulnerability: \"scanner\"" }
  - { target: 192.0.2.0/24 }
"#;

    fn addr(text: &str) -> Addr {
        Addr::from(text.parse::<IpAddr>().unwrap())
    }

    fn refusal(text: &str) -> String {
        Config::from_yaml(text).unwrap_err().to_string()
    }

    #[test]
    fn the_most_specific_network_wins_and_inherits_from_those_around_it() {
        let config = Config::from_yaml(FILE).unwrap();
        let scan = |text: &str| (config.for_host(addr(text)).scan.ports, config.for_host(addr(text)).scan.hosts);
        assert_eq!(scan("192.0.2.1"), (30, 25));
        assert_eq!(scan("10.2.0.1"), (100, 50));
        assert_eq!(scan("10.1.0.1"), (200, 50));
        assert_eq!(scan("2001:db8::7"), (30, 25));
        assert_eq!(config.for_host(addr("2001:db8::7")).rate.attempts_per_s, 9);
        assert!((config.for_host(addr("10.1.9.9")).flood.syn_completed - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_value_set_later_reaches_the_networks_that_do_not_give_it() {
        let mut config = Config::from_yaml(FILE).unwrap();
        config.set("scan.window_s", "60").unwrap();
        config.set("scan.ports", "31").unwrap();
        assert!((config.for_host(addr("10.1.0.1")).scan.window_s - 60.0).abs() < f64::EPSILON);
        assert_eq!(config.for_host(addr("10.1.0.1")).scan.ports, 200);
        assert_eq!(config.base.scan.ports, 31);
    }

    #[test]
    fn an_empty_file_is_the_default() {
        for text in ["", "# nothing\n", "scan:\n", "{}", "networks:\nallow:\n"] {
            assert_eq!(Config::from_yaml(text).unwrap(), Config::default(), "{text:?}");
        }
    }

    #[test]
    fn the_printed_file_reads_back_as_the_same() {
        for config in [Config::default(), Config::from_yaml(FILE).unwrap()] {
            assert_eq!(Config::from_yaml(&config.to_yaml()).unwrap(), config);
        }
    }

    #[test]
    fn a_file_over_another_configuration_changes_what_it_names() {
        let base = Config::from_yaml(FILE).unwrap();
        let over = base.clone().with_yaml("scan: { hosts: 40 }\nallow: []\n").unwrap();
        assert_eq!((over.base.scan.ports, over.base.scan.hosts, over.allow.len()), (30, 40, 0));
        assert_eq!(over.for_host(addr("10.1.0.1")).scan.ports, base.for_host(addr("10.1.0.1")).scan.ports);
    }

    #[test]
    fn the_form_in_the_manifest_reads_back_as_the_same() {
        let config = Config::from_yaml(FILE).unwrap();
        assert_eq!(Config::from_yaml(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn where_alerts_go_decides_nothing() {
        let mut config = Config::from_yaml(FILE).unwrap();
        let before = config.deciding().unwrap();
        config.set("outlet.queue", "5").unwrap();
        assert_eq!(config.deciding().unwrap(), before);
        assert_eq!(config.base.outlet.queue, 5);
        config.set("scan.ports", "31").unwrap();
        assert_ne!(config.deciding().unwrap(), before);
        assert_eq!(Config::from_yaml(&config.deciding().unwrap().to_string()).unwrap().base.scan, config.base.scan);
    }

    #[test]
    fn the_printed_file_names_unit_range_and_reason_of_every_setting() {
        let text = Config::default().to_yaml();
        assert!(text.contains("  # Distinct ports that failed on one host; Zeek's Port_Scan.\n  # ports on one host; from 2 to 65535; default 15\n  ports: 15\n"));
        assert!(text.lines().all(|line| line.len() <= 100));
        let keys = text.lines().filter(|line| line.starts_with("  ") && !line.trim_start().starts_with('#')).count();
        assert_eq!(keys, SECTIONS.iter().map(|section| section.settings.len()).sum::<usize>());
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_with_its_path_and_range() {
        let cases = [
            (
                "scan: { ports: 1 }",
                "configuration: scan.ports: 1 cannot be used; it must be a whole number from 2 to 65535 (ports on one host)",
            ),
            ("scan: { ports: 65536 }", "scan.ports: 65536 cannot be used"),
            ("scan: { ports: 15.5 }", "scan.ports: 15.5 cannot be used"),
            ("scan: { ports: -3 }", "scan.ports: -3 cannot be used"),
            ("scan: { ports: many }", "scan.ports: \"many\" cannot be used"),
            ("scan: { fail_ratio: 1.01 }", "it must be a number from 0 to 1 (share of first contacts)"),
            ("scan: { fail_ratio: .nan }", "at line 1, column 21"),
            ("scan: 3", "scan: must be a mapping"),
            ("[1, 2]", "the file: must be a mapping"),
            ("networks: { 10.0.0.0/8: { scan: { ports: 0 } } }", "networks.10.0.0.0/8.scan.ports: 0 cannot be used"),
            ("networks: { 10.0.0.0/8: { flow: { tcp_idle_s: 9 } } }", "networks.10.0.0.0/8.flow: shapes the tables"),
            ("networks: { 10.0.0.0/8: { outlet: { queue: 9 } } }", "networks.10.0.0.0/8.outlet: concerns the run"),
            ("networks: { 10.0.0.1/8: { } }", "did you mean 10.0.0.0/8?"),
            ("networks: { 10.0.0.1: { }, 10.0.0.1/32: { } }", "is given twice"),
            ("allow: { }", "allow: must be a list"),
            ("allow: [ { reason: all } ]", "allow[0]: needs at least one of source, target and detector"),
            ("allow: [ { sources: 10.0.0.1 } ]", "allow[0].sources: unknown; did you mean `source`?"),
            ("allow: [ { source: 10 } ]", "allow[0].source: 10 cannot be used"),
            ("allow: [ { source: ten } ]", "allow[0].source: `ten` is not a network"),
            ("scan: { ports: 20, ports: 30 }", "the file: cannot be read as YAML: "),
            ("scan: [", "the file: cannot be read as YAML: "),
        ];
        for (text, want) in cases {
            let shown = refusal(text);
            assert!(shown.contains(want), "{text}: {shown}");
        }
    }

    #[test]
    fn a_mistyped_key_is_answered_with_the_nearest_one() {
        assert!(refusal("scan: { port: 30 }").contains("scan.port: unknown; did you mean `ports`?"));
        assert!(refusal("scann: { ports: 30 }").contains("scann: unknown; did you mean `scan`?"));
        assert!(refusal("network: { }").contains("network: unknown; did you mean `networks`?"));
        let shown = Config::default().set("flod.syn_per_s", "3").unwrap_err().to_string();
        assert!(shown.contains("did you mean `flood.syn_per_s`?"), "{shown}");
    }

    #[test]
    fn text_is_held_to_the_same_range_as_a_file() {
        let mut config = Config::default();
        config.set("scan.fail_ratio", " 0.75").unwrap();
        config.set("flow.tcp_idle_s", "120").unwrap();
        config.set("flood.reflection_bytes", "5000000000").unwrap();
        assert_eq!(config.base.flood.reflection_bytes, 5_000_000_000);
        let before = config.clone();
        for (key, text) in [
            ("scan.ports", ""),
            ("scan.ports", "1e2"),
            ("scan.ports", "99999999999"),
            ("scan.fail_ratio", "nan"),
            ("flow.tcp_idle_s", "inf"),
        ] {
            assert!(config.set(key, text).is_err(), "{key}={text}");
        }
        assert_eq!(config, before);
    }

    #[test]
    fn an_allowed_alert_lies_inside_all_that_the_entry_gives() {
        let config = Config::from_yaml(FILE).unwrap();
        let scanner = [addr("10.0.0.5")];
        let both = [addr("10.0.0.5"), addr("10.0.0.6")];
        assert!(config.allowed("port_scan", &scanner, &[addr("10.9.9.9")]).is_some());
        assert!(config.allowed("host_sweep", &scanner, &[]).is_none());
        assert!(config.allowed("port_scan", &both, &[]).is_none());
        assert!(config.allowed("port_scan", &[], &[]).is_none());
        assert!(config.allowed("syn_flood", &both, &[addr("192.0.2.80")]).is_some());
        assert!(config.allowed("syn_flood", &both, &[addr("192.0.2.80"), addr("192.0.3.80")]).is_none());
    }

    #[test]
    fn aliases_cannot_blow_up_a_file() {
        let levels = (1..40).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}, *a{0}]", i - 1));
        let bomb = std::iter::once("a0: &a0 [x]".to_owned()).chain(levels).collect::<Vec<_>>().join("\n");
        assert!(refusal(&bomb).contains("cannot be read as YAML"));
    }
}
