//! All that was given, kept so that it can be taken once more: how there are tables while the monitor goes on.
//!
//! Holds at most [`MOST_BYTES`]; beyond that the oldest are left out, and counted. A store that can be copied
//! needs none of this.

use std::collections::VecDeque;

use super::intake::{Frame, Intake};
use super::{Connection, Timestamp};
use crate::config::Settings;
use crate::error::Error;
use crate::net::Addr;
use crate::table::Tables;

const MOST_BYTES: usize = 256 << 20;

#[derive(Debug)]
enum Given {
    Frame(Timestamp, u16, Box<[u8]>, u32),
    Connection(Box<Connection>),
}

impl Given {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Frame(_, _, data, _) => data.len(),
                Self::Connection(_) => size_of::<Connection>(),
            }
    }
}

#[derive(Debug, Default)]
pub(super) struct Replay {
    given: VecDeque<Given>,
    bytes: usize,
    left_out: u64,
}

impl Replay {
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.keep(Given::Frame(frame.at, frame.link_type, frame.bytes.into(), frame.on_wire));
    }

    pub fn connection(&mut self, connection: &Connection) {
        self.keep(Given::Connection(Box::new(connection.clone())));
    }

    fn keep(&mut self, given: Given) {
        self.bytes += given.bytes();
        self.given.push_back(given);
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.given.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.left_out += 1;
        }
    }

    pub fn tables(&self, settings: &Settings, host: Addr) -> Result<Tables, Error> {
        let mut intake = Intake::new(settings);
        for given in &self.given {
            match given {
                Given::Frame(at, link_type, bytes, on_wire) => {
                    intake.frame(&Frame { at: *at, link_type: *link_type, bytes, on_wire: *on_wire });
                }
                Given::Connection(connection) => intake.connection(connection, host),
            }
        }
        let (mut tables, _) = intake.finish()?;
        tables.thinned.extend((self.left_out > 0).then_some(("given".into(), self.left_out)));
        Ok(tables)
    }
}
