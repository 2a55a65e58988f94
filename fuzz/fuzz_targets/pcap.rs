//! The reader of pcap files: nothing panics, and a capture is the same in whatever pieces it comes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use nsm_fuzz::reading;

const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

fuzz_target!(|data: &[u8]| -> Corpus {
    if data.starts_with(&PCAPNG) || reading::is_compressed(data) {
        return Corpus::Reject;
    }
    reading::check_plain(data);
    Corpus::Keep
});
