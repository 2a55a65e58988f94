//! What the command line says of receivers: URLs, syslog servers, commands. What is shown of a URL holds no secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network_security_monitor::outlet::{CommandLine, Receiver, Url};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(url) = Url::parse(text) {
        let shown = url.to_string();
        assert_eq!(format!("{url:?}").trim_matches('"'), shown, "in whatever way it is shown");
        let place = shown.split_once("://").map_or("", |(_, rest)| rest);
        let place = place.strip_suffix("/...").unwrap_or(place);
        assert!(!place.contains(['/', '?', '#', '@', '\\']) && !place.chars().any(char::is_control), "{shown:?}");
    }
    if let Ok(receiver) = Receiver::parse(text) {
        assert_eq!(Receiver::parse(&receiver.to_string()).ok(), Some(receiver), "what is shown is read as the same");
    }
    if let Ok(command) = CommandLine::parse(text) {
        assert!(command.program.is_absolute());
        assert!(!command.arguments.iter().any(|argument| argument.contains('\0')));
    }
});
