//! A policy's own tests against the people and nodes that there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use ident::Tag;
use policy::{Device, Person, Policy, PolicyErrors, Roster};

use crate::World;

impl World {
    /// Runs the policy's own tests; the errors say which failed, where it stands, what was expected and what was found.
    /// A test of a tag or of a person without any device is one of a device that could be.
    /// Costs nothing for a policy without tests. Takes long on a large tailnet: not for the writer.
    pub fn try_policy(&self, policy: &Policy) -> Result<(), PolicyErrors> {
        if policy.has_tests() { policy.try_on(&self.census(policy)) } else { Ok(()) }
    }

    /// Everybody who takes part, and who could. Nobody has a role such as admin.
    fn census(&self, policy: &Policy) -> Roster {
        let places: BTreeMap<_, _> = self.users.keys().enumerate().map(|(at, id)| (*id, at)).collect();
        let people = self.users.values().map(|user| {
            let name = user.login.to_lowercase();
            let email = if name.contains('@') { name.clone() } else { String::new() };
            Person { name, email, roles: Some(Vec::new()) }
        });
        let devices = self.nodes.iter().filter(|node| node.class.is_some()).map(|node| Device {
            name: node.name.clone(),
            host: node.name.clone(),
            tags: node.owner.tags().to_vec(),
            owner: node.owner.user().and_then(|id| places.get(&id).copied()),
            v4: node.v4,
            v6: node.v6,
            routes: node.served_routes(),
            traits: Some(node.traits()),
        });
        let mut devices: Vec<_> = devices.collect();
        let borne: BTreeSet<_> = devices.iter().flat_map(|device| device.tags.iter().cloned()).collect();
        let owning: BTreeSet<_> = devices.iter().filter_map(|device| device.owner).collect();
        let borne_by_none = policy.tags().filter(|tag| !borne.contains(*tag));
        let idle = places.values().filter(|at| !owning.contains(at));
        let of_tags = borne_by_none.map(|tag| (vec![tag.clone()], None));
        let missing: Vec<_> = of_tags.chain(idle.map(|at| (Vec::new(), Some(*at)))).collect();
        devices.extend(missing.into_iter().zip(0..).map(|((tags, owner), n)| possible(tags, owner, n)));
        Roster { people: people.collect(), devices }
    }
}

/// A device that is not there, at an address that hardly any is ever given.
fn possible(tags: Vec<Tag>, owner: Option<usize>, n: u32) -> Device {
    let name = tags.first().map_or_else(|| "a person's".to_owned(), ToString::to_string);
    Device {
        name: format!("{name} (none yet) {n}"),
        host: format!("{name} (none yet)"),
        tags,
        owner,
        v4: Ipv4Addr::from(0x647f_fffe - n),
        v6: Ipv6Addr::from(0xfd7a_115c_a1e0_ffff_0000_0000_0000_0000_u128 + u128::from(n)),
        routes: Vec::new(),
        traits: None,
    }
}
