//! The relays that clients are told of: the server's, as the policy changes them.

use wire::{DerpMap, DerpRegion};
use world::World;

use crate::{Site, Span};

/// The server's regions without those that the policy takes away, and the policy's own; of two with one number the
/// policy's counts.
pub fn relays(world: &World, site: &Site) -> DerpMap {
    let map = (*site.derp_map).clone();
    let Some(own) = world.policy.policy.relays() else { return map };
    let mut regions = if own.alone { Default::default() } else { map.regions };
    for (id, region) in own.regions {
        match region.clone().and_then(|region| serde_json::from_value::<DerpRegion>(region).ok()) {
            Some(region) => regions.insert(*id, region),
            None => regions.remove(id),
        };
    }
    DerpMap { regions, ..map }
}

impl Span {
    /// Whether another policy names other relays.
    pub fn changes_relays(&self) -> bool {
        self.changes_policy() && self.old.policy.policy.relays() != self.new.policy.policy.relays()
    }
}
