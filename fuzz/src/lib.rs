//! What the fuzz targets share: reading bytes as a capture, taking an input apart; and the front of the package.
//!
//! Reading and decoding know nothing of tables, so they are compiled here once more from the package's own sources,
//! without Polars: most targets build in a minute, and the fuzzer watches no branches but theirs. The targets that need
//! the tables (`analyze`, `outlets`, `rules`) use the package itself, with the feature `whole`.

#[cfg(feature = "whole")]
pub mod alone;
pub mod links;
pub mod reading;
pub mod turns;

macro_rules! of_the_package {
    ($($path:literal $module:ident)+) => {
        $(
            #[path = $path]
            #[allow(dead_code, unexpected_cfgs, unused_imports, clippy::all, reason = "compiled and checked in the package; here only a part is used")]
            pub mod $module;
        )+
    };
}

of_the_package! {
    "../../src/capture/mod.rs" capture
    "../../src/config/mod.rs" config
    "../../src/decode/mod.rs" decode
    "../../src/digest.rs" digest
    "../../src/error.rs" error
    "../../src/net.rs" net
    "../../src/pseudonym/mod.rs" pseudonym
    "../../src/table/streams.rs" streams
    "../../src/time.rs" time
    "../../src/warning.rs" warning
}
