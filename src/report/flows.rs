//! `flows.csv`: every connection as it ends, streamed to the file.
//!
//! Written row by row while the capture is read, so that memory does not grow with the capture.

use std::io::{self, Write};

use super::escape;
use crate::community_id::community_id;
use crate::decode::Kind;
use crate::net::{Addr, ip_proto, mix, mix_addr};
use crate::pseudonym;
use crate::table::{Ended, Flow, Labels};
use crate::time::{self, Nanos, SECOND};

/// Columns, in order. `*_payload_bytes` count TCP, UDP or ICMP payload with retransmissions,
/// `*_ip_bytes` whole IP packets; `direction` is `certain` where the opening packet was seen.
pub const COLUMNS: &str = "uid,first_seen,last_seen,duration_s,originator,originator_port,responder,responder_port,protocol,vlan,\
conn_state,history,outcome,direction,orig_packets,orig_payload_bytes,orig_ip_bytes,resp_packets,resp_payload_bytes,resp_ip_bytes,\
retransmitted,icmp_errors,first_frame,last_frame,community_id,service,server_name,ja4";

pub struct FlowsCsv<W> {
    writer: W,
    row: Vec<u8>,
    /// For the beginnings and for the ends of connections, each of which come nearly in order.
    clocks: [Clock; 2],
}

impl<W: Write> FlowsCsv<W> {
    /// # Errors
    /// When the header cannot be written.
    pub fn new(mut writer: W) -> io::Result<Self> {
        writeln!(writer, "{COLUMNS}")?;
        Ok(Self { writer, row: Vec::with_capacity(512), clocks: Default::default() })
    }

    /// # Errors
    /// When the rows cannot be written.
    pub fn write(&mut self, ended: &[Ended]) -> io::Result<()> {
        for Ended { flow, labels, .. } in ended {
            self.row.clear();
            append(&mut self.row, &mut self.clocks, flow)?;
            append_service(&mut self.row, flow, labels.as_deref())?;
            self.writer.write_all(&self.row)?;
        }
        Ok(())
    }

    pub fn into_inner(self) -> W {
        self.writer
    }
}

fn append(row: &mut Vec<u8>, [began, ended]: &mut [Clock; 2], flow: &Flow) -> io::Result<()> {
    let (source, target) = (flow.originator(), flow.responder());
    let (source_port, target_port) = (flow.originator_port(), flow.responder_port());
    let duration = (flow.last_ts - flow.first_ts).max(0);
    write!(row, "C{:016x},", uid(flow))?;
    began.append(row, flow.first_ts)?;
    row.push(b',');
    ended.append(row, flow.last_ts)?;
    write!(row, ",{}.{:09},{source},{source_port},{target},{target_port},", duration / SECOND, duration % SECOND)?;
    row.extend_from_slice(ip_proto::name(flow.key.proto).as_bytes());
    write!(
        row,
        ",{},{},{},{},{}",
        flow.key.vlan,
        flow.state().name(),
        flow.history(),
        flow.outcome().name(),
        if flow.direction_certain { "certain" } else { "guessed" }
    )?;
    let (orig, resp) = (&flow.orig, &flow.resp);
    for number in [
        orig.packets,
        orig.payload_bytes,
        orig.ip_bytes,
        resp.packets,
        resp.payload_bytes,
        resp.ip_bytes,
        u64::from(orig.retransmitted + resp.retransmitted),
        u64::from(flow.icmp_errors),
        flow.first_ordinal,
        flow.last_ordinal,
    ] {
        row.push(b',');
        row.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
    row.push(b',');
    row.extend_from_slice(flow_community_id(flow, source, target).as_bytes());
    Ok(())
}

fn append_service(row: &mut Vec<u8>, flow: &Flow, labels: Option<&Labels>) -> io::Result<()> {
    write!(row, ",{},", flow.service.name())?;
    if let Some(Labels { server_name, ja4, .. }) = labels {
        let name = pseudonym::name(server_name);
        let name = escape::cell(&name);
        if name.contains([',', '"', '\n', '\r']) {
            write!(row, "\"{}\"", name.replace('"', "\"\""))?;
        } else {
            row.extend_from_slice(name.as_bytes());
        }
        write!(row, ",{ja4}")?;
    } else {
        row.push(b',');
    }
    row.push(b'\n');
    Ok(())
}

/// The community ID of a connection; an ICMP one is keyed by its request's type, whose code is 0.
pub fn flow_community_id(flow: &Flow, source: Addr, target: Addr) -> String {
    let (source_port, target_port) = match flow.key.kind {
        Kind::Icmp => (flow.originator_port(), 0),
        _ => (flow.originator_port(), flow.responder_port()),
    };
    community_id(source, target, source_port, target_port, flow.key.proto)
}

/// The same for the same connection in every run that writes the same addresses: from its key and first frame.
pub fn uid(flow: &Flow) -> u64 {
    let key = &flow.key;
    let ports = u64::from(key.low_port) << 32 | u64::from(key.high_port) << 16 | u64::from(key.proto);
    mix(mix(mix_addr(key.low.shown()), mix_addr(key.high.shown())), mix(ports, flow.first_ordinal))
}

/// Writes times as RFC 3339 and formats a second only once: rows that follow one another share it.
#[derive(Default)]
struct Clock {
    second: Option<i64>,
    text: String,
}

impl Clock {
    fn append(&mut self, row: &mut Vec<u8>, ts: Nanos) -> io::Result<()> {
        let second = ts.div_euclid(SECOND);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = time::rfc3339(second.saturating_mul(SECOND));
            self.text.truncate("2024-01-01T00:00:00.".len());
        }
        row.extend_from_slice(self.text.as_bytes());
        write!(row, "{:09}Z", ts.rem_euclid(SECOND))
    }
}
