//! What a host did in one minute, as fifteen whole numbers.
//!
//! Reads contacts and names, one row once. Values are counts or shares; a *level* is a value on a scale of at
//! most 255 steps, where counts take eight steps for a doubling: as fine as a median needs, few enough to be
//! counted, and whole, so that what is learned adds up the same in any order. Does not know what is unusual.

use hashbrown::{HashMap, HashSet};

use super::alert::FrameSpan;
use super::names::NAME_ERROR;
use super::rows::{i64s, u8s, u16s, u32s, u64s};
use super::wording::grouped;
use crate::error::Error;
use crate::net::ip_proto;
use crate::table::{Address, QUESTION, Tables, schema as col};
use crate::time::Nanos;

pub(super) const COUNT: usize = 15;
pub(super) type Values = [u64; COUNT];
pub(super) type Levels = [u8; COUNT];

/// What kind of thing a feature says; features of one kind rise together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Whom the host turned to, and how often.
    Reach,
    /// How much went to and fro.
    Volume,
    /// Who turned to the host.
    Asked,
    /// What its traffic consists of, whatever its amount.
    Mixture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Eight levels for each doubling of one more than the count.
    Doublings,
    /// Percent.
    Share,
    /// 100 times the ratio, plus 100.
    Ratio,
}

#[derive(Debug)]
pub(super) struct Feature {
    pub name: &'static str,
    pub unit: &'static str,
    pub family: Family,
    scale: Scale,
    /// A lower value harms nobody, however unusual; none where the feature alone says nothing.
    least: Option<u64>,
    /// The highest level that the half-space trees tell apart.
    pub top: u8,
}

const fn count(name: &'static str, unit: &'static str, family: Family, least: Option<u64>, doublings: u8) -> Feature {
    // 32 doublings are all levels that there are: one less is counted, and then filled up.
    Feature { name, unit, family, scale: Scale::Doublings, least, top: (doublings - 1) * DOUBLING + (DOUBLING - 1) }
}

const fn share(name: &'static str, unit: &'static str) -> Feature {
    Feature { name, unit, family: Family::Mixture, scale: Scale::Share, least: Some(50), top: 100 }
}

const UDP: &str = "UDP";
/// The place of the packets among the features.
const PACKETS: usize = 7;

/// In the order of [`Values`]. A saved baseline lists the names.
pub(super) const FEATURES: [Feature; COUNT] = [
    count("connections opened", "connections", Family::Reach, Some(30), 16),
    count("hosts contacted", "hosts", Family::Reach, Some(20), 16),
    count("ports contacted", "ports", Family::Reach, Some(15), 16),
    count("hosts contacted for the first time", "hosts", Family::Reach, Some(20), 16),
    count("DNS questions", "questions", Family::Reach, Some(60), 16),
    count("bytes sent", "bytes", Family::Volume, Some(1_000_000), 32),
    count("bytes received", "bytes", Family::Volume, Some(1_000_000), 32),
    count("packets", "packets", Family::Volume, Some(1_000), 20),
    count("mean payload", "bytes per packet", Family::Volume, None, 14),
    count("connections received", "connections", Family::Asked, Some(60), 16),
    count("hosts received from", "hosts", Family::Asked, Some(20), 16),
    share("failed connections", "% of attempts"),
    share("nonexistent names", "% of DNS answers"),
    share(UDP, "% of connections opened"),
    Feature {
        name: "producer-consumer ratio",
        unit: "hundredths",
        family: Family::Mixture,
        scale: Scale::Ratio,
        least: Some(120),
        top: 200,
    },
];

/// Levels for a doubling.
const DOUBLING: u8 = 8;
/// A share of fewer things says nothing, and counts as none.
const LEAST_SHARED: u64 = 10;
/// Of fewer bytes it says nothing who sends more.
const LEAST_BYTES: u64 = 100_000;
/// Minutes in which a host shows whom it knows; only later can it meet somebody for the first time.
const ACQUAINTED: u32 = 10;

impl Feature {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 255 by min")]
    fn level(&self, value: u64) -> u8 {
        match self.scale {
            Scale::Doublings => ((value as f64 + 1.0).log2() * f64::from(DOUBLING)).round().min(f64::from(u8::MAX)) as u8,
            Scale::Share | Scale::Ratio => u8::try_from(value).unwrap_or(u8::MAX),
        }
    }

    /// The value that a level stands for, to within a twentieth.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^32")]
    pub(super) fn value(&self, level: f64) -> u64 {
        match self.scale {
            Scale::Doublings => ((level / f64::from(DOUBLING)).exp2() - 1.0).round() as u64,
            Scale::Share | Scale::Ratio => level.round() as u64,
        }
    }

    /// The least spread: half a doubling, ten percent, a ratio of 0.2; so that steady traffic does not make
    /// every ripple extreme.
    pub(super) const fn least_scale(&self) -> f64 {
        match self.scale {
            Scale::Doublings => DOUBLING as f64 / 2.0,
            Scale::Share => 10.0,
            Scale::Ratio => 20.0,
        }
    }

    /// The level of the least value that harms anybody.
    pub(super) fn least_level(&self) -> Option<u8> {
        self.least.map(|least| self.level(least))
    }

    /// Where only one direction was captured every connection seems to fail, and the host only to send.
    pub(super) fn is_blind_one_way(&self) -> bool {
        self.family == Family::Mixture && self.name != UDP
    }

    /// A value as a number of an alert.
    pub(super) fn number(&self, value: u64) -> f64 {
        if self.scale == Scale::Ratio { value as f64 - 100.0 } else { value as f64 }
    }

    /// `412 hosts contacted (usually 3)`.
    pub(super) fn told(&self, value: u64, usual: u64) -> String {
        let name = self.name;
        match self.scale {
            Scale::Doublings if self.unit == "bytes per packet" => {
                format!("{name} {} {} (usually {})", grouped(value), self.unit, grouped(usual))
            }
            Scale::Doublings => format!("{} {name} (usually {})", grouped(value), grouped(usual)),
            Scale::Share => format!("{name} {value} {} (usually {usual} %)", self.unit),
            Scale::Ratio => format!("{name} {:.2} (usually {:.2})", self.number(value) / 100.0, self.number(usual) / 100.0),
        }
    }
}

/// What began in one minute and concerned one host, as source or as target.
#[derive(Clone, Debug)]
pub(super) struct HostMinute {
    pub host: Address,
    pub minute: Nanos,
    pub first: Nanos,
    pub last: Nanos,
    pub frames: FrameSpan,
    pub connections: u64,
    pub values: Values,
}

impl HostMinute {
    pub(super) const fn packets(&self) -> u64 {
        self.values[PACKETS]
    }

    pub(super) fn levels(&self) -> Levels {
        let mut levels = [0; COUNT];
        for ((level, feature), value) in levels.iter_mut().zip(&FEATURES).zip(self.values) {
            *level = feature.level(value);
        }
        levels
    }
}

/// In how many minutes each address had connections that began then.
pub(super) fn active_minutes(tables: &Tables) -> Result<Vec<u32>, Error> {
    let contacts = &tables.contacts;
    let (minutes, sources, targets) = (i64s(contacts, col::MINUTE)?, u32s(contacts, col::SOURCE)?, u32s(contacts, col::TARGET)?);
    let mut active = vec![(Nanos::MIN, 0_u32); tables.addresses.len()];
    for row in in_order(minutes, sources, targets) {
        for host in [sources[row], targets[row]] {
            if let Some((latest, number)) = active.get_mut(host as usize)
                && *latest != minutes[row]
            {
                (*latest, *number) = (minutes[row], *number + 1);
            }
        }
    }
    Ok(active.into_iter().map(|(_, number)| number).collect())
}

/// The rows by minute, source and target; mostly the order they have.
fn in_order(minutes: &[i64], sources: &[u32], targets: &[u32]) -> Vec<usize> {
    let key = |row: &usize| (minutes[*row], sources[*row], targets[*row]);
    let mut rows: Vec<usize> = (0..minutes.len()).collect();
    if !rows.is_sorted_by_key(key) {
        rows.sort_by_key(key);
    }
    rows
}

/// What the chosen hosts did, by minute and host.
pub(super) fn host_minutes(tables: &Tables, chosen: &[bool]) -> Result<Vec<HostMinute>, Error> {
    let contacts = &tables.contacts;
    let (minutes, sources, targets) = (i64s(contacts, col::MINUTE)?, u32s(contacts, col::SOURCE)?, u32s(contacts, col::TARGET)?);
    let rows = Rows {
        targets,
        ports: u16s(contacts, col::PORT)?,
        protos: u8s(contacts, col::PROTO)?,
        connections: u32s(contacts, col::CONNECTIONS)?,
        attempts: u32s(contacts, col::ATTEMPTS)?,
        failed: [u32s(contacts, col::UNANSWERED)?, u32s(contacts, col::REFUSED)?, u32s(contacts, col::HALF_OPEN)?],
        packets: u64s(contacts, col::PACKETS)?,
        out: u64s(contacts, col::BYTES_OUT)?,
        back: u64s(contacts, col::BYTES_BACK)?,
        times: [i64s(contacts, col::FIRST_TS)?, i64s(contacts, col::LAST_TS)?],
        ordinals: [u64s(contacts, col::FIRST_ORD)?, u64s(contacts, col::LAST_ORD)?],
    };
    let mut gathered = Gathered::new(chosen, named(tables, chosen)?);
    let order = in_order(minutes, sources, targets);
    for of_minute in order.chunk_by(|a, b| minutes[*a] == minutes[*b]) {
        for of_source in of_minute.chunk_by(|a, b| sources[*a] == sources[*b]) {
            if let Some(first) = of_source.first() {
                gathered.take(&rows, sources[*first], of_source);
            }
        }
        if let Some(first) = of_minute.first() {
            gathered.close(minutes[*first]);
        }
    }
    Ok(gathered.minutes)
}

#[derive(Clone, Copy, Debug, Default)]
struct Names {
    questions: u64,
    answers: u64,
    nonexistent: u64,
}

type Asked = HashMap<(Nanos, Address), Names, foldhash::fast::FixedState>;

/// What each host asked of DNS.
fn named(tables: &Tables, chosen: &[bool]) -> Result<Asked, Error> {
    let names = &tables.facts.names;
    let (minutes, clients) = (i64s(names, col::MINUTE)?, u32s(names, col::CLIENT)?);
    let (results, messages) = (u8s(names, col::RESULT)?, u64s(names, col::MESSAGES)?);
    let mut asked = Asked::default();
    for row in (0..names.height()).filter(|row| is(chosen, clients[*row])) {
        let sums = asked.entry((minutes[row], clients[row])).or_default();
        match results[row] {
            QUESTION => sums.questions += messages[row],
            result => {
                sums.answers += messages[row];
                sums.nonexistent += if result == NAME_ERROR { messages[row] } else { 0 };
            }
        }
    }
    Ok(asked)
}

fn is(chosen: &[bool], host: Address) -> bool {
    chosen.get(host as usize).copied().unwrap_or_default()
}

struct Rows<'a> {
    targets: &'a [Address],
    ports: &'a [u16],
    protos: &'a [u8],
    connections: &'a [u32],
    attempts: &'a [u32],
    failed: [&'a [u32]; 3],
    packets: &'a [u64],
    out: &'a [u64],
    back: &'a [u64],
    times: [&'a [Nanos]; 2],
    ordinals: [&'a [u64]; 2],
}

#[derive(Clone, Debug)]
struct Sums {
    host: Address,
    first: Nanos,
    last: Nanos,
    frames: FrameSpan,
    opened: u64,
    udp: u64,
    attempts: u64,
    failed: u64,
    received: u64,
    targets: u64,
    ports: u64,
    met: u64,
    sources: u64,
    packets: u64,
    sent: u64,
    got: u64,
}

impl Sums {
    const fn of(host: Address) -> Self {
        Self {
            host,
            first: Nanos::MAX,
            last: Nanos::MIN,
            frames: FrameSpan { first: u64::MAX, last: 0 },
            opened: 0,
            udp: 0,
            attempts: 0,
            failed: 0,
            received: 0,
            targets: 0,
            ports: 0,
            met: 0,
            sources: 0,
            packets: 0,
            sent: 0,
            got: 0,
        }
    }

    fn row(&mut self, rows: &Rows<'_>, row: usize, sent: u64, got: u64) {
        self.first = self.first.min(rows.times[0][row]);
        self.last = self.last.max(rows.times[1][row]);
        self.frames.first = self.frames.first.min(rows.ordinals[0][row]);
        self.frames.last = self.frames.last.max(rows.ordinals[1][row]);
        self.packets += rows.packets[row];
        self.sent += sent;
        self.got += got;
    }

    fn opened(&mut self, rows: &Rows<'_>, row: usize) {
        let connections = u64::from(rows.connections[row]);
        self.row(rows, row, rows.out[row], rows.back[row]);
        self.opened += connections;
        self.udp += if rows.protos[row] == ip_proto::UDP { connections } else { 0 };
        self.attempts += u64::from(rows.attempts[row]);
        self.failed += rows.failed.iter().map(|failed| u64::from(failed[row])).sum::<u64>();
    }

    fn received(&mut self, rows: &Rows<'_>, row: usize) {
        self.row(rows, row, rows.back[row], rows.out[row]);
        self.received += u64::from(rows.connections[row]);
    }

    fn values(&self, names: Names, acquainted: bool) -> Values {
        let all = self.sent.saturating_add(self.got);
        // (sent - got) / all, from -1 to 1, as 0 to 200.
        let ratio = if all < LEAST_BYTES { 100 } else { percent(self.sent, all, 0) * 2 };
        [
            self.opened,
            self.targets,
            self.ports,
            if acquainted { self.met } else { 0 },
            names.questions,
            self.sent,
            self.got,
            self.packets,
            all.checked_div(self.packets).unwrap_or_default(),
            self.received,
            self.sources,
            percent(self.failed, self.attempts, LEAST_SHARED),
            percent(names.nonexistent, names.answers, LEAST_SHARED),
            percent(self.udp, self.opened, LEAST_SHARED),
            ratio,
        ]
    }
}

fn percent(part: u64, whole: u64, least: u64) -> u64 {
    if whole < least { 0 } else { part.saturating_mul(100).checked_div(whole).unwrap_or_default().min(100) }
}

/// The minute that is being read, and the minutes before.
struct Gathered<'a> {
    chosen: &'a [bool],
    asked: Asked,
    /// By address: its place in `current`, if it has one.
    places: Vec<Option<u32>>,
    current: Vec<Sums>,
    /// By address: its minutes so far.
    active: Vec<u32>,
    known: HashSet<(Address, Address), foldhash::fast::FixedState>,
    ports: Vec<u16>,
    minutes: Vec<HostMinute>,
}

impl<'a> Gathered<'a> {
    fn new(chosen: &'a [bool], asked: Asked) -> Self {
        Self {
            chosen,
            asked,
            places: vec![None; chosen.len()],
            current: Vec::new(),
            active: vec![0; chosen.len()],
            known: HashSet::default(),
            ports: Vec::new(),
            minutes: Vec::new(),
        }
    }

    fn sums(&mut self, host: Address) -> Option<&mut Sums> {
        if !is(self.chosen, host) {
            return None;
        }
        let place = self.places.get_mut(host as usize)?;
        let place = *place.get_or_insert_with(|| {
            self.current.push(Sums::of(host));
            u32::try_from(self.current.len() - 1).unwrap_or(u32::MAX)
        });
        self.current.get_mut(place as usize)
    }

    /// What one source did in the minute; its rows come by target.
    fn take(&mut self, rows: &Rows<'_>, source: Address, of_source: &[usize]) {
        let (mut targets, mut met) = (0, 0);
        for of_target in of_source.chunk_by(|a, b| rows.targets[*a] == rows.targets[*b]) {
            let Some(target) = of_target.first().map(|row| rows.targets[*row]) else { continue };
            targets += 1;
            if is(self.chosen, source) {
                met += u64::from(self.known.insert((source, target)));
            }
            if let Some(sums) = self.sums(target) {
                sums.sources += 1;
                of_target.iter().for_each(|row| sums.received(rows, *row));
            }
        }
        if !is(self.chosen, source) {
            return;
        }
        self.ports.clear();
        self.ports.extend(of_source.iter().map(|row| rows.ports[*row]));
        self.ports.sort_unstable();
        self.ports.dedup();
        let ports = self.ports.len() as u64;
        if let Some(sums) = self.sums(source) {
            (sums.targets, sums.ports, sums.met) = (targets, ports, met);
            of_source.iter().for_each(|row| sums.opened(rows, *row));
        }
    }

    fn close(&mut self, minute: Nanos) {
        self.current.sort_unstable_by_key(|sums| sums.host);
        for sums in self.current.drain(..) {
            let host = sums.host as usize;
            let (Some(place), Some(active)) = (self.places.get_mut(host), self.active.get_mut(host)) else { continue };
            *place = None;
            *active += 1;
            let names = self.asked.get(&(minute, sums.host)).copied().unwrap_or_default();
            self.minutes.push(HostMinute {
                host: sums.host,
                minute,
                first: sums.first,
                last: sums.last,
                frames: sums.frames,
                connections: sums.opened + sums.received,
                values: sums.values(names, *active > ACQUAINTED),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::detect::testing::Capture;

    fn value(values: &Values, name: &str) -> u64 {
        values[FEATURES.iter().position(|feature| feature.name == name).unwrap()]
    }

    fn minutes(capture: &Capture, reversed: bool) -> Vec<HostMinute> {
        let mut tables = capture.tables(&Config::default());
        if reversed {
            tables.contacts = tables.contacts.reverse();
            tables.contacts.rechunk_mut();
        }
        host_minutes(&tables, &vec![true; tables.addresses.len()]).unwrap()
    }

    fn two_minutes() -> Capture {
        let mut capture = Capture::default();
        for n in 0..3 {
            capture.at_ms(i64::from(n) * 1_000).conversation(5, 20_000 + n, 9 + u32::from(n) % 2, 80);
        }
        for n in 0..20_u16 {
            capture.at_ms(60_000 + i64::from(n) * 100).syn_from(5, 30_000 + n, 9, 1_000 + n);
        }
        capture
    }

    #[test]
    fn a_minute_is_what_its_rows_say() {
        let found = minutes(&two_minutes(), false);
        // Two minutes of 5 and 9, one of 10.
        assert_eq!(found.len(), 5);
        let busy = found.iter().find(|minute| minute.minute > Capture::START && value(&minute.values, "connections opened") > 0).unwrap();
        let of = |name| value(&busy.values, name);
        assert_eq!([of("connections opened"), of("hosts contacted"), of("ports contacted"), of("failed connections")], [20, 1, 20, 100]);
        let quiet = found.iter().find(|minute| minute.host == busy.host && minute.minute == Capture::START).unwrap();
        let of = |name| value(&quiet.values, name);
        // Three conversations of five packets, 100 bytes each way; three attempts are too few for a share.
        assert_eq!([of("connections opened"), of("hosts contacted"), of("bytes sent"), of("packets")], [3, 2, 300, 15]);
        assert_eq!([of("failed connections"), of("producer-consumer ratio"), of("mean payload")], [0, 100, 40]);
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let (one, other) = (minutes(&two_minutes(), false), minutes(&two_minutes(), true));
        let text = |minutes: &[HostMinute]| format!("{minutes:?}");
        assert_eq!(text(&one), text(&other));
    }

    #[test]
    fn levels_take_eight_steps_for_a_doubling_and_read_back() {
        let feature = &FEATURES[0];
        // log2(1 + 1) = 1 and log2(1 + 255) = 8.
        assert_eq!([feature.level(0), feature.level(1), feature.level(255)], [0, 8, 64]);
        assert_eq!([feature.value(8.0), feature.value(64.0)], [1, 255]);
        let ratio = &FEATURES[COUNT - 1];
        assert_eq!((ratio.level(200), ratio.number(200), ratio.number(0)), (200, 100.0, -100.0));
    }

    #[test]
    fn every_feature_reads_as_a_sentence() {
        assert_eq!(FEATURES[1].told(1_412, 3), "1,412 hosts contacted (usually 3)");
        assert_eq!(FEATURES[11].told(97, 2), "failed connections 97 % of attempts (usually 2 %)");
        assert_eq!(FEATURES[14].told(190, 40), "producer-consumer ratio 0.90 (usually -0.60)");
    }
}
