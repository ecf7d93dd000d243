//! Which addresses a new node gets.

use std::net::{Ipv4Addr, Ipv6Addr};

use ident::{NodeId, Tag};
use ipnet::Ipv4Net;

use crate::{Refusal, World};

/// All addresses of nodes: 100.64.0.0/10.
const RANGE: (u32, u64) = (0x6440_0000, 1 << 22);
/// Addresses that are looked at before the pool counts as exhausted.
const TRIES: u64 = 1 << 16;

/// Addresses follow the id, which is never used again; where one is taken, the next free one of the pool. A node that
/// the policy gives a pool has its address in there, and no other node has.
pub(super) fn addresses(world: &World, id: NodeId, tags: &[Tag]) -> Result<(Ipv4Addr, Ipv6Addr), Refusal> {
    let v6 = Ipv6Addr::from(0xfd7a_115c_a1e0_0000_0000_0000_0000_0000_u128 + 0x1_0000 + u128::from(id.get()));
    let compiled = world.classes.compiled();
    let free = |a: &Ipv4Addr| !reserved(*a) && world.nodes.by_address((*a).into()).is_none();
    let pools = compiled.pools(tags, None);
    let v4 = if pools.is_empty() {
        from(RANGE, id).find(|a| free(a) && !compiled.is_pooled(*a))
    } else {
        pools.iter().flat_map(|pool| from(range(pool), id)).find(free)
    };
    Ok((v4.ok_or(Refusal::PoolExhausted)?, v6))
}

/// Addresses of a range (the first one, and how many) in the order in which they are tried.
fn from((first, count): (u32, u64), id: NodeId) -> impl Iterator<Item = Ipv4Addr> {
    let place = move |i| (id.get() % count + i) % count;
    (0..TRIES.min(count)).map(move |i| Ipv4Addr::from(first + place(i) as u32))
}

fn range(pool: &Ipv4Net) -> (u32, u64) {
    (pool.network().into(), 1 << (32 - pool.prefix_len()))
}

/// Used by clients and platforms themselves: 100.100.0.0/24, 100.100.100.0/24, 100.115.92.0/23, and the ends of the range.
fn reserved(a: Ipv4Addr) -> bool {
    let o = a.octets();
    matches!((o[1], o[2], o[3]), (100, 0 | 100, _) | (115, 92 | 93, _) | (64, 0, 0) | (127, 255, 255))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_tried_from_the_id_on_and_all_of_it() {
        let pool = range(&"100.81.0.0/30".parse().unwrap());
        let tried: Vec<_> = from(pool, NodeId::new(6).unwrap()).map(|a| a.to_string()).collect();
        assert_eq!(tried, ["100.81.0.2", "100.81.0.3", "100.81.0.0", "100.81.0.1"]);
        let one = range(&"100.81.0.7/32".parse().unwrap());
        assert_eq!(from(one, NodeId::new(6).unwrap()).count(), 1);
        assert_eq!(from(RANGE, NodeId::new(5).unwrap()).next().unwrap().to_string(), "100.64.0.5");
    }
}
