//! `flows.parquet`: every connection, written while they end.

use std::io::{self, Write};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use super::FLOWS;
use super::frames::{columns, options};
use crate::error::Error;
use crate::net::Addr;
use crate::report::flows::{flow_community_id, uid};
use crate::table::{Ended, Flow, internal, schema as col};

/// Connections to a row group, and held until it is written: some 10 MiB.
const GROUP: usize = 16_384;

/// Writes connections to a file that is Parquet when finished.
pub struct FlowsParquet<W: Write> {
    writer: BatchedWriter<W>,
    waiting: Vec<Ended>,
}

impl<W: Write> FlowsParquet<W> {
    /// # Errors
    /// When the head cannot be written.
    pub fn new(writer: W) -> Result<Self, Error> {
        let schema = frame(&[])?.schema().clone();
        Ok(Self { writer: options(FLOWS, writer).batched(&schema).map_err(internal)?, waiting: Vec::new() })
    }

    /// Takes connections that have ended, in the order of their end.
    pub fn write(&mut self, ended: &[Ended]) -> io::Result<()> {
        self.waiting.extend_from_slice(ended);
        if self.waiting.len() >= GROUP { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, and the foot of the file.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_group()?;
        }
        self.writer.finish().map(|_| ()).map_err(io::Error::other)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let group = frame(&self.waiting).map_err(io::Error::other)?;
        self.waiting.clear();
        self.writer.write_batch(&group).map_err(io::Error::other)
    }
}

pub fn frame(ended: &[Ended]) -> Result<DataFrame, Error> {
    let mut all = vec![
        texts(col::UID, ended, |flow| format!("C{:016x}", uid(flow))),
        numbers(col::FIRST_TS, ended, |flow| flow.first_ts),
        numbers(col::LAST_TS, ended, |flow| flow.last_ts),
        numbers(col::DURATION, ended, |flow| (flow.last_ts - flow.first_ts).max(0)),
    ];
    let originators: Vec<Addr> = ended.iter().map(|ended| ended.flow.originator()).collect();
    let responders: Vec<Addr> = ended.iter().map(|ended| ended.flow.responder()).collect();
    all.extend(columns(col::SOURCE, &originators));
    all.push(numbers(col::SOURCE_PORT, ended, Flow::originator_port));
    all.extend(columns(col::TARGET, &responders));
    all.extend([
        numbers(col::PORT, ended, Flow::responder_port),
        numbers(col::PROTO, ended, |flow| flow.key.proto),
        numbers(col::VLAN, ended, |flow| flow.key.vlan),
        texts(col::CONN_STATE, ended, |flow| flow.state().name().to_owned()),
        texts(col::HISTORY, ended, Flow::history),
        texts(col::OUTCOME, ended, |flow| flow.outcome().name().to_owned()),
        numbers(col::DIRECTION_CERTAIN, ended, |flow| u8::from(flow.direction_certain)),
        texts(col::SERVICE, ended, |flow| flow.service.name().to_owned()),
        labels(col::SERVER_NAME, ended, |labels| labels.server_name.clone()),
        labels(col::JA4, ended, |labels| labels.ja4.clone()),
        numbers(col::PACKETS, ended, |flow| flow.orig.packets + flow.resp.packets),
        numbers(col::PACKETS_BACK, ended, |flow| flow.resp.packets),
        numbers(col::BYTES_OUT, ended, |flow| flow.orig.payload_bytes),
        numbers(col::BYTES_BACK, ended, |flow| flow.resp.payload_bytes),
        numbers(col::IP_BYTES_OUT, ended, |flow| flow.orig.ip_bytes),
        numbers(col::IP_BYTES_BACK, ended, |flow| flow.resp.ip_bytes),
        numbers(col::RETRANSMITTED, ended, |flow| flow.orig.retransmitted + flow.resp.retransmitted),
        numbers(col::ICMP_ERRORS, ended, |flow| u64::from(flow.icmp_errors)),
        numbers(col::FIRST_ORD, ended, |flow| flow.first_ordinal),
        numbers(col::LAST_ORD, ended, |flow| flow.last_ordinal),
        texts(col::COMMUNITY_ID, ended, |flow| flow_community_id(flow, flow.originator(), flow.responder())),
    ]);
    DataFrame::new(ended.len(), all).map_err(internal)
}

fn numbers<T>(name: &str, ended: &[Ended], value: impl Fn(&Flow) -> T) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Column::new(name.into(), ended.iter().map(|ended| value(&ended.flow)).collect::<Vec<T>>())
}

fn texts(name: &str, ended: &[Ended], value: impl Fn(&Flow) -> String) -> Column {
    Column::new(name.into(), ended.iter().map(|ended| value(&ended.flow)).collect::<Vec<String>>())
}

fn labels(name: &str, ended: &[Ended], value: impl Fn(&crate::table::Labels) -> String) -> Column {
    let labels = ended.iter().map(|ended| ended.labels.as_deref().map(&value).unwrap_or_default());
    Column::new(name.into(), labels.collect::<Vec<String>>())
}
