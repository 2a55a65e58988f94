#![doc = include_str!("docs/host_sweep.md")]

use super::Detector;
use super::alert::Alert;
use super::context::Context;
use super::scan_alert::{Telling, alerts};
use super::scans::Shape;
use crate::error::Error;

pub struct HostSweep;

const TELLING: Telling = Telling { kind: "host_sweep", title: "Host sweep", counted: "hosts", attack: &["T1046", "T1018"] };

impl Detector for HostSweep {
    fn id(&self) -> &'static str {
        "host_sweep"
    }

    fn summary(&self) -> &'static str {
        "one port tried on many hosts by one source"
    }

    fn documentation(&self) -> &'static str {
        include_str!("docs/host_sweep.md")
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        Ok(alerts(context, Shape::Hosts, &TELLING))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Capture};
    use super::HostSweep;
    use crate::decode::app::{Address, Fact, Service};

    const OUTSIDE: u32 = 0xcb00_7100;

    /// Thirty hosts outside that answer nothing; the first `named` of them were looked up before.
    fn refused(named: u32) -> Capture {
        let mut capture = Capture::default();
        for host in 0..30 {
            capture.at_ms(i64::from(host) * 1_000);
            if host < named {
                let address = testing::address(OUTSIDE + host);
                capture.said(5, 1, 53, Service::Dns, |at| Fact::Address(Address { name: "site.test".into(), address, at }));
            }
            capture.at_ms(i64::from(host) * 1_000 + 50).syn(5, OUTSIDE + host, 443);
        }
        capture
    }

    #[test]
    fn hosts_that_dns_gave_and_a_closed_way_out_refuses_are_no_sweep() {
        assert!(refused(20).judge(&HostSweep).iter().all(|alert| alert.severity < crate::detect::Severity::Medium));
        assert!(refused(10).judge(&HostSweep).iter().any(|alert| alert.severity >= crate::detect::Severity::Medium));
    }
}
