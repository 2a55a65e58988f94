//! The name of this machine, as receivers are told it.

/// None where the system does not say, or says something that is no name.
#[cfg(unix)]
pub(super) fn name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    // RFC 5424, 6: HOSTNAME is 1 to 255 printable ASCII characters.
    let is_name = (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(name)
}

#[cfg(not(unix))]
pub(super) fn name() -> Option<String> {
    None
}
