//! Lookup by address and prefix: what literals of the policy cover or lie in a network.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use ipnet::IpNet;

/// Values by prefix (without host bits). A lookup costs the distinct prefix lengths plus what is found.
#[derive(Debug)]
pub(crate) struct Prefixes<T> {
    values: BTreeMap<IpNet, T>,
    /// Prefix lengths in use: IPv4, IPv6.
    lengths: [BTreeSet<u8>; 2],
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), lengths: Default::default() }
    }
}

impl<T: Default> Prefixes<T> {
    /// The value of a prefix; a new one when there was none.
    pub(crate) fn entry(&mut self, net: IpNet) -> &mut T {
        self.lengths[family(&net)].insert(net.prefix_len());
        self.values.entry(net.trunc()).or_default()
    }

    /// The prefixes that have a value.
    pub(crate) fn networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.values.keys().copied()
    }

    /// Values of the prefixes that contain this one, itself included.
    pub(crate) fn covering(&self, net: IpNet) -> impl Iterator<Item = &T> {
        let lengths = self.lengths[family(&net)].range(..=net.prefix_len());
        lengths.filter_map(move |len| self.values.get(&IpNet::new(net.addr(), *len).ok()?.trunc()))
    }

    /// Values of the prefixes that share an address with this one.
    pub(crate) fn overlapping(&self, net: IpNet) -> impl Iterator<Item = &T> {
        let net = net.trunc();
        let last = IpNet::from(net.broadcast());
        // Longer prefixes within come right behind their parent in the order of the map.
        let bounds = (Bound::Excluded(net), Bound::Included(last));
        let inside = (net != last).then(|| self.values.range(bounds));
        self.covering(net).chain(inside.into_iter().flatten().map(|(_, value)| value))
    }
}

fn family(net: &IpNet) -> usize {
    matches!(net, IpNet::V6(_)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small_net() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (any::<[u8; 4]>(), 0..=32u8).prop_map(|(mut a, len)| {
                a.iter_mut().for_each(|byte| *byte &= 0b1000_0001);
                IpNet::new(a.into(), len).unwrap().trunc()
            }),
            (any::<[u8; 2]>(), 0..=128u8).prop_map(|(a, len)| {
                let address = std::net::Ipv6Addr::from(u128::from(a[0] & 3) << 126 | u128::from(a[1] & 3));
                IpNet::new(address.into(), len).unwrap().trunc()
            }),
        ]
    }

    proptest! {
        #[test]
        fn lookups_agree_with_looking_at_every_prefix(
            known in proptest::collection::btree_set(small_net(), 0..30),
            asked in small_net(),
        ) {
            let mut index = Prefixes::<Option<IpNet>>::default();
            known.iter().for_each(|net| *index.entry(*net) = Some(*net));
            let found: BTreeSet<_> = index.covering(asked).flatten().copied().collect();
            let right: BTreeSet<_> = known.iter().filter(|net| net.contains(&asked)).copied().collect();
            prop_assert_eq!(found, right);
            let found: Vec<_> = index.overlapping(asked).flatten().copied().collect();
            let right: BTreeSet<_> =
                known.iter().filter(|net| net.contains(&asked) || asked.contains(*net)).copied().collect();
            prop_assert_eq!(found.len(), right.len(), "each once");
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), right);
        }
    }
}
