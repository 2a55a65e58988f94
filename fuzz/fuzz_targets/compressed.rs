//! Compressed captures: no panic, no memory beyond the limit of the run, whatever the stream says of itself.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use nsm_fuzz::reading;

fuzz_target!(|data: &[u8]| -> Corpus {
    if !reading::is_compressed(data) {
        return Corpus::Reject;
    }
    reading::whole(data);
    Corpus::Keep
});
