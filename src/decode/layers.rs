//! Which protocols the frames carried: frames and bytes, each frame once per protocol.
//!
//! Counts only. What a layer is, the readers decide.

use std::ops::AddAssign;

/// A protocol that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Layer {
    Ethernet,
    Vlan,
    /// More than one VLAN tag, or a service tag.
    Qinq,
    Mpls,
    Pppoe,
    Ppp,
    Wifi,
    LinuxSll,
    /// Any other link header, and none at all.
    OtherLink,
    Arp,
    Ipv4,
    Ipv6,
    /// Pieces of IP datagrams, first and later ones.
    Fragment,
    OtherNetwork,
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    Sctp,
    OtherIp,
    Gre,
    IpInIp,
    Vxlan,
    Geneve,
    Teredo,
    Gtpu,
}

impl Layer {
    pub const ALL: [Self; 26] = [
        Self::Ethernet,
        Self::Vlan,
        Self::Qinq,
        Self::Mpls,
        Self::Pppoe,
        Self::Ppp,
        Self::Wifi,
        Self::LinuxSll,
        Self::OtherLink,
        Self::Arp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Fragment,
        Self::OtherNetwork,
        Self::Tcp,
        Self::Udp,
        Self::Icmp,
        Self::Icmpv6,
        Self::Sctp,
        Self::OtherIp,
        Self::Gre,
        Self::IpInIp,
        Self::Vxlan,
        Self::Geneve,
        Self::Teredo,
        Self::Gtpu,
    ];

    /// The name in `protocols.csv`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Vlan => "vlan",
            Self::Qinq => "qinq",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Ppp => "ppp",
            Self::Wifi => "wifi",
            Self::LinuxSll => "linux_sll",
            Self::OtherLink => "other_link",
            Self::Arp => "arp",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Fragment => "fragment",
            Self::OtherNetwork => "other_network",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Sctp => "sctp",
            Self::OtherIp => "other_ip",
            Self::Gre => "gre",
            Self::IpInIp => "ip_in_ip",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Teredo => "teredo",
            Self::Gtpu => "gtpu",
        }
    }

    /// `link`, `network`, `transport` or `tunnel`.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self as u8 {
            ..=8 => "link",
            9..=13 => "network",
            14..=19 => "transport",
            _ => "tunnel",
        }
    }
}

/// Layers of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LayerSet(u32);

impl LayerSet {
    pub const fn with(self, layer: Layer) -> Self {
        Self(self.0 | 1 << layer as u8)
    }

    pub fn insert(&mut self, layer: Layer) {
        *self = self.with(layer);
    }

    pub const fn has(self, layer: Layer) -> bool {
        self.0 & 1 << layer as u8 != 0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCount {
    pub frames: u64,
    /// Lengths on the wire of the frames that had the layer.
    pub bytes: u64,
}

impl AddAssign for LayerCount {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// Frames and bytes per [`Layer`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerCounts {
    // 32 and not the number of layers: a set of 32 bits then indexes without a bound check.
    counts: [LayerCount; 32],
}

impl LayerCounts {
    #[must_use]
    pub const fn get(&self, layer: Layer) -> LayerCount {
        self.counts[layer as usize]
    }

    /// Every layer met, in the order of [`Layer::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Layer, LayerCount)> {
        Layer::ALL.into_iter().map(|layer| (layer, self.get(layer))).filter(|(_, count)| count.frames > 0)
    }

    /// Adds what was counted elsewhere.
    pub fn put(&mut self, layer: Layer, count: LayerCount) {
        self.counts[layer as usize] += count;
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// Counts frames that had these layers, `bytes` on the wire together.
    pub(super) fn add(&mut self, layers: LayerSet, frames: u64, bytes: u64) {
        let mut rest = layers.0;
        while rest != 0 {
            self.counts[(rest.trailing_zeros() & 31) as usize] += LayerCount { frames, bytes };
            rest &= rest - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_listed_where_its_number_says_and_named_once() {
        for (number, layer) in Layer::ALL.into_iter().enumerate() {
            assert_eq!(layer as usize, number);
        }
        let names: std::collections::BTreeSet<_> = Layer::ALL.map(Layer::name).into();
        assert_eq!(names.len(), Layer::ALL.len());
    }

    #[test]
    fn groups_begin_and_end_at_the_right_layers() {
        let ends =
            [Layer::Ethernet, Layer::OtherLink, Layer::Arp, Layer::OtherNetwork, Layer::Tcp, Layer::OtherIp, Layer::Gre, Layer::Gtpu];
        assert_eq!(ends.map(Layer::group), ["link", "link", "network", "network", "transport", "transport", "tunnel", "tunnel"]);
    }

    #[test]
    fn a_frame_counts_once_per_layer_and_parts_add_up() {
        let mut whole = LayerCounts::default();
        let mut part = LayerCounts::default();
        let tcp = LayerSet::default().with(Layer::Ipv4).with(Layer::Tcp).with(Layer::Ipv4);
        whole.add(tcp, 1, 60);
        part.add(tcp, 1, 40);
        whole.merge(&part);
        assert_eq!(whole.get(Layer::Ipv4), LayerCount { frames: 2, bytes: 100 });
        assert_eq!(whole.iter().map(|(layer, _)| layer).collect::<Vec<_>>(), [Layer::Ipv4, Layer::Tcp]);
    }
}
