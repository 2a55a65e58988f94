//! Who did it to whom, as formats ask for it that know one source and one destination.

use std::net::IpAddr;

use crate::detect::Alert;

/// The first attacker that is an IP address.
pub(super) fn source(alert: &Alert) -> Option<IpAddr> {
    alert.attackers.iter().find_map(|address| address.parse().ok())
}

/// The first victim that is an IP address.
pub(super) fn destination(alert: &Alert) -> Option<IpAddr> {
    alert.victims.iter().find_map(|address| address.parse().ok())
}

/// The port, where there is only one: the first of a thousand scanned ports says nothing.
pub(super) fn port(alert: &Alert) -> Option<u16> {
    if alert.port_count == 1 { alert.ports.first().copied() } else { None }
}

/// The first of the addresses that is a hardware address.
pub(super) fn hardware(addresses: &[String]) -> Option<&str> {
    addresses.iter().map(String::as_str).find(|address| is_hardware(address))
}

/// Six octets in hexadecimal digits, between colons.
fn is_hardware(text: &str) -> bool {
    let is_octet = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(is_octet)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_first_address_of_each_kind_is_taken() {
        let mut alert = example::notice().alert;
        alert.attackers = ["02:00:5e:10:00:01", "203.0.113.66", "203.0.113.67"].map(str::to_owned).into();
        alert.victims = vec!["2001:db8::1".into()];
        assert_eq!(source(&alert), "203.0.113.66".parse().ok());
        assert_eq!(destination(&alert), "2001:db8::1".parse().ok());
        assert_eq!((hardware(&alert.attackers), hardware(&alert.victims)), (Some("02:00:5e:10:00:01"), None));
        assert!(!is_hardware("2001:db8:0:0:0:0") && !is_hardware("::1") && is_hardware("00:00:5E:00:53:23"));
    }

    #[test]
    fn one_port_of_many_is_none() {
        let mut alert = example::notice().alert;
        (alert.ports, alert.port_count) = (vec![22], 1);
        assert_eq!(port(&alert), Some(22));
        alert.port_count = 2;
        assert_eq!(port(&alert), None);
    }
}
