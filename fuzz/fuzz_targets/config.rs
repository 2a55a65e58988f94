//! The configuration: a file, and one value as `--set` gives it (the first line, after `!`).

#![no_main]

use libfuzzer_sys::fuzz_target;
use nsm_fuzz::config::Config;
use nsm_fuzz::net::Addr;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (set, text) = match text.strip_prefix('!') {
        Some(rest) => rest.split_once('\n').map_or((Some(rest), ""), |(set, text)| (Some(set), text)),
        None => (None, text),
    };
    let Ok(mut config) = Config::from_yaml(text) else { return };
    if let Some((key, value)) = set.and_then(|set| set.split_once('=')) {
        let before = config.clone();
        if config.set(key, value).is_err() {
            assert_eq!(config, before, "a value that is refused changes nothing");
        }
    }
    let written = config.to_yaml();
    let read = Config::from_yaml(&written).unwrap_or_else(|problem| panic!("{problem} in what was written:\n{written}"));
    assert_eq!(read, config, "as written:\n{written}");
    config.for_host(Addr::from_v4(0x0a00_0001));
    config.allowed("port_scan", &[Addr::from_v4(0x0a00_0001)], &[]);
    config.deciding().unwrap();
});
