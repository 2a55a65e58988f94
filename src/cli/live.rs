//! Flags of a capture on an interface.

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
#[command(next_help_heading = "Live capture")]
pub struct Live {
    /// Analyse what comes on this interface, until interrupted; `-` follows a capture on standard input.
    #[arg(long, value_name = "INTERFACE", conflicts_with = "paths")]
    pub live: Option<String>,

    /// Begin a new report each hour or day (UTC, packet time). One is begun earlier where the tables are full.
    #[arg(long, value_name = "PERIOD", value_enum, default_value_t = Rotate::Hour)]
    pub rotate: Rotate,
}

/// How long a period of a live capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rotate {
    Hour,
    Day,
    None,
}
