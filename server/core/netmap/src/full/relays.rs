//! The relays that clients are told of: the server's, as the policy changes them.

use wire::{DerpHomeParams, DerpMap, DerpRegion};
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
    let home_params = match own.scores.is_empty() {
        true => map.home_params,
        false => Some(DerpHomeParams { region_score: own.scores.clone() }),
    };
    DerpMap { regions, home_params, ..map }
}

impl Span {
    /// Whether another policy names other relays.
    pub fn changes_relays(&self) -> bool {
        self.changes_policy() && self.old.policy.policy.relays() != self.new.policy.policy.relays()
    }

    /// The relays for a client that was told the earlier ones: scores that stand no longer are taken back, since a
    /// client keeps those it is told nothing about.
    pub fn relays(&self, site: &Site) -> DerpMap {
        let map = relays(&self.new, site);
        let had = self.old.policy.policy.relays().is_some_and(|relays| !relays.scores.is_empty());
        DerpMap { home_params: map.home_params.or_else(|| had.then(DerpHomeParams::default)), ..map }
    }
}
