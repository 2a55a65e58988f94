//! Every threshold, written once: name, type, default, unit, range, reason.
//!
//! From this one list come the typed fields the code reads, the defaults, the checks of a file and of
//! `--set`, and what `nsm config` prints. A setting that no code reads does not belong here.

use serde::Serialize;

use super::setting::{Field, Number, Section, Setting};

/// A literal as the [`Number`] of its field's type.
macro_rules! number {
    (f64, $value:literal) => {
        Number::Real($value)
    };
    ($whole:ident, $value:literal) => {
        Number::Whole($value)
    };
}

/// Turns the list below into a struct per section, [`Settings`] and [`SECTIONS`].
macro_rules! settings {
    ($(
        $section:ident: $Section:ident, shapes_tables = $shapes:literal, $about:literal {
            $( $name:ident: $kind:ident = $default:literal, $unit:literal, $min:literal..=$max:literal, $reason:literal; )+
        }
    )+) => {
        $(
            #[doc = $about]
            #[derive(Clone, Copy, Debug, PartialEq, Serialize)]
            pub struct $Section {
                $( #[doc = concat!($reason, " Unit: ", $unit, ".")] pub $name: $kind, )+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $name: $default, )+ }
                }
            }
        )+

        /// All settings, for one network or for all.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
        pub struct Settings {
            $( #[doc = $about] pub $section: $Section, )+
        }

        /// What there is to know about every setting, in the order of the file.
        pub const SECTIONS: &[Section] = &[$(
            Section {
                name: stringify!($section),
                about: $about,
                shapes_tables: $shapes,
                settings: &[$(
                    Setting {
                        path: concat!(stringify!($section), ".", stringify!($name)),
                        name: stringify!($name),
                        unit: $unit,
                        default: number!($kind, $default),
                        min: number!($kind, $min),
                        max: number!($kind, $max),
                        reason: $reason,
                    },
                )+],
            },
        )+];

        impl Settings {
            /// The value at `path` (`scan.ports`).
            #[must_use]
            pub fn get(&self, path: &str) -> Option<Number> {
                match path {
                    $($( concat!(stringify!($section), ".", stringify!($name)) => Some(self.$section.$name.into()), )+)+
                    _ => None,
                }
            }

            /// Takes a value that [`Setting::read`] has let through.
            pub(super) fn put(&mut self, path: &str, number: Number) {
                match path {
                    $($( concat!(stringify!($section), ".", stringify!($name)) => self.$section.$name.put(number), )+)+
                    _ => {}
                }
            }
        }
    };
}

settings! {
    flow: Flow, shapes_tables = true, "When a connection without a proper end is over." {
        tcp_idle_s: f64 = 300.0, "seconds", 1.0..=86_400.0,
            "An established TCP connection ends after this silence; Zeek's tcp_inactivity_timeout (5 min).";
        tcp_half_open_s: f64 = 30.0, "seconds", 1.0..=600.0,
            "A SYN counts as unanswered after this: with RFC 6298's first time-out of 1 s, doubled, it is sent at 0, 1, 3, 7 and 15 s, and again only at 31 s.";
        tcp_closed_s: f64 = 5.0, "seconds", 0.0..=240.0,
            "Late packets still belong to a closed TCP connection for this long; Zeek's tcp_close_delay.";
        udp_idle_s: f64 = 60.0, "seconds", 1.0..=86_400.0,
            "A UDP exchange ends after this silence; Zeek's udp_inactivity_timeout (1 min).";
        icmp_idle_s: f64 = 60.0, "seconds", 1.0..=86_400.0,
            "An ICMP exchange ends after this silence; Zeek's icmp_inactivity_timeout (1 min).";
        other_idle_s: f64 = 60.0, "seconds", 1.0..=86_400.0,
            "Any other exchange ends after this silence; as for UDP, since neither says when it is over.";
    }
    fold: Fold, shapes_tables = true, "How many one-sided connections are kept one by one before a flood is counted as a whole." {
        pairs_per_second: u32 = 64, "new address pairs per second of packet time, shard and target", 1..=65_536,
            "Beyond this, packets nobody answers are counted for the target alone, as a SYN cookie keeps no state before the handshake; 64 shards of 64 keep 4096 sources a second apart, which a server of 5000 connections a second with a round trip of 250 ms stays below.";
        pairs_per_source: u32 = 64, "new address pairs per second of packet time, shard and source", 1..=65_536,
            "The same for a source that sprays random targets; far above the 25 hosts of a sweep.";
        flows_per_pair: u32 = 4096, "new connections per second of packet time and address pair", 1..=1_048_576,
            "A flood between two hosts opens a connection per packet; a scan of all 65535 ports in 16 s still stays below.";
        claims_per_second: u32 = 4096, "ARP, ND and DHCP messages per second of packet time", 1..=1_048_576,
            "A storm of ARP must not grow the table of claims; a /20 swept in one second still fits.";
    }
    memory: Memory, shapes_tables = true, "How much memory the tables may take." {
        max_mib: u64 = 1024, "MiB", 64..=1_048_576,
            "Turned into rows per table at the start, so that a limit is met at the same frame on every machine; 1 GiB is at hand on any analyst's laptop.";
    }
    scan: Scan, shapes_tables = false, "Port scans, sweeps and their slow, stealthy and distributed forms." {
        ports: u32 = 15, "ports on one host", 2..=65_535,
            "Distinct ports that failed on one host; Zeek's Port_Scan.";
        hosts: u32 = 25, "hosts on one port", 2..=1_000_000,
            "Distinct hosts that failed on one port; Zeek's Address_Scan.";
        window_s: f64 = 300.0, "seconds", 1.0..=86_400.0,
            "The time in which a scan is counted; Zeek's scan epoch (5 min).";
        fail_ratio: f64 = 0.6, "share of first contacts", 0.0..=1.0,
            "At least this share of first contacts must fail: crawlers, monitors and mail servers mostly succeed, which is what the sequential test of Jung et al. (2004) rests on.";
        block_pairs: u32 = 50, "pairs of host and port", 4..=1_000_000,
            "Distinct failed pairs of a scan of many ports on many hosts; twice the 25 of simple-scan, since one busy client fails more widely than on one port.";
        block_hosts: u32 = 6, "hosts", 2..=1_000_000,
            "A block scan touches more than 5 hosts; simple-scan's Random_Scan.";
        block_ports: u32 = 6, "ports", 2..=65_535,
            "A block scan touches more than 5 ports; simple-scan's Random_Scan.";
        stealth_ports: u32 = 3, "pairs of host and port", 3..=65_535,
            "Pairs hit by NULL, XMAS or SYN+FIN segments, which no TCP stack sends (RFC 9293); three, so that one damaged packet is no scan.";
        fin_ports: u32 = 10, "ports", 1..=65_535,
            "Ports hit by a FIN without a connection; more than for NULL, as a capture that begins late shows such FINs of ordinary connections.";
        ack_ports: u32 = 10, "ports", 1..=65_535,
            "Ports where a bare ACK without a connection was answered by RST; as for FIN.";
        udp_refused_ports: u32 = 5, "ports", 1..=65_535,
            "Distinct UDP ports refused by ICMP port unreachable; Snort's port_scan, sensitivity low (5 rejects).";
        udp_unanswered_ports: u32 = 30, "ports", 2..=65_535,
            "Distinct UDP ports without an answer; twice the TCP count, as silence is common for UDP.";
        distributed_ports: u32 = 30, "ports on one host", 5..=65_535,
            "Distinct failed ports on one host, from many sources that each stay below scan.ports; Snort's decoy and distributed scans take 15 to 30.";
        distributed_sources: u32 = 10, "sources", 2..=1_000_000,
            "Sources that share a distributed scan; fewer would each reach scan.ports on their own soon enough.";
        slow_pairs_hour: u32 = 25, "pairs of host and port in an hour", 2..=1_000_000,
            "Distinct failed pairs of a scan too slow for scan.window_s; simple-scan's 25 for a remote scanner.";
        slow_pairs_day: u32 = 40, "pairs of host and port in 24 hours", 2..=1_000_000,
            "The same over a day; higher, as a day of ordinary work fails more often than an hour.";
        slow_gap_s: f64 = 10.0, "seconds", 0.0..=86_400.0,
            "The median time between two probes of a slow scan is at least this; Nmap's -T1 waits 15 s, -T0 5 min.";
        high_ports: u32 = 100, "ports on one host", 2..=65_535,
            "From here a port scan is of high severity: nobody tries 100 closed ports of a host by accident.";
        early_ports: u32 = 5, "ports on one host", 2..=65_535,
            "Ports of one host that failed while none answered, for an early word at low severity; Snort's port_scan, sensitivity low (5 rejects), and Slips (more than 5 ports).";
        early_window_s: f64 = 60.0, "seconds", 1.0..=3_600.0,
            "The time for scan.early_ports; Snort's window at sensitivity low.";
        udp_neighbours: f64 = 0.5, "share of targets", 0.0..=1.0,
            "A UDP sweep is one only if this share of its targets have a neighbour that was asked too: peers of a peer-to-peer network lie scattered, the targets of a sweep side by side.";
        named: f64 = 0.5, "share of hosts", 0.0..=1.0,
            "Hosts outside of which more than this share was given by DNS are no sweep: a closed way out (a hotel's portal, a network without Internet) refuses what programs look up, and who sweeps asks no names.";
        trw_failures: u32 = 4, "failed first contacts", 1..=1_000,
            "The least failures before the sequential test speaks: with the values below each one multiplies the odds by 4, and 4 x 4 x 4 x 4 = 256 is the first above 99.";
        trw_theta0: f64 = 0.8, "share", 0.51..=0.99,
            "How often a first contact of an honest host succeeds; Jung et al. (2004), scan-NG.";
        trw_theta1: f64 = 0.2, "share", 0.01..=0.49,
            "How often a first contact of a scanner succeeds; Jung et al. (2004), scan-NG.";
        trw_alpha: f64 = 0.01, "probability", 0.000_01..=0.2,
            "Accepted chance to call an honest host a scanner; Jung et al. (2004).";
        trw_beta: f64 = 0.01, "probability", 0.000_01..=0.2,
            "Accepted chance to miss a scanner, so that 0.99 are found; Jung et al. (2004).";
        nat_factor: u32 = 4, "times", 1..=100,
            "Counts must be this many times higher for a source behind which several hosts seem to sit; simple-scan takes 10 for all local sources.";
        asymmetric_factor: u32 = 4, "times", 1..=100,
            "Counts must be this many times higher where only one direction was captured, since silence then says nothing.";
    }
    discovery: Discovery, shapes_tables = false, "Who is there: sweeps below the transport layer." {
        icmp_hosts: u32 = 12, "hosts", 2..=1_000_000,
            "Hosts asked by ICMP echo, timestamp or mask request. Zeek and Slips take 25, but a small LAN has fewer addresses than that to sweep; the answered share keeps monitors out.";
        icmp_answered: f64 = 0.7, "share of hosts", 0.0..=1.0,
            "Below this share of answers it is a search; a monitor asks hosts that exist.";
        arp_targets: u32 = 30, "addresses", 2..=1_000_000,
            "Distinct addresses asked for by ARP; above Slips' 5 in 30 s, as a host that starts asks for its few peers too.";
        arp_window_s: f64 = 60.0, "seconds", 1.0..=3_600.0,
            "The time in which ARP and ND targets are counted; arp-scan and Nmap sweep a /24 within seconds.";
        arp_answered: f64 = 0.5, "share of addresses", 0.0..=1.0,
            "Below this share of answers it is a search; a gateway asks for addresses that mostly exist.";
        arp_runs: f64 = 0.5, "share of addresses", 0.0..=1.0,
            "This share of the addresses must lie in runs of eight or more consecutive ones: a gateway asks for whom the Internet wants, here and there, a sweep asks for all.";
        nd_targets: u32 = 30, "addresses", 2..=1_000_000,
            "Distinct addresses solicited by IPv6 neighbour discovery (RFC 4861); as for ARP.";
        protocols: u32 = 10, "IP protocols on one host", 2..=256,
            "Distinct IP protocol numbers sent to one host; two hosts speak hardly more than TCP, UDP, ICMP and a tunnel.";
        protocols_refused: u32 = 3, "IP protocols on one host", 1..=256,
            "Protocols refused by ICMP protocol unreachable; Snort's IP protocol scan, sensitivity high (3 rejects).";
    }
    flood: Flood, shapes_tables = false, "Floods, measured at the target per second." {
        syn_per_s: u32 = 256, "SYN per second", 20..=100_000_000,
            "SYNs to one target; ntopng's SYN flood victim.";
        syn_completed: f64 = 0.2, "share of SYNs", 0.0..=1.0,
            "At most this share of handshakes is completed; a rush of real visitors completes nearly all.";
        syn_seconds: u32 = 3, "seconds", 1..=3_600,
            "Seconds in a row above the rate, so that a page with many connections is no flood.";
        syn_min_packets: u32 = 200, "SYN", 1..=100_000_000,
            "A capture or burst shorter than flood.syn_seconds still counts with this many SYNs; just below what one second at flood.syn_per_s brings.";
        cusum_a: f64 = 0.35, "unfinished per finished handshake", 0.01..=100.0,
            "The drift a quiet site is granted per interval; Wang, Zhang and Shin (2002).";
        cusum_n: f64 = 1.05, "unfinished per finished handshake", 0.01..=1_000.0,
            "The sum at which a slow SYN flood is reported; Wang, Zhang and Shin (2002): three intervals at twice the drift.";
        cusum_interval_s: f64 = 20.0, "seconds", 1.0..=3_600.0,
            "The length of an interval; Wang, Zhang and Shin (2002).";
        cusum_floor_per_s: u32 = 20, "SYN per second", 20..=1_000_000,
            "Slower is no flood, whatever the sum; below the 37 SYN/s that Wang et al. found at a busy site.";
        tcp_per_s: u32 = 1_000, "packets per second", 200..=100_000_000,
            "ACK, FIN or RST segments without a connection; well above what a server restart leaves behind, near NEMEA's 900/s for SYNs.";
        tcp_stray: f64 = 0.8, "share of segments", 0.0..=1.0,
            "At least this share belongs to no connection; a busy server's segments belong to one.";
        udp_per_s: u32 = 2_000, "packets per second", 200..=100_000_000,
            "UDP packets to one target; below NEMEA's 1000000 in 5 min (3333/s), as the share of replies guards it.";
        udp_replies: f64 = 0.1, "replies per packet", 0.0..=1.0,
            "At most this share is answered; calls, games and QUIC answer much of what they get.";
        icmp_per_s: u32 = 256, "packets per second", 200..=100_000_000,
            "ICMP packets to one target; ntopng's ICMP flood.";
        fragments_per_s: u32 = 500, "fragments per second", 20..=100_000_000,
            "Fragments to one target; NFS over UDP can send as many, but completes its datagrams, which flood.fragments_incomplete asks for.";
        fragments_incomplete: f64 = 0.5, "share of datagrams", 0.0..=1.0,
            "At least this share is never completed, so that the target must hold the pieces until they time out (RFC 791: 15 s and more).";
        reflection_packets: u32 = 100, "packets", 1..=100_000_000,
            "Answers nobody asked for from services that amplify; the emerging-threats rules for memcached and CLDAP begin at 100 in 60 s.";
        reflection_bytes: u64 = 1_000_000, "bytes", 1..=1_000_000_000_000,
            "Such answers bring at least this much; less does no harm.";
        reflection_sources: u32 = 5, "sources", 1..=1_000_000,
            "From at least so many reflectors; one server with lost requests is no attack.";
        reflection_window_s: f64 = 60.0, "seconds", 1.0..=3_600.0,
            "The time in which reflected answers are counted; the emerging-threats rules' window.";
        broadcast_per_s: u32 = 50, "packets per second", 1..=100_000_000,
            "UDP to 255.255.255.255, kept up for three seconds: every host must look at each, and a LAN of hundreds of hosts brings a few per second.";
        join_gap_s: f64 = 60.0, "seconds", 1.0..=86_400.0,
            "Seconds of flood with a smaller gap are one alert; pulses of one attack come closer than a minute.";
        burst_packets: u32 = 400, "packets", 1..=100_000_000,
            "The least packets of any flood alert that is not about SYNs; fewer fill no queue.";
    }
    rate: Rate, shapes_tables = false, "Connection attempts of one source to one service." {
        attempts_per_s: u32 = 5, "attempts in any second", 1..=1_000_000,
            "More than this in a sliding second is listed; the rate at which people no longer click.";
        sustained_s: f64 = 5.0, "seconds", 1.0..=3_600.0,
            "Kept up this long it is worth a look; a browser opens its six parallel connections at once and stops.";
        attempts_10s: u32 = 50, "attempts in 10 seconds", 2..=10_000_000,
            "As much in 10 s as rate.attempts_per_s kept up all the time, however it is spread.";
        failed_ratio: f64 = 0.5, "share of attempts", 0.0..=1.0,
            "From this share of failures it is probably hostile; a working client mostly succeeds.";
    }
    ports: Ports, shapes_tables = false, "Connections to ports without a known service." {
        unusual_min_bytes: u64 = 1, "payload bytes each way", 0..=1_000_000_000,
            "Data must flow both ways; a knock at a closed port is a matter for the scan detectors.";
        max_clients: u32 = 2, "clients", 1..=1_000_000,
            "A service that more clients use is a service of this network and not unusual there.";
    }
    login: Login, shapes_tables = false, "Failed logins." {
        few: u32 = 5, "failed logins", 2..=1_000_000,
            "In a row, of one client at one server within login.window_s: worth a look; fail2ban bans a client after as many. Also the least users of spraying that is worth a look.";
        failures: u32 = 10, "failed logins", 2..=1_000_000,
            "From this many it is probably hostile, unless login.one_user or login.inferred applies; a person gives up or resets the password sooner.";
        one_user: u32 = 20, "failed logins", 2..=1_000_000,
            "The same where all are for one and the same known user: programs repeat a stored password that has changed; Zeek's threshold for FTP.";
        inferred: u32 = 20, "failed logins", 2..=1_000_000,
            "The same where failure is mostly inferred from sizes: an SSH client offers each of its keys first and is let try six times (OpenSSH's MaxAuthTries), so that three sessions of a person bring 18.";
        high: u32 = 30, "failed logins, or users", 2..=1_000_000,
            "From this many it is hostile; Zeek's threshold for guessing SSH passwords.";
        window_s: f64 = 600.0, "seconds", 10.0..=86_400.0,
            "How close together; fail2ban looks back as far.";
        retries_per_min: u32 = 6, "failed logins a minute", 1..=10_000,
            "A program that repeats a stale password for one user stays below one in ten seconds; such are no guesses.";
        slow: u32 = 30, "failed logins", 2..=1_000_000,
            "In a row over the whole capture, however far apart: guessing that stays below every rate.";
        sources: u32 = 10, "clients", 2..=1_000_000,
            "Clients that fail at one server within login.spread_s, together login.high times, before it is one distributed attack.";
        users: u32 = 10, "users", 2..=1_000_000,
            "Users that one client tries in vain within login.spread_s, few times each: spraying; people know their own name.";
        tries_per_user: f64 = 3.0, "failures per user", 1.0..=1_000.0,
            "At most this many for each user, on average: sprayers stay below the lockout threshold.";
        servers: u32 = 5, "servers", 2..=1_000_000,
            "Servers at which one client fails, in vain, within login.spread_s.";
        spread_s: f64 = 1_800.0, "seconds", 10.0..=86_400.0,
            "Window for spraying and for distributed guessing; Zeek counts SSH failures over as long.";
    }
    beacon: Beacon, shapes_tables = false, "Connections in a steady rhythm." {
        connections: u32 = 7, "calls", 4..=1_000_000,
            "Fewer have no rhythm: six intervals of which most agree are hard to come by. RITA begins at 4 in a day and calls many innocent.";
        least_s: f64 = 30.0, "seconds", 1.0..=31_536_000.0,
            "From the first to the last call at least; what is over sooner is a client that tries again and gives up.";
        chance: f64 = 0.000_001, "probability", 0.000_000_000_001..=0.05,
            "Highest chance that calls at random would look as regular; a large network has some ten thousand pairs to be wrong about.";
        score: f64 = 0.7, "score from 0 to 1", 0.1..=1.0,
            "From here it is worth a look; RITA's bucket `low`.";
        medium: f64 = 0.8, "score from 0 to 1", 0.1..=1.0,
            "From here, and where the port hides what it is for, it is probably hostile. Not by the rhythm alone: updates, telemetry and open web pages have one too.";
        monitored: u32 = 4, "destinations", 2..=1_000_000,
            "Destinations that one host calls at one port with one period: a monitor that looks after them.";
        long_s: f64 = 14_400.0, "seconds", 60.0..=31_536_000.0,
            "A single connection open as long is listed; RITA's second step.";
        very_long_s: f64 = 43_200.0, "seconds", 60.0..=31_536_000.0,
            "A single connection to an address outside, open as long and with data both ways, is worth a look; RITA's last step.";
    }
    dns: Dns, shapes_tables = false, "Names asked of DNS." {
        tunnel_names: u32 = 100, "distinct names below a domain", 5..=10_000_000,
            "By one client within an hour, as long, as strange or of such types as data; RITA's first step, in an hour instead of a day.";
        tunnel_burst: u32 = 30, "distinct names below a domain", 5..=10_000_000,
            "The same within a minute, where they are longer still; a short capture may show no more.";
        tunnel_few: u32 = 10, "distinct names below a domain", 3..=10_000_000,
            "As many are enough where names are data by type and length at once; 13883 ordinary pairs of client and domain had at most 12, and none of such types.";
        tunnel_polls: u32 = 30, "questions within an hour", 5..=10_000_000,
            "A client that asks one domain for data again and again, and is answered, may fetch commands.";
        name_bytes: f64 = 25.0, "bytes beside the domain", 4.0..=250.0,
            "Mean length from which names carry data rather than meaning; ordinary ones had 3 (99th percentile), the longest 19 where a client asked more than once.";
        entropy_bits: f64 = 3.8, "bits per character", 1.0..=8.0,
            "Mean entropy from which the characters of names are data; English words stay below 3.5.";
        data_share: f64 = 0.3, "share of questions", 0.05..=1.0,
            "For record types that carry data and that programs other than mail servers hardly ask for: NULL, TXT, CNAME, MX.";
        nonexistent: u32 = 10, "domains", 3..=1_000_000,
            "Distinct registered domains that do not exist, asked by one client within dns.window_s; Slips warns from as many.";
        nonexistent_share: f64 = 0.4, "share of answered domains", 0.05..=1.0,
            "A client that mostly finds what it asks for has typing errors, not an algorithm.";
        readable: f64 = 0.62, "share of letter pairs", 0.0..=1.0,
            "Names whose pairs can be pronounced less often were not made by people: popular domains have 0.80, random letters 0.48.";
        window_s: f64 = 600.0, "seconds", 10.0..=86_400.0,
            "How close together nonexistent domains count.";
    }
    icmp: Icmp, shapes_tables = false, "What echo requests and replies carry." {
        echoes: u32 = 20, "packets with unlike payload", 2..=1_000_000,
            "Fewer may be tests of the path MTU.";
        unlike: f64 = 0.3, "share of replies", 0.01..=1.0,
            "A host returns what it was sent; a share this large is no damage on the way.";
        contents: u32 = 4, "contents beyond one per length", 1..=1_000_000,
            "Long echoes that differ behind their time stamp; a ping program fills its payload the same way each time.";
        lengths: u32 = 8, "payload lengths", 2..=65_535,
            "Long echoes of so many lengths follow what they carry; a search for the path MTU has about as many, but all alike inside.";
        entropy_bits: f64 = 6.0, "bits per byte", 1.0..=8.0,
            "Payload of the usual ping programs is a counted alphabet (below 5); encrypted data has more than 7.";
    }
    exfiltration: Exfiltration, shapes_tables = false, "Data leaving the network." {
        bytes: u64 = 100_000_000, "bytes", 1_000..=1_000_000_000_000,
            "Sent to one destination outside in one hour, far more than came back; Slips' threshold for one flow.";
        ratio: f64 = 0.8, "(out - in) / (out + in)", 0.0..=1.0,
            "Producer-consumer ratio: -1 only receives, 1 only sends.";
        clients: u32 = 2, "hosts", 1..=1_000_000,
            "A destination that more hosts of the network use is a service of theirs.";
        unusual_bytes: u64 = 10_000_000, "bytes", 1_000..=1_000_000_000_000,
            "The same where it is far beyond what the host sends out in its other hours; less is an ordinary upload.";
        z: f64 = 3.5, "robust standard deviations", 1.0..=100.0,
            "How far beyond; the limit that Iglewicz and Hoaglin give for outliers.";
    }
    lateral: Lateral, shapes_tables = false, "Administration of other hosts." {
        hosts: u32 = 5, "hosts", 2..=1_000_000,
            "Hosts that one host begins to administer within lateral.window_s.";
        window_s: f64 = 600.0, "seconds", 10.0..=86_400.0,
            "How close together; BZAR relates file and execution over as long.";
        chain_s: f64 = 3_600.0, "seconds", 10.0..=604_800.0,
            "Time within which a host that was entered enters the next one.";
    }
    arp: Arp, shapes_tables = false, "Who owns which address." {
        flips: u32 = 2, "changes of owner", 1..=100_000,
            "A failover changes the owner once; two that fight for an address change it again and again.";
        window_s: f64 = 300.0, "seconds", 10.0..=86_400.0,
            "Within which two owners of one address contradict each other.";
        unasked: u32 = 5, "unasked replies in a minute", 2..=100_000,
            "For an address whose other owner is alive.";
    }
    dhcp: Dhcp, shapes_tables = false, "Who gives out addresses." {
        clients: u32 = 50, "hardware addresses in a minute", 5..=1_000_000,
            "New clients asking for a lease; a lecture hall that wakes up stays below.";
        contest_s: f64 = 10.0, "seconds", 1.0..=86_400.0,
            "Two servers that offer to the same client within this time answered the same question, and share a network; a laptop that moves to another network takes longer.";
    }
    http: Http, shapes_tables = false, "Requests to web servers." {
        requests_per_s: u32 = 100, "requests per second", 5..=10_000_000,
            "Toward one server, kept up for http.sustained_s, mostly the same request.";
        requests_per_client: u32 = 20, "requests per second", 2..=10_000_000,
            "By one client, kept up as long; a browser loads a page and stops.";
        sustained_s: f64 = 10.0, "seconds", 1.0..=3_600.0,
            "Shorter bursts are page loads.";
        same_share: f64 = 0.8, "share of requests", 0.1..=1.0,
            "Share of the most frequent request; users differ, floods repeat themselves.";
        held: u32 = 50, "connections", 5..=1_000_000,
            "Connections of one client whose request never ends.";
        held_s: f64 = 30.0, "seconds", 1.0..=86_400.0,
            "Open as long without a complete request; Apache's mod_reqtimeout hangs up after 20 to 40.";
    }
    anomaly: Anomaly, shapes_tables = false, "Traffic that departs from its own past." {
        z: f64 = 6.0, "robust standard deviations", 2.0..=100.0,
            "Distance from the median in scaled median absolute deviations; traffic has heavy tails, so that the usual 3 would be crossed all day.";
        min_buckets: u32 = 30, "buckets of time", 5..=100_000,
            "The least past to compare with; a median of fewer moves with each value.";
        entropy_z: f64 = 6.0, "robust standard deviations", 2.0..=100.0,
            "The same for the entropy of addresses and ports (Lakhina, Crovella and Diot 2005).";
        peers_z: f64 = 3.5, "robust standard deviations", 0.0..=100.0,
            "Distance of a host from all hosts, where it has at least four peers; what others do all the time is nothing to report. The limit of Iglewicz and Hoaglin.";
        isolated: f64 = 0.3, "share of half-space trees", 0.0..=1.0,
            "Trees that must find next to no minute like this one; one unusual value among fifteen does not get that far.";
    }
    alert: Alert, shapes_tables = false, "How findings become alerts." {
        join_gap_s: f64 = 900.0, "seconds", 1.0..=604_800.0,
            "Findings of one kind between the same hosts with a smaller gap are one alert; simple-scan forgets a scanner 15 min after its last probe.";
        incident_gap_s: f64 = 14_400.0, "seconds", 1.0..=31_536_000.0,
            "Alerts of one attacker with a smaller gap are one incident: a working half-day, in which an intruder goes from one step to the next.";
    }
    live: Live, shapes_tables = false, "How a capture that goes on is judged meanwhile, and told." {
        look_every_s: f64 = 0.25, "seconds", 0.02..=60.0,
            "Alerts are told within a second of the packet that makes them: frames wait 0.2 s at most to be taken, and a look takes time itself.";
        look_share: f64 = 0.25, "share of the time", 0.01..=1.0,
            "Part of the time that looking may take; the rest belongs to the packets.";
        look_contacts: u32 = 100_000, "contacts, the latest", 1_000..=100_000_000,
            "What a look looks back at: some 0.1 s of work, and many times what a small network does in an hour. The whole period is judged when its report is made.";
        patience_s: f64 = 0.4, "seconds", 0.0..=60.0,
            "A connection younger than this may yet be answered, and counts for nothing; most round trips take less than 0.3 s.";
        lead_in_s: f64 = 900.0, "seconds", 0.0..=86_400.0,
            "What a period knows of the one before it, at most a quarter of that: three of the windows in which scans are counted.";
        full: f64 = 0.75, "share of the tables' room", 0.1..=1.0,
            "From here on a report is made at once and another period begins, so that nothing has to be left out.";
        log_max_mib: u32 = 100, "MiB", 1..=1_048_576,
            "Size of security_monitor.log at which it is put aside (as security_monitor.log.1) and begun anew.";
    }
    outlet: Outlet, shapes_tables = false, "How alerts are sent elsewhere." {
        queue: u32 = 10_000, "alerts waiting for one outlet", 1..=1_000_000,
            "A report tells all its alerts at once, and seldom has more than some hundred; ten times what an action of rsyslog queues. What comes when it is full is dropped and counted.";
        timeout_s: f64 = 10.0, "seconds", 0.1..=600.0,
            "A receiver has this long to take one alert; GitHub gives the receivers of its webhooks as long.";
        retries: u32 = 3, "further tries of one alert", 0..=100,
            "For a receiver that cannot be reached or is busy; with outlet.backoff_s 7 s in all, in which a service restarts.";
        backoff_s: f64 = 1.0, "seconds", 0.01..=600.0,
            "Before the first further try, and twice as long before each one after it: 1, 2 and 4 s, as the receiver may be down because of the load.";
        command_s: f64 = 60.0, "seconds", 0.1..=86_400.0,
            "The command of --on-alert is killed after this; fail2ban gives its actions as long.";
        patience_s: f64 = 10.0, "seconds", 0.0..=86_400.0,
            "At the end of a run, for what still waits: more than the 7 s of the tries above, far less than the 90 s after which systemd kills a service that should stop.";
    }
    carve: Carve, shapes_tables = false, "How much of the packets behind the alerts --carve writes." {
        max_packets: u32 = 10_000, "packets of one alert", 1..=1_000_000_000,
            "What a person looks through with Wireshark in one piece; of a flood, every packet is like the first.";
        max_mib: u32 = 16, "MiB of one alert", 1..=1_048_576,
            "10 000 full Ethernet frames; the files of all alerts stay below 1.6 GiB.";
        max_alerts: u32 = 100, "alerts, the worst", 1..=1_000,
            "As many files as are open at the same time; most systems allow 1024.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Setting> {
        SECTIONS.iter().flat_map(|section| section.settings)
    }

    #[test]
    fn every_default_is_within_its_range_and_every_path_reads_back() {
        let defaults = Settings::default();
        for setting in all() {
            assert_eq!(defaults.get(setting.path), Some(setting.default), "{}", setting.path);
            assert!(setting.min <= setting.default && setting.default <= setting.max, "{}", setting.path);
        }
    }

    #[test]
    fn both_ends_of_every_range_fit_the_field() {
        for setting in all() {
            for end in [setting.min, setting.max] {
                let mut settings = Settings::default();
                settings.put(setting.path, end);
                assert_eq!(settings.get(setting.path), Some(end), "{}", setting.path);
            }
        }
    }

    #[test]
    fn durations_are_in_seconds_and_every_setting_says_why() {
        for setting in all() {
            let duration = setting.name.ends_with("_s") && !setting.name.ends_with("per_s");
            assert_eq!(duration, setting.unit == "seconds" && matches!(setting.default, Number::Real(_)), "{}", setting.path);
            assert!(setting.reason.ends_with('.') && setting.reason.len() > 20, "{}", setting.path);
        }
    }

    #[test]
    fn only_what_fills_the_tables_is_marked_so() {
        let marked: Vec<_> = SECTIONS.iter().filter(|section| section.shapes_tables).map(|section| section.name).collect();
        assert_eq!(marked, ["flow", "fold", "memory"]);
    }

    #[test]
    fn values_the_requirements_and_reference_systems_name() {
        let settings = Settings::default();
        assert_eq!((settings.scan.ports, settings.scan.hosts, settings.scan.window_s), (15, 25, 300.0));
        assert_eq!((settings.flood.syn_per_s, settings.flood.icmp_per_s), (256, 256));
        assert_eq!(settings.rate.attempts_per_s, 5);
    }
}
