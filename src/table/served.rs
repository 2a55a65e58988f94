//! What each service took of the traffic.

use super::flow::Flow;
use crate::decode::app::Service;

/// Packets and IP bytes, both ways, of the connections of every service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served([(u64, u64); Service::ALL.len()]);

impl Served {
    /// Takes a connection that has ended.
    pub fn take(&mut self, flow: &Flow) {
        let (orig, resp) = (&flow.orig, &flow.resp);
        self.add(flow.service, orig.packets + resp.packets, orig.ip_bytes + resp.ip_bytes);
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, service: Service, packets: u64, bytes: u64) {
        if let Some(sum) = self.0.get_mut(service as usize) {
            *sum = (sum.0 + packets, sum.1 + bytes);
        }
    }

    /// Services that were recognised, with their packets and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Service, u64, u64)> {
        let all = Service::ALL.into_iter().zip(self.0);
        all.filter(|(service, (packets, _))| *service != Service::Unknown && *packets > 0)
            .map(|(service, (packets, bytes))| (service, packets, bytes))
    }
}
