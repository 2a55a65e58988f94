//! draft
pub mod capture;
pub mod decode;
pub mod table;
pub mod detect;
pub mod report;
pub mod analysis;
pub mod pipeline;
pub mod commands;
pub mod cli;
pub mod config;
pub mod community_id;
pub mod error;
pub mod net;
pub mod stats;
pub mod time;
pub mod warning;
