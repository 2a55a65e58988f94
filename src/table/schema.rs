//! Names of the columns of every table. The only place where a column name is written.
//!
//! Addresses are numbers in the frames (`u32`, the rank in [`super::Tables::addresses`], which is
//! sorted): grouping 300 000 rows by such a number takes a tenth of the time of grouping by 16 bytes.
//! Stored tables carry the address itself.

/// Version of the stored tables' schema; raised when a column changes its meaning or goes.
pub const VERSION: u32 = 1;

pub const MINUTE: &str = "minute";
pub const TS: &str = "ts";
pub const SOURCE: &str = "source";
pub const TARGET: &str = "target";
pub const PORT: &str = "port";
pub const PROTO: &str = "proto";
pub const FIRST_TS: &str = "first_ts";
pub const LAST_TS: &str = "last_ts";
pub const FIRST_ORD: &str = "first_ord";
pub const LAST_ORD: &str = "last_ord";
pub const CONNECTIONS: &str = "connections";
pub const ATTEMPTS: &str = "attempts";
pub const UNANSWERED: &str = "unanswered";
pub const REFUSED: &str = "refused";
pub const HALF_OPEN: &str = "half_open";
pub const EMPTY: &str = "empty";
pub const DATA: &str = "data";
pub const FIRST_OUTCOME: &str = "first_outcome";
pub const TECHNIQUES: &str = "techniques";
pub const PACKETS: &str = "packets";
pub const BYTES_OUT: &str = "bytes_out";
pub const BYTES_BACK: &str = "bytes_back";
pub const SOURCE_PORT: &str = "source_port";
pub const SAME_SOURCE_PORT: &str = "same_source_port";
pub const FINGERPRINTS: &str = "fingerprints";
pub const PEAK_1S: &str = "peak_1s";
pub const PEAK_10S: &str = "peak_10s";
pub const BUSY_SECONDS: &str = "busy_seconds";
pub const BUSY: &str = "busy";
pub const SOURCES: &str = "sources";
pub const REFLECTORS: &str = "reflectors";
pub const REFLECTED_PORT: &str = "reflected_port";
pub const TARGET_PORT: &str = "target_port";
pub const TTLS: &str = "ttls";
pub const HOSTS: &str = "hosts";
pub const PORTS: &str = "ports";
pub const VLAN: &str = "vlan";
pub const KIND: &str = "kind";
pub const MAC: &str = "mac";
pub const FRAME_SRC: &str = "frame_src";
pub const COUNT: &str = "count";
