//! Attempts to log in as detectors go through them: rows of the logins table in time order.

use std::ops::{AddAssign, SubAssign};

use super::alert::FrameSpan;
use super::context::Context;
use super::rows::{i64s, texts, times, u16s, u32s, u64s};
use crate::decode::app::Service;
use crate::error::Error;
use crate::table::{Address, schema as col};
use crate::time::Nanos;

/// Failures by how they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub certain: u64,
    pub inferred: u64,
    /// The server hung up before it asked.
    pub dropped: u64,
}

impl Tally {
    pub const fn total(self) -> u64 {
        self.guesses() + self.dropped
    }

    /// Failures that tell of a wrong password; a crowded server drops the innocent too.
    pub const fn guesses(self) -> u64 {
        self.certain + self.inferred
    }

    /// The server itself said less than half of it.
    pub const fn is_inferred(self) -> bool {
        self.inferred + self.dropped > self.certain
    }

    /// One of so many even parts, rounded up.
    pub const fn part(self, of: u64) -> Self {
        Self { certain: self.certain.div_ceil(of), inferred: self.inferred.div_ceil(of), dropped: self.dropped.div_ceil(of) }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.certain += other.certain;
        self.inferred += other.inferred;
        self.dropped += other.dropped;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.certain -= other.certain;
        self.inferred -= other.inferred;
        self.dropped -= other.dropped;
    }
}

/// One minute of one client trying to be one user at one server.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub minute: Nanos,
    pub client: Address,
    pub server: Address,
    pub port: u16,
    pub service: Service,
    /// Empty where the protocol hides it.
    pub user: String,
    pub failures: Tally,
    pub succeeded: u64,
    /// First and last failure or drop, first and last success.
    pub failed_at: Option<(Nanos, Nanos)>,
    pub succeeded_at: Option<(Nanos, Nanos)>,
    pub frames: FrameSpan,
}

impl Row {
    pub fn start(&self) -> Nanos {
        self.failed_at.into_iter().chain(self.succeeded_at).map(|(first, _)| first).min().unwrap_or(self.minute)
    }
}

/// All rows in the order of time; the order is total.
pub(super) fn read(context: &Context<'_>) -> Result<Vec<Row>, Error> {
    let table = &context.tables.facts.logins;
    let (minutes, ports) = (i64s(table, col::MINUTE)?, u16s(table, col::PORT)?);
    let (clients, servers) = (u32s(table, col::CLIENT)?, u32s(table, col::SERVER)?);
    let (services, users) = (texts(table, col::SERVICE)?, texts(table, col::USER)?);
    let (certain, inferred, dropped) = (u64s(table, col::FAILED)?, u64s(table, col::FAILED_INFERRED)?, u64s(table, col::DROPPED)?);
    let (succeeded, succeeded_inferred) = (u64s(table, col::SUCCEEDED)?, u64s(table, col::SUCCEEDED_INFERRED)?);
    let (first_ord, last_ord) = (u64s(table, col::FIRST_ORD)?, u64s(table, col::LAST_ORD)?);
    let (first_failure, last_failure) = (times(table, col::FIRST_FAILURE)?, times(table, col::LAST_FAILURE)?);
    let (first_success, last_success) = (times(table, col::FIRST_SUCCESS)?, times(table, col::LAST_SUCCESS)?);
    let mut rows: Vec<Row> = (0..table.height())
        .map(|row| Row {
            minute: minutes[row],
            client: clients[row],
            server: servers[row],
            port: ports[row],
            service: named(services.get(row).unwrap_or_default()),
            user: users.get(row).unwrap_or_default().to_owned(),
            failures: Tally { certain: certain[row], inferred: inferred[row], dropped: dropped[row] },
            succeeded: succeeded[row] + succeeded_inferred[row],
            failed_at: first_failure.get(row).zip(last_failure.get(row)),
            succeeded_at: first_success.get(row).zip(last_success.get(row)),
            frames: FrameSpan { first: first_ord[row], last: last_ord[row] },
        })
        .collect();
    // The table is sorted by its key, and sorting is stable.
    rows.sort_by_key(|row| (row.start(), row.frames.first));
    Ok(rows)
}

fn named(name: &str) -> Service {
    Service::ALL.into_iter().find(|service| service.name() == name).unwrap_or_default()
}

/// A service as people write it.
pub(super) const fn spoken(service: Service) -> &'static str {
    match service {
        Service::Unknown => "an unknown service",
        Service::Dns => "DNS",
        Service::Dhcp => "DHCP",
        Service::Ftp => "FTP",
        Service::Http => "HTTP",
        Service::Imap => "IMAP",
        Service::Kerberos => "Kerberos",
        Service::Ldap => "LDAP",
        Service::Pop3 => "POP3",
        Service::Rdp => "RDP",
        Service::Smb => "SMB",
        Service::Smtp => "SMTP",
        Service::Ssh => "SSH",
        Service::Telnet => "Telnet",
        Service::Tls => "TLS",
    }
}
