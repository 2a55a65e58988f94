//! draft
pub mod analysis;
pub mod capture;
pub mod cli;
pub mod commands;
pub mod community_id;
pub mod config;
pub mod decode;
pub mod detect;
pub mod error;
pub mod net;
pub mod pipeline;
pub mod report;
pub mod stats;
pub mod table;
pub mod time;
pub mod warning;
