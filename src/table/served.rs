//! What each service took of the traffic.

use super::flow::Flow;
use crate::decode::app::Service;

/// Packets and IP bytes, both ways, of the connections of every service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served([(u64, u64); Service::ALL.len()]);

impl Served {
    /// Takes a connection that has ended.
    pub fn take(&mut self, flow: &Flow) {
        if let Some((packets, bytes)) = self.0.get_mut(flow.service as usize) {
            *packets += flow.orig.packets + flow.resp.packets;
            *bytes += flow.orig.ip_bytes + flow.resp.ip_bytes;
        }
    }

    /// Services that were recognised, with their packets and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Service, u64, u64)> {
        let all = Service::ALL.into_iter().zip(self.0);
        all.filter(|(service, (packets, _))| *service != Service::Unknown && *packets > 0)
            .map(|(service, (packets, bytes))| (service, packets, bytes))
    }
}
