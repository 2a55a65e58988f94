//! `nsm analyze --pseudonymize`: nothing that names anybody in a capture is in anything that is written, and what is
//! found stays the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use common::{Run, Sample, TestBench};
use network_security_monitor::capture::FileSource;
use network_security_monitor::community_id::community_id;
use network_security_monitor::config::Config;
use network_security_monitor::net::{Addr, Mac};
use network_security_monitor::pipeline::{self, Options};
use network_security_monitor::pseudonym::Pseudonyms;
use network_security_monitor::table::schema as col;
use polars::prelude::DataFrame;
use serde_json::Value;

const KEY: [u8; 32] = *b"a key for tests, and for no more";

/// Rules that tell whatever a rule can tell of a row.
const TELLTALE: &str = "\
id: telltale
title: told of 10.0.5.31
severity: info
table: logins
group_by: [client, server, user, service]
measure: COUNT(*) AS rows
threshold: 1
show: [MAX(user) AS last_user, MAX(client) AS last_client]
message: '{user} {client} {server} {service} {last_user} {last_client} {attackers} 10.0.5.31'
next_steps: [Look at 10.0.5.31]
";
const TELLTALE_NAMES: &str = "\
id: telltale-names
title: names
severity: info
table: names
group_by: [client, domain]
measure: COUNT(*) AS rows
threshold: 1
show: [MIN(domain) AS first]
message: '{client} asked for {domain} and {first}'
";
const TELLTALE_MACS: &str = "\
id: telltale-macs
title: hardware addresses
severity: info
table: claims
group_by: [mac, source, target]
measure: COUNT(*) AS rows
threshold: 1
message: '{mac} {source} {target}'
";
const TELLTALE_SERVICES: &str = "\
id: telltale-services
title: services
severity: info
table: services
group_by: [server, name, client_software, server_software]
measure: COUNT(*) AS rows
threshold: 1
message: '{server} {name} {client_software} {server_software}'
";

/// A bench with a key, and rules beside it.
fn bench() -> TestBench {
    let bench = TestBench::new();
    write_key(&bench, "key", &KEY);
    let rules = [("a", TELLTALE), ("b", TELLTALE_NAMES), ("c", TELLTALE_MACS), ("d", TELLTALE_SERVICES)];
    rules.iter().for_each(|(name, rule)| drop(bench.write(&format!("rules/{name}.yaml"), rule)));
    bench
}

fn write_key(bench: &TestBench, name: &str, content: &[u8]) -> PathBuf {
    let path = bench.write(name, content);
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// What a capture holds that names somebody, taken from the tables that it is judged by.
#[derive(Default)]
struct Secrets {
    addresses: BTreeSet<IpAddr>,
    macs: BTreeSet<String>,
    /// Names, in lower case.
    names: BTreeSet<String>,
    /// Users, and what software calls itself.
    words: BTreeSet<String>,
}

impl Secrets {
    fn of(sample: &Sample) -> Self {
        let mut secrets = Self::default();
        let mut source = FileSource::open(&sample.capture).unwrap();
        let measured = pipeline::measure(&mut source, &Config::default().base, &Options::default(), &mut |ended| {
            for labels in ended.iter().filter_map(|ended| ended.labels.as_deref()) {
                secrets.name(&labels.server_name);
                secrets.words.extend([labels.client_software.clone(), labels.server_software.clone()]);
            }
            Ok(())
        })
        .unwrap();
        let (tables, facts) = (&measured.tables, &measured.tables.facts);
        let hosts = tables.hosts.iter().map(|(address, _)| address);
        secrets.addresses = tables.addresses.iter().chain(hosts).filter(|address| address.0 != 0).map(|address| address.ip()).collect();
        for table in [&tables.claims, &tables.neighbours] {
            let macs = table.column(col::MAC).unwrap().u64().unwrap();
            // Zero and broadcast name nobody.
            let named = macs.iter().flatten().filter(|mac| ![0, 0xffff_ffff_ffff].contains(mac));
            secrets.macs.extend(named.map(|mac| Mac(mac).plain()));
        }
        texts(&facts.names, col::DOMAIN).iter().for_each(|name| secrets.name(name));
        texts(&facts.services, col::NAME).iter().for_each(|name| secrets.name(name));
        facts.resolved.iter().for_each(|(_, name)| secrets.name(name));
        measured.facts.names.iter().for_each(|(_, name)| secrets.name(name));
        secrets.words.extend(texts(&facts.logins, col::USER));
        secrets.words.extend([col::CLIENT_SOFTWARE, col::SERVER_SOFTWARE].iter().flat_map(|column| texts(&facts.services, column)));
        secrets.words.remove("");
        secrets
    }

    /// Reverse names are addresses, and public suffixes name nobody.
    fn name(&mut self, name: &str) {
        if name.contains('.') && !name.ends_with("arpa") || name.len() > 3 && !name.contains('.') {
            self.names.insert(name.to_lowercase());
        }
    }

    fn add(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.macs.extend(other.macs);
        self.names.extend(other.names);
        self.words.extend(other.words);
    }

    /// What of this is in a text.
    fn found_in(&self, text: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let is_address = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
        for token in text.split(|c: char| !is_address(c)).filter(|token| token.contains(['.', ':'])) {
            // `10.0.0.1:80`, `::1.`, `x:10.0.0.1`
            let parts = token.split(':').chain([token.trim_matches('.'), token.trim_matches([':', '.'])]);
            found.extend(
                parts
                    .filter_map(|part| part.trim_matches('.').parse().ok())
                    .filter(|part| self.addresses.contains(part))
                    .map(|ip| ip.to_string()),
            );
            let starts = token.match_indices(':').map(|(colon, _)| colon + 1).chain([0]);
            let macs = starts.filter_map(|start| token.get(start..start + 17)).map(str::to_lowercase);
            found.extend(macs.filter(|mac| self.macs.contains(mac)));
        }
        let lower = text.to_lowercase();
        for token in lower.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
            // With everything below it, and as the end of a sentence.
            let token = token.trim_matches('.');
            let parents = token.match_indices('.').map(|(dot, _)| &token[dot + 1..]).chain([token]);
            found.extend(parents.filter(|name| self.names.contains(*name)).map(str::to_owned));
        }
        for word in &self.words {
            let escaped = word.replace('\\', "\\\\");
            if is_in(text, word) || is_in(text, &escaped) {
                found.insert(word.clone());
            }
        }
        found
    }
}

/// Between what is no letter or digit.
fn is_in(text: &str, word: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word).any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + word.len()..].chars().next()))
}

fn texts(table: &DataFrame, column: &str) -> Vec<String> {
    table.column(column).unwrap().str().unwrap().iter().flatten().filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn analyze(bench: &TestBench, output: &str, more: &[&str]) -> Run {
    let output = bench.path().join(output);
    let rules = bench.path().join("rules");
    let args = ["analyze", "samples", "-v", "-o", output.to_str().unwrap(), "--rules", rules.to_str().unwrap()];
    common::run(common::root(), args.iter().chain(more), b"")
}

/// The directory of a sample's report below that of a batch over all.
fn report(top: &Path, sample: &Sample) -> PathBuf {
    top.join(&sample.name).join(sample.capture.file_name().unwrap())
}

/// Kind, severity and number of the alerts of a report, and what else must not depend on how it is written.
fn verdict(report: &Path) -> BTreeMap<(String, String, String, String, u64), usize> {
    let text = |alert: &Value, key: &str| alert[key].to_string();
    let mut verdict = BTreeMap::new();
    for alert in common::alerts(report) {
        let packets = alert["packet_count"].as_u64().unwrap();
        let key = (text(&alert, "type"), text(&alert, "severity"), text(&alert, "technique"), text(&alert, "first_seen"), packets);
        *verdict.entry(key).or_insert(0) += 1;
    }
    verdict
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<IpAddr>().unwrap_or_else(|_| panic!("{text} is no address")))
}

fn shown(pseudonyms: &Pseudonyms, real: Addr) -> Addr {
    real.v4().map_or_else(|| Addr(pseudonyms.v6(real.0)), |v4| Addr::from_v4(pseudonyms.v4(v4)))
}

#[test]
fn nothing_of_a_sample_is_in_any_output_and_the_verdict_is_the_same() {
    let bench = bench();
    let key = bench.path().join("key");
    let (eve, ecs) = (bench.path().join("told/eve.json"), bench.path().join("told/ecs.json"));
    fs::create_dir(bench.path().join("told")).unwrap();
    let plain = analyze(&bench, "plain", &["--format", "csv,json,html,png"]);
    let told = ["--eve", eve.to_str().unwrap(), "--ecs", ecs.to_str().unwrap()];
    let run = analyze(&bench, "pseudo", &[&["--pseudonymize", key.to_str().unwrap()][..], &told].concat());
    assert_eq!(plain.code, run.code, "{}", run.stderr);
    let (before, after) = (bench.path().join("plain"), bench.path().join("pseudo"));
    let pseudonyms = Pseudonyms::new(&KEY);
    let (mut wrong, mut all, mut seen) = (Vec::new(), Secrets::default(), 0);
    for sample in common::samples() {
        let secrets = Secrets::of(&sample);
        let (plain, pseudo) = (report(&before, &sample), report(&after, &sample));
        for (name, bytes) in common::tree(&pseudo) {
            let found = secrets.found_in(&String::from_utf8_lossy(&bytes));
            if !name.starts_with("charts/") && !found.is_empty() {
                wrong.push(format!("{}: {name} has {:?}", sample.name, found.iter().take(5).collect::<Vec<_>>()));
            }
        }
        // The search can find: the report of what was captured has much of it.
        let page = fs::read_to_string(plain.join("report.html")).unwrap() + &fs::read_to_string(plain.join("alerts.jsonl")).unwrap();
        seen += secrets.found_in(&page).len();
        if verdict(&plain) != verdict(&pseudo) {
            wrong.push(format!("{}: other alerts", sample.name));
        }
        wrong.extend(wrong_hosts(&pseudonyms, &plain, &pseudo).map(|what| format!("{}: {what}", sample.name)));
        all.add(secrets);
    }
    assert!(seen > 1_000, "{seen}");
    // What is said of all samples together.
    let beside = common::files_of(&after).into_iter().filter(|path| path.is_file()).chain([eve, ecs]);
    let beside = beside.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()));
    for (name, text) in beside.chain([("standard output".to_owned(), run.stdout), ("standard error".to_owned(), run.stderr)]) {
        let found = all.found_in(&text);
        if !found.is_empty() {
            wrong.push(format!("{name} has {:?}", found.iter().take(5).collect::<Vec<_>>()));
        }
    }
    common::all_well(&wrong);
}

/// The hosts of a report are the pseudonyms of the others', in their own order, and its flow hashes those of what it shows.
fn wrong_hosts(pseudonyms: &Pseudonyms, plain: &Path, pseudo: &Path) -> Option<String> {
    let addresses = |report: &Path| rows(&report.join("hosts.csv")).iter().map(|row| addr(&row[0])).collect::<Vec<_>>();
    let want: BTreeSet<Addr> = addresses(plain).into_iter().map(|real| shown(pseudonyms, real)).collect();
    if !addresses(pseudo).into_iter().eq(want) {
        return Some("hosts.csv".to_owned());
    }
    let [plain, pseudo] = [plain, pseudo].map(|report| rows(&report.join("flows.csv")));
    let is_wrong = |(plain, pseudo): &(&Vec<String>, &Vec<String>)| {
        let (source, target) = (addr(&pseudo[4]), addr(&pseudo[6]));
        let is_tcp = pseudo[8] == "tcp";
        let id = || community_id(source, target, pseudo[5].parse().unwrap(), pseudo[7].parse().unwrap(), 6);
        shown(pseudonyms, addr(&plain[4])) != source
            || shown(pseudonyms, addr(&plain[6])) != target
            || is_tcp && pseudo[24] != id()
            // A hash of the real addresses could be guessed.
            || plain[0] == pseudo[0]
            || plain[26].is_empty() != pseudo[26].is_empty()
    };
    let wrong = plain.iter().zip(&pseudo).find(is_wrong);
    wrong.map(|(plain, pseudo)| format!("flows.csv: {plain:?} {pseudo:?}")).or((plain.len() != pseudo.len()).then(|| "flows.csv".into()))
}

#[test]
fn the_same_key_gives_the_same_bytes_and_another_one_other_addresses() {
    let bench = bench();
    write_key(&bench, "digits", format!("{}\n", KEY.iter().map(|byte| format!("{byte:02X}")).collect::<String>()).as_bytes());
    write_key(&bench, "other", &[9; 32]);
    bench.write("in.pcap", common::sample("mixed-incident").bytes());
    for (key, output) in [("key", "a"), ("digits", "b"), ("other", "c")] {
        bench.nsm(["analyze", "in.pcap", "-o", output, "--pseudonymize", key]).expect_code(0);
    }
    let files = |output: &str| {
        let mut files = common::tree(&bench.path().join(output).join("in.pcap"));
        // These name the run.
        files.remove("manifest.json").unwrap();
        let page = files.remove("report.html").unwrap();
        files.insert("report.html".into(), common::page_of_command(&page, ""));
        files
    };
    assert_eq!(common::difference(&files("a"), &files("b")), None);
    let hosts = |output: &str| {
        rows(&bench.path().join(output).join("in.pcap/hosts.csv")).into_iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>()
    };
    assert!(hosts("a").is_disjoint(&hosts("c")));
    let check = |output: &str| common::json(&bench.path().join(output).join("in.pcap/manifest.json"))["pseudonymized"]["key_check"].clone();
    assert_eq!((check("a"), check("a") == check("c")), (check("b"), false));
}

#[test]
fn reports_say_that_they_hold_pseudonyms_and_charts_are_of_them() {
    let bench = bench();
    bench.write("in.pcap", common::sample("intrusion").bytes());
    bench.nsm(["analyze", "in.pcap", "-o", "plain"]).expect_code(0);
    let run = bench.nsm(["analyze", "in.pcap", "--pseudonymize", "key"]).expect_code(0);
    let manifest = common::json(&bench.reports().join("in.pcap/manifest.json"));
    let check = manifest["pseudonymized"]["key_check"].as_str().unwrap();
    assert_eq!(check.len(), 8);
    assert!(manifest["pseudonymized"]["method"].as_str().unwrap().contains("Crypto-PAn"));
    assert_eq!(manifest["choices"]["formats"], serde_json::json!(["csv", "json", "png", "html"]));
    let sentence = format!("addresses, names and users are pseudonyms, made with the key {check}");
    assert!(run.stderr.contains(&sentence), "{}", run.stderr);
    assert!(fs::read_to_string(bench.reports().join("in.pcap/security_monitor.log")).unwrap().contains(&sentence));
    assert!(fs::read_to_string(bench.reports().join("in.pcap/report.html")).unwrap().contains("are pseudonyms"));
    // Talkers are drawn with their addresses, protocols without.
    let chart = |top: &str, name: &str| fs::read(bench.path().join(top).join("in.pcap/charts").join(name)).unwrap();
    assert_ne!(chart("plain", "talkers.png"), chart("reports", "talkers.png"));
    assert_eq!(chart("plain", "protocols.png"), chart("reports", "protocols.png"));
}

#[test]
fn a_report_that_replaces_a_plain_one_leaves_nothing_of_it_and_is_kept_by_its_key_only() {
    let bench = bench();
    write_key(&bench, "other", &[9; 32]);
    bench.write("in/a.pcap", common::sample("port-scan").bytes());
    bench.write("in/b.pcap", common::sample("intrusion").bytes());
    bench.nsm(["analyze", "in", "--carve"]).expect_code(0);
    bench.nsm(["analyze", "in", "--pseudonymize", "key"]).expect_code(0).expect_message("redone 2");
    let left: Vec<String> =
        common::tree(&bench.reports()).into_keys().filter(|name| name.contains("tables/") || name.contains("carved/")).collect();
    assert_eq!(left, Vec::<String>::new());
    bench.nsm(["analyze", "in", "--pseudonymize", "key"]).expect_code(0).expect_message("kept 2");
    bench.nsm(["analyze", "in", "--pseudonymize", "other"]).expect_code(0).expect_message("redone 2");
    bench.nsm(["analyze", "in", "--format", "csv,json,png,html"]).expect_code(0).expect_message("redone 2");
}

#[test]
fn the_configuration_and_the_command_line_hold_no_address_and_silence_as_before() {
    let bench = bench();
    bench.write("in.pcap", common::sample("intrusion").bytes());
    bench.write(
        "for-10.0.1.20.yaml",
        "allow:\n  - { source: 192.0.2.0/24, detector: port_scan, reason: the scanner 192.0.2.66 }\nnetworks:\n  10.0.1.0/24:\n    scan: { ports: 14 }\n",
    );
    let args = ["analyze", "in.pcap", "-C", "for-10.0.1.20.yaml", "--pseudonymize", "key", "--rules", "rules"];
    bench.nsm(args).expect_code(0);
    let report = bench.reports().join("in.pcap");
    let suppressed = &common::json(&report.join("summary.json"))["suppressed"];
    assert_eq!((suppressed.as_array().unwrap().len(), &suppressed[0]["type"]), (1, &Value::from("port_scan")));
    let secrets = Secrets::of(&common::sample("intrusion"));
    for (name, bytes) in common::tree(&report) {
        assert_eq!(secrets.found_in(&String::from_utf8_lossy(&bytes)), BTreeSet::new(), "{name}");
        assert!(!String::from_utf8_lossy(&bytes).contains("192.0.2.0/24"), "{name}");
    }
    let network = shown(&Pseudonyms::new(&KEY), addr("192.0.2.0"));
    let [a, b, c, _] = network.v4().unwrap().to_be_bytes();
    let manifest = common::json(&report.join("manifest.json"));
    assert_eq!(manifest["configuration"]["allow"][0]["source"], format!("{a}.{b}.{c}.0/24"));
}

#[test]
fn who_is_told_while_a_capture_goes_on_is_told_pseudonyms() {
    let bench = bench();
    for name in ["intrusion", "dns-tunnel", "arp-spoof"] {
        let sample = common::sample(name);
        let capture = fs::read(&sample.capture).unwrap();
        let eve = format!("{name}.eve.json");
        let args = [
            "analyze",
            "--live",
            "-",
            "--jsonl",
            "-v",
            "-o",
            name,
            "--pseudonymize",
            "key",
            "--rules",
            "rules",
            "--eve",
            &eve,
            "--format",
            "csv,json,html",
        ];
        let run = bench.nsm_fed(args, &capture).expect_code(0);
        let secrets = Secrets::of(&sample);
        assert!(run.stdout.contains("\"victims\":"), "{}", run.stderr);
        let files =
            common::tree(&bench.path().join(name)).into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()));
        let told = [
            ("out".to_owned(), run.stdout),
            ("err".to_owned(), run.stderr),
            (eve.clone(), fs::read_to_string(bench.path().join(&eve)).unwrap()),
        ];
        for (file, text) in files.chain(told) {
            assert_eq!(secrets.found_in(&text), BTreeSet::new(), "{name}: {file}");
        }
    }
}

#[test]
fn what_would_say_the_addresses_is_refused_and_a_key_is_asked_for() {
    let bench = bench();
    let capture = common::sample("port-scan").bytes();
    bench.write("in.pcap", &capture);
    bench.write("10.0.0.7.pcap", &capture);
    bench.write("many/2001:db8::1/x.pcap", &capture);
    bench.write("of/10.0.0.7.yaml", TELLTALE);
    write_key(&bench, "short", &KEY[1..]);
    for (more, part) in [
        (&["in.pcap", "--pseudonymize", "key", "--format", "csv,parquet"][..], "--pseudonymize cannot be combined with --format parquet"),
        (&["in.pcap", "--pseudonymize", "key", "--carve"], "--pseudonymize cannot be combined with --carve"),
        (&["in.pcap", "--pseudonymize", "key", "--save-baseline", "b"], "--pseudonymize cannot be combined with --save-baseline"),
        (&["--live", "-", "--pseudonymize", "key", "--write", "w"], "--pseudonymize cannot be combined with --write"),
        (&["in.pcap", "--pseudonymize", "short"], "a key is 32 bytes or 64 hexadecimal digits"),
        (&["in.pcap", "--pseudonymize", "in.pcap"], "head -c 32 /dev/urandom > key"),
        (&["in.pcap", "--pseudonymize", "none"], "head -c 32 /dev/urandom > key"),
        (&["10.0.0.7.pcap", "--pseudonymize", "key"], "10.0.0.7.pcap holds an address"),
        (&["many", "--pseudonymize", "key"], "holds an address"),
        (&["in.pcap", "--pseudonymize", "key", "--rules", "of"], "of/10.0.0.7.yaml holds an address"),
        (&["in.pcap", "--pseudonymize", "key", "-o", "for-192.0.2.1"], "for-192.0.2.1 holds an address"),
    ] {
        bench.nsm([&["analyze"], more].concat()).expect_code(2).expect_message(part);
    }
    assert!(!bench.reports().exists() && !bench.path().join("none").exists());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let bench = bench();
    bench.write("in.pcap", common::sample("port-scan").bytes());
    let open = |mode| fs::set_permissions(bench.path().join("key"), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    open(0o644);
    bench.nsm(["analyze", "in.pcap", "--pseudonymize", "key"]).expect_code(0).expect_message("others can read the key");
    open(0o600);
    let run = bench.nsm(["analyze", "in.pcap", "--pseudonymize", "key", "--force"]).expect_code(0);
    assert!(!run.stderr.contains("can read the key"), "{}", run.stderr);
}
