//! Conversations as real systems hold them, one protocol a file.
//!
//! Each function puts its frames into a scene and knows nothing of the story it is part of.

pub mod arp;
pub mod browsing;
pub mod dhcp;
pub mod dns;
pub mod flood;
pub mod ftp;
pub mod http;
pub mod icmp;
pub mod neighbours;
pub mod ntlm;
pub mod ntp;
pub mod pop3;
pub mod probe;
pub mod rdp;
pub mod smb;
pub mod smtp;
pub mod ssh;
pub mod svcctl;
pub mod tcp;
pub mod tls;
pub mod vrrp;
