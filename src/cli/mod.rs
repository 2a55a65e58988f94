//! The command line: the doc comments here are the help.
//!
//! Knows what can be asked for. Does nothing of it.

mod live;
mod outlets;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{ArgPredicate, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

pub use live::{Live, Rotate};
pub use outlets::{Hidden, Notification, shown};

use crate::detect::Severity;
use crate::error::Error;
use crate::outlet::{Destination, Target};
use crate::time::{self, Nanos};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    no input could be analysed
  2    wrong usage or configuration
  3    done, but some input was damaged or unreadable
  4    done, with alerts at or above --fail-on (wins over 3)
  130  interrupted; the report is complete as far as read, in a batch those that are there are whole";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  nsm analyze incident.pcapng
  nsm analyze captures/ -o reports/monday
  zstd -dc big.pcap.zst | nsm analyze -
  nsm analyze incident.pcap --set scan.ports=30 --only port_scan,host_sweep
  nsm analyze incident.pcap --from '2026-03-01 08:00:00' --to '2026-03-01 09:00:00'
  nsm analyze ordinary-week/ --save-baseline ours.json
  nsm analyze today.pcap --baseline ours.json
  nsm analyze nightly/ --fail-on high --quiet
  nsm analyze incident.pcap --carve
  nsm analyze incident.pcap --pseudonymize key -o for-somebody-else
  nsm analyze incident.pcap --filter 'host 10.0.0.7 and not port 22'
  nsm analyze --list-interfaces
  sudo nsm analyze --live eth0 --write ring/ --ring-size 100 --ring-files 50 --user nobody";

const INFO_EXAMPLES: &str = "\
Examples:
  nsm info incident.pcapng
  nsm info captures/ --json | jq -r 'select(.verdict != \"good\") | .file'";

const JUDGE_EXAMPLES: &str = "\
Examples:
  nsm judge reports/incident.pcap --set scan.ports=30
  nsm judge reports/ --rules rules/ -o reports-judged
  nsm judge reports/incident.pcap -C quieter.yaml";

const REPORT_EXAMPLES: &str = "\
Examples:
  nsm report reports/incident.pcap --format html
  nsm report reports/ -o elsewhere";

const COMPARE_EXAMPLES: &str = "\
Examples:
  nsm compare reports/monday.pcap reports/tuesday.pcap
  nsm compare before.pcap after.pcap --json";

const CONFIG_EXAMPLES: &str = "\
Examples:
  nsm config > nsm.yaml
  nsm config -C nsm.yaml --set scan.ports=30";

const RULES_EXAMPLES: &str = "\
Examples:
  nsm rules check rules/
  nsm rules test rules/ && nsm analyze incident.pcap --rules rules/
  nsm rules columns contacts";

const COMPLETIONS_EXAMPLES: &str = "\
Example:
  nsm completions bash > ~/.local/share/bash-completion/completions/nsm";

/// Reads packet captures and says what went wrong on the network, with the numbers that prove it.
#[derive(Debug, Parser)]
#[command(name = "nsm", version, about, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub terminal: Terminal,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyse captures and write a report for each.
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze(Box<Analyze>),
    /// Judge stored tables anew: other thresholds, rules or allow-list, without reading a packet.
    ///
    /// Says which alerts appear, disappear and change against those of the report. Nothing is written without -o.
    #[command(after_help = JUDGE_EXAMPLES)]
    Judge(Box<Judge>),
    /// Render a report again from its stored tables, with the settings that it was made with.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Render),
    /// Say what is new, gone or changed between two captures: alerts, hosts, services and talkers.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Compare),
    /// Say what captures hold and what they are worth as evidence.
    ///
    /// Facts as capinfos gives them, then a verdict: damage, one-way traffic, duplicates, clock jumps, drops, gaps,
    /// cut frames and checksums, each with what was measured and what it means for conclusions. What can make
    /// a finding wrong is also said on every alert of `nsm analyze`. Only `nsm info` looks at checksums (of the first
    /// 4096 frames, and every 64th after them), at frame sizes and at the longest silence.
    #[command(after_help = INFO_EXAMPLES)]
    Info(InfoArgs),
    /// List the detectors, or explain one: what it finds, how, its thresholds and false alarms.
    Detectors {
        /// The detector to explain, such as `port_scan`.
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
    /// Print the configuration: every setting with its value, unit, range and reason.
    ///
    /// The output is itself a configuration file.
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(Settings),
    /// Check, test or list your own rules, or list what they may look at.
    ///
    /// A rule is a YAML file that says in SQL what to look for in a table; `nsm analyze --rules` runs it.
    #[command(after_help = RULES_EXAMPLES)]
    Rules {
        #[command(subcommand)]
        action: RulesAction,
    },
    /// Describe the tables of a report (`tables/*.parquet`): every column with its type, unit and meaning.
    Tables {
        /// Only this table, such as `contacts`.
        #[arg(value_name = "TABLE")]
        table: Option<String>,
    },
    /// Print the completion script for a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell to complete for.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

#[derive(Debug, Subcommand)]
pub enum RulesAction {
    /// Say everything that is wrong with the rules, with file, line and column.
    Check(RulePaths),
    /// Run the tests that are written in the rules.
    Test(RulePaths),
    /// List the rules: type, severity and title.
    List(RulePaths),
    /// List the tables and columns that rules may use, with their units.
    Columns {
        /// Only this table, such as `contacts`.
        #[arg(value_name = "TABLE")]
        table: Option<String>,
    },
}

#[derive(Args, Debug)]
pub struct RulePaths {
    /// Directories (searched with all below them for *.yaml and *.yml), or rule files.
    #[arg(required = true, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Analyze {
    /// Capture files, directories (searched with all below them), or `-` for standard input.
    ///
    /// pcap and pcapng are told apart by their content, plain or compressed with gzip, zstd or lz4.
    #[arg(required_unless_present_any = ["interface", "list_interfaces"], value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Where reports go: one directory below this for each capture.
    #[arg(short, long, value_name = "DIR", default_value = "./reports", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub output: PathBuf,

    /// What to write.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        value_delimiter = ',',
        default_value = "csv,json,png,html,parquet",
        default_value_if("pseudonymize", ArgPredicate::IsPresent, "csv,json,png,html"),
        help_heading = "Output"
    )]
    pub format: Vec<Format>,

    /// Write no address, name or user of the capture, but a pseudonym for each: always the same with the same key.
    ///
    /// The key file holds 32 bytes, or 64 hexadecimal digits; make one with `head -c 32 /dev/urandom > key`, and keep it
    /// from whoever gets the report. Addresses that share a prefix still do (Crypto-PAn), names that share a domain still
    /// do, and public suffixes such as `com` stay. What is found does not change. Tables (`parquet`) hold what was
    /// captured and are not written.
    #[arg(long, value_name = "KEYFILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub pseudonymize: Option<PathBuf>,

    /// Replace reports that exist already. In a batch (a directory, or several paths): make all reports again,
    /// where otherwise those are kept that are whole and would come out the same.
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Read all captures as one timeline, as rotated files are: an attack across two of them is one alert.
    ///
    /// They are read one after another in the order of their first packets, and their frames numbered through;
    /// the manifest says with which frame each file begins.
    #[arg(long, help_heading = "What to look for")]
    pub as_one: bool,

    /// Write the packets behind each alert as a capture of their own, into `carved/`; reads the input twice.
    #[arg(long, help_heading = "Output")]
    pub carve: bool,

    /// Hash of the input for the manifest; `none` saves half a second per GB, and in a batch no report is kept.
    #[arg(long, value_name = "HASH", value_enum, default_value_t = Hash::Sha256, help_heading = "Output")]
    pub hash: Hash,

    /// Exit with code 4 if an alert is at least this severe.
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), help_heading = "Output")]
    pub fail_on: Option<Severity>,

    #[command(flatten)]
    pub settings: Settings,

    /// Run your own rules too: a directory of YAML files, or one. Can be given again.
    ///
    /// Their alerts have the type `rule:<id>`, which --only, --skip and the allow-list take as well.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath, help_heading = "What to look for")]
    pub rules: Vec<PathBuf>,

    /// Run only these detectors.
    #[arg(long, value_name = "DETECTOR", value_delimiter = ',', help_heading = "What to look for")]
    pub only: Vec<String>,

    /// Leave these detectors out.
    #[arg(long, value_name = "DETECTOR", value_delimiter = ',', help_heading = "What to look for")]
    pub skip: Vec<String>,

    /// Leave out packets before this moment: `2026-03-01T08:00:00Z`, `2026-03-01 08:00:00` (UTC),
    /// `2026-03-01`, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = "What to look for")]
    pub from: Option<Nanos>,

    /// Leave out packets at or after this moment; written as for --from.
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = "What to look for")]
    pub to: Option<Nanos>,

    /// Judge hosts by what this file knows of them, too, and tell which hosts and services it does not know.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "What to look for")]
    pub baseline: Option<PathBuf>,

    /// Save what these captures teach of each host; choose ordinary days. Adds to --baseline if both are given.
    /// In a batch no report is kept: every capture must be read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub save_baseline: Option<PathBuf>,

    #[command(flatten)]
    pub notification: Notification,

    /// Threads to work with [default: all cores].
    #[arg(short = 'j', long, value_name = "N", help_heading = "Resources")]
    pub threads: Option<NonZeroUsize>,

    /// Memory for the tables; short for `--set memory.max_mib=MIB`.
    #[arg(long, value_name = "MIB", help_heading = "Resources")]
    pub max_memory: Option<u64>,

    /// Packets decoded together. Results never depend on it.
    #[arg(long, value_name = "N", default_value = "65536", hide = true)]
    pub batch_rows: NonZeroUsize,

    #[command(flatten)]
    pub live: Live,
}

#[derive(Args, Debug)]
pub struct Judge {
    /// Directories of reports; every report at or below them is judged.
    #[arg(required = true, value_name = "REPORT", value_hint = ValueHint::DirPath)]
    pub reports: Vec<PathBuf>,

    /// Write the new reports here, one directory for each.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// What to write with -o.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        value_delimiter = ',',
        default_value = "csv,json,png,html,parquet",
        help_heading = "Output"
    )]
    pub format: Vec<Format>,

    /// Replace reports that exist already.
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Exit with code 4 if an alert is at least this severe.
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), help_heading = "Output")]
    pub fail_on: Option<Severity>,

    /// Configuration file instead of the report's own configuration, and changes of single settings.
    #[command(flatten)]
    pub settings: Settings,

    /// Run these rules instead of those that the report was made with. Can be given again.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath, help_heading = "What to look for")]
    pub rules: Vec<PathBuf>,

    /// Run only these detectors.
    #[arg(long, value_name = "DETECTOR", value_delimiter = ',', help_heading = "What to look for")]
    pub only: Vec<String>,

    /// Leave these detectors out.
    #[arg(long, value_name = "DETECTOR", value_delimiter = ',', help_heading = "What to look for")]
    pub skip: Vec<String>,

    /// Judge hosts by this baseline instead of the one that the report was made with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "What to look for")]
    pub baseline: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Compare {
    /// A report with its tables, or a capture, which is then analysed with the default settings.
    #[arg(value_name = "BEFORE", value_hint = ValueHint::AnyPath)]
    pub before: PathBuf,

    /// What to hold against it: a report or a capture.
    #[arg(value_name = "AFTER", value_hint = ValueHint::AnyPath)]
    pub after: PathBuf,

    /// Everything, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct InfoArgs {
    /// Capture files, directories (searched with all below them), or `-` for standard input.
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// For machines: a JSON object on a line for each capture.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Render {
    /// Directories of reports; every report at or below them is rendered.
    #[arg(required = true, value_name = "REPORT", value_hint = ValueHint::DirPath)]
    pub reports: Vec<PathBuf>,

    /// Write here, one directory for each report, and leave the reports as they are.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,

    /// What to write.
    #[arg(long, value_name = "FORMAT", value_enum, value_delimiter = ',', default_value = "csv,json,png,html,parquet")]
    pub format: Vec<Format>,

    /// Replace reports that exist already in DIR.
    #[arg(long, requires = "output")]
    pub force: bool,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What to look for")]
pub struct Settings {
    /// Configuration file (YAML); `nsm config` prints one with every setting.
    #[arg(short = 'C', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Change one setting, such as `scan.ports=30`; wins over the file. Can be given again.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Terminal")]
pub struct Terminal {
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more: the sentence of every alert.
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Colour in the terminal; `auto` honours `NO_COLOR`.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// What kinds of files a report is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Alerts, flows, hosts, protocols and timeline as tables.
    Csv,
    /// Alerts as JSON lines, and the summary.
    Json,
    /// Charts.
    Png,
    /// The whole report as one page for a browser.
    Html,
    /// The tables that the detectors judged.
    Parquet,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Csv, Self::Json, Self::Png, Self::Html, Self::Parquet];

    /// As `--format` takes it.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    Sha256,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// If the output is a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl Analyze {
    /// Who is told of alerts.
    ///
    /// # Errors
    /// As [`Notification::destinations`].
    pub fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let mut wanted = self.notification.destinations()?;
        wanted.extend(self.live.jsonl.then_some(Destination::Jsonl(Target::StandardOutput)));
        Ok(wanted)
    }

    /// The period to analyse: from the first moment up to and without the second.
    pub fn period(&self) -> Result<(Option<Nanos>, Option<Nanos>), Error> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => Err(Error::Usage("--from must be earlier than --to".to_owned())),
            period => Ok(period),
        }
    }
}

fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name)).try_map(|name| {
        Severity::ALL.into_iter().find(|severity| severity.name() == name).ok_or_else(|| format!("{name} is not a severity"))
    })
}

fn moment(text: &str) -> Result<Nanos, String> {
    time::parse(text).ok_or_else(|| "not a moment such as 2026-03-01T08:00:00Z, 2026-03-01 or 1772352000.5".to_owned())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, such as scan.ports=30")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn analyze(args: &[&str]) -> Result<Analyze, clap::Error> {
        match Cli::try_parse_from(["nsm", "analyze"].iter().chain(args))?.command {
            Command::Analyze(analyze) => Ok(*analyze),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_help() {
        let cli = Cli::command();
        for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some_and(|help| !help.to_string().is_empty()), "{} {}", command.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn defaults_are_those_the_readme_states() {
        let analyze = analyze(&["a.pcap"]).unwrap();
        assert_eq!(analyze.output, PathBuf::from("./reports"));
        assert_eq!(analyze.format, [Format::Csv, Format::Json, Format::Png, Format::Html, Format::Parquet]);
        assert_eq!((analyze.hash, analyze.batch_rows.get(), analyze.fail_on), (Hash::Sha256, 65_536, None));
    }

    #[test]
    fn lists_are_given_with_commas_or_again() {
        let analyze = analyze(&[
            "-",
            "--only",
            "port_scan,host_sweep",
            "--only=syn_flood",
            "--format",
            "json,csv",
            "--set",
            "scan.ports=30",
            "--set",
            "a = b=c",
        ])
        .unwrap();
        assert_eq!(analyze.only, ["port_scan", "host_sweep", "syn_flood"]);
        assert_eq!(analyze.format, [Format::Json, Format::Csv]);
        assert_eq!(analyze.settings.set, [("scan.ports".into(), "30".into()), ("a".into(), "b=c".into())]);
    }

    #[test]
    fn a_period_begins_before_it_ends() {
        let at = |from, to| analyze(&["a", "--from", from, "--to", to]).unwrap().period();
        assert_eq!(at("1970-01-01", "1970-01-02").unwrap(), (Some(0), Some(86_400 * time::SECOND)));
        assert!(at("1970-01-02", "1970-01-02").is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for args in [
            &[][..],
            &["a", "-j", "0"],
            &["a", "--from", "noon"],
            &["a", "--fail-on", "bad"],
            &["a", "--set", "scan.ports"],
            &["a", "-q", "-v"],
            &["a", "--format", "xml"],
        ] {
            assert!(analyze(args).is_err(), "{args:?}");
        }
        assert_eq!(analyze(&["a", "--fail-on", "high"]).unwrap().fail_on, Some(Severity::High));
    }
}
