//! nsm reads packet captures and says what went wrong on the network, with the numbers that prove it.
//!
//! # The way of the data
//!
//! ```text
//! capture ──Block──▶ decode ──PacketBatch──▶ table ──Tables──▶ detect ──Alert──▶ report
//!  file · stdin ·     lax: as far as the      flows, contacts,  pure functions    csv json html
//!  live · memory      bytes go, reason kept   victims, claims   tables → alerts   png parquet log
//! ```
//!
//! **Measure once, judge many times.** Packets are turned into a few small tables; detectors are pure
//! functions from tables to alerts and never see a packet.
//!
//! - [`capture`] yields frames, many to a [`capture::Block`] that owns their bytes as they were read.
//!   Only this module knows one source from another. It stamps every frame with elapsed time that never
//!   runs backwards ([`capture::Clock`]), which all time-outs use.
//! - [`decode`] turns frames into rows. A row points into the block, so that payload can be seen; a
//!   frame that cannot be read further keeps what was read, and the reason is counted.
//! - [`decode::app`] reads what applications say: known by content, given in order by the shard that
//!   follows the connection, and only as far as a dialogue still has something to tell. It reports facts
//!   (a login failed, a name was asked for); no fact holds a password.
//! - [`table`] aggregates rows natively in a fixed number of virtual shards that Rayon workers process,
//!   and emits Polars frames when they are complete. State decides the cost of a flood, so a shard admits
//!   only so many connections nobody answers per second; what is not admitted is counted in the totals of
//!   its target or source.
//! - [`detect`] judges the tables: Polars for what is aggregation, plain folds over sorted rows where
//!   order matters. Alerts that another explains give way to it (`detect::precedence`), crowds of equal
//!   ones become one (`detect::crowds`), and those of one attacker are one incident (`detect::incidents`).
//! - [`rules`] are a user's own detectors: SQL over the same tables, in YAML files.
//! - [`report`] turns the result model into files. It never computes a detection.
//! - [`stored`] keeps what was measured as files and reads it back, so that another verdict (`nsm judge`), the
//!   same files (`nsm report`) or a comparison need no packet.
//! - [`carve`] takes the frames of the input once more and writes those behind each alert, on request.
//!
//! - [`watch`] knows which alerts of two verdicts are the same event, and when to look, while a capture goes on.
//! - [`outlet`] tells alerts to others: syslog, a webhook, files in the formats of Suricata and Elastic, a command.
//! - [`monitor`] is the library for programs that know of connections and not of packets.
//!
//! [`pipeline`] is the only loop of the analysis and knows the first three stages, [`analysis`] the last two; `commands`
//! put both behind the command line. `error`, `warning`, `time`, `net`, `stats`, `config`, `digest`, `panics` and
//! `community_id` are leaves; so is [`pseudonym`], which `net` asks for what an address is called.
//!
//! # A capture that goes on
//!
//! The same stages, and the same verdict at the end of each period; only what happens meanwhile is added. The thread
//! that measures takes a copy of what is recent ([`table::Store::since`]) some times a second; another thread ends all
//! that is open in the copy, judges it as it would a finished capture, and tells what is new. So there is no second way
//! to detect anything, and looking changes nothing. A period ends with the hour, when somebody asks, or when the tables
//! are three quarters full ([`table::Store::turn`]): the next one keeps open connections and the last minutes, so that
//! nothing is missed that crosses the turn, and what was over is told only once ([`pipeline::Measured::begins`]).
//! Nobody waits for anybody: the reader for the one that measures only as long as the kernel's buffer holds, the one
//! that measures for no judge, no disk and no receiver of alerts. The wall clock says when to look and what silence
//! means (a connection that has no answer after `live.patience_s` counts as unanswered); it never moves packet time.
//!
//! # What always holds
//!
//! 1. *Packet time.* The wall clock is read once, for "analysed at" in the manifest; results of a capture that is over do
//!    not depend on it.
//! 2. *Same input, same bytes*, for any batch size and any number of threads. State is sums, minima,
//!    maxima, bits and sets, and where it depends on order (majority votes, the first starts of a contact,
//!    the fastest second) on that of the frames within a shard; shards take their rows in frame order; batches end where a second of elapsed
//!    time ends, and between two seconds connections that timed out are collected and the room that is
//!    left in the tables is shared out anew.
//! 3. *Every frame in exactly one counter* ([`decode::Accounting`]).
//! 4. *Bounded memory.* Row limits bite at the same frame on every machine and are said in the report.
//!    Contacts, panes of busy targets and folds are held whole until they are judged: memory is flat under
//!    a flood, and grows up to the limit with the contacts of ordinary traffic, a row for each pair, port and
//!    minute. Beside the tables stand an eighth of the limit for conversations that are being followed, and
//!    fixed parts: batches, budgets of the flood guard, the timeline.
//! 5. *Nothing is lost to a damaged file*: what is before the damage, and after it where the format
//!    allows, is analysed; a record that the end of the file cuts is a frame.
//! 6. *Attempts, not packets.* What failed, answered or half-open means is decided in one place,
//!    [`table::flow`].
//! 7. *Captured strings are hostile* and escaped before anyone reads them.
//! 8. *Explained or it did not happen*: every alert carries what was measured, against which threshold.
//! 9. *Where a manifest is, the report is whole.* It is written last, and gives way before the first file of a
//!    report changes; a batch that was killed resumes by it, after checking every file against it, and the manifest
//!    against the user's seal (`report::Seal`): a report that came with the captures is not believed.
//! 10. *Nothing written says what must not be said*: with [`pseudonym`]s, which replace text where it is made and nothing before.
//!
//! # Decisions that a measurement made
//!
//! - Rows stay whole while they travel and become columns only as aggregates: a shard picks its rows out
//!   of a batch by index, and 128 bytes in one place cost two cache lines where twenty columns cost twenty.
//! - Packet headers of pcap and pcapng records are read by hand, 0.11 s for 10 million records where
//!   `pcap-parser`'s record parser takes 0.15 s and its enhanced-packet parser 0.35 s instead of 0.17 s;
//!   tests hold the two against each other. `pcap-parser` reads all other headers and blocks.
//! - The common headers are decoded by hand, 0.12 s for 10 million frames where the general path through
//!   `etherparse` takes 0.8 s; tests hold the two against each other. Of `etherparse` only the checked
//!   header slices are used: its lax extension iterator reads out of bounds on cut chains.
//! - A contact is a row per minute, with its rates kept inside, and not a row per second: no detector
//!   reads its seconds, and M's table is a third of the size.
//! - Contacts are given up as their columns grow (`table::gather`), in pages large enough that the allocator
//!   returns them; what only several connections can have is kept apart; connections open at the end time
//!   out second by second. Nine million packets in 900 000 conversations: 400 MB instead of 498.
//! - Which machine carried which address is one table of hosts and not one per shard of pairs: 0.86 of the
//!   processor's time on M, where nearly every look-up had missed the cache.
//! - Addresses in the frames are ranks in one sorted list: grouping by four bytes instead of sixteen.
//!   Stored tables carry the addresses.
//! - The start and size of each connection are kept inside its contact's minute (`table::series`), so that
//!   rhythm needs no table of its own.
//! - Hash tables are seeded anew in every run, so that no capture can be shaped to collide in them; only the
//!   choice of a shard and the sketches use a fixed hash. One folded multiply is even enough for a shard.
//! - In a batch, a small capture stays on one thread, Rayon and Polars included, and as many as there are
//!   threads are worked on at once: of 100 packets, handing the work around cost 360 waits and wake-ups.
//! - Decoding one batch while the one before is aggregated was tried and was slower by 5 to 10 % on two
//!   cores: they share a cache, and the reader already fills the gaps.
//! - The allocator of the program is mimalloc: glibc's keeps what many threads have scattered over its arenas, and an hour
//!   of live capture grew from 0.7 to 1.0 GB where it stays between 0.3 and 0.6 now (`benches/live.md`). Offline it is as
//!   fast; it takes 12 to 50 MB more under a flood, and less of large captures (M three times as long: 330 MB instead of 430).
//! - An alert's id is a hash of its type and of where the event begins, and not of its hosts and ports: these grow while it
//!   goes on, and who was told of it must know it again.
//! - Single seconds of a target are kept from 200 packets (20 SYNs, fragments, unasked answers): keeping
//!   them from 20 packets doubled the table on ordinary traffic and served no detector. No rate can be set
//!   below what is kept.

#![cfg_attr(
    test,
    allow(clippy::float_cmp, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests compare exact values")
)]

pub mod capture;
pub mod decode;
pub mod table;

pub mod detect;
pub mod rules;

pub mod report;

pub mod outlet;

pub mod carve;
pub mod pcapng;
pub mod ring;

pub mod analysis;
pub mod monitor;
pub mod pipeline;
pub mod stored;
pub mod watch;

pub mod cli;
pub mod commands;

pub mod community_id;
pub mod config;
pub mod confine;
pub mod digest;
pub mod error;
pub mod net;
pub mod panics;
pub mod pseudonym;
pub mod stats;
pub mod time;
pub mod warning;
