//! Who may see whom: one description that both the policy and what is expected of it come from.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use ipnet::IpNet;
use serde_json::json;

/// Hubs of the topology that has some.
const HUBS: usize = 10;
/// Routers of the topology that has some, and the kinds of devices that are sent by one of them each.
const ROUTERS: usize = 100;
/// Devices of a person, where people have some.
const DEVICES_EACH: usize = 3;
/// The network behind every router.
const BEHIND: &str = "10.0.0.0/8";

/// Which devices see each other. A device's kind is what the policy knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topology {
    /// All see all
    Mesh,
    /// Each sees a twentieth
    Groups,
    /// Each sees ten hubs, and those see everybody but each other
    Hub,
    /// Each sees the devices of its user, three of them
    #[value(name = "self")]
    Own,
    /// Each reaches one network by one of a hundred routers, all of which serve it
    Via,
}

/// What is in force: the topology as it is, or a variant of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    #[default]
    Whole,
    /// The first kind is cut off from everybody; people's devices all are.
    FirstKindCutOff,
    /// In a mesh the last port is shut to all; elsewhere the first kind may reach the second as well.
    OneRuleChanged,
}

impl Topology {
    /// Refuses what cannot be built yet, or not with so few devices.
    pub fn check(self, devices: usize) -> Result<()> {
        match self {
            Self::Own => {
                ensure!(
                    devices > 2 * DEVICES_EACH,
                    "topology self needs more than {} devices",
                    2 * DEVICES_EACH
                )
            }
            Self::Via => {
                ensure!(devices > 2 * ROUTERS, "topology via needs more than {} devices", 2 * ROUTERS)
            }
            Self::Hub => ensure!(devices > HUBS, "topology hub needs more than {HUBS} devices"),
            Self::Groups => ensure!(devices >= 40, "topology groups needs at least 40 devices"),
            Self::Mesh => {}
        }
        Ok(())
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Groups => "groups",
            Self::Hub => "hub",
            Self::Own => "self",
            Self::Via => "via",
        }
    }

    /// How many kinds have a tag; where devices belong to people, every person is a kind.
    pub fn kinds(self) -> usize {
        match self {
            Self::Mesh => 10,
            Self::Groups => 20,
            Self::Hub => 3,
            Self::Via => 2 * ROUTERS,
            Self::Own => 0,
        }
    }

    /// The kind of the device with this number. Of the hubs, the first is a kind of its own.
    pub fn kind(self, device: usize) -> usize {
        match self {
            Self::Hub if device == 0 => 0,
            Self::Hub if device < HUBS => 1,
            Self::Hub => 2,
            Self::Via if device < ROUTERS => device,
            Self::Via => ROUTERS + device % ROUTERS,
            Self::Own => device / DEVICES_EACH,
            _ => device % self.kinds().max(1),
        }
    }

    /// The device that makes change number `change` of `devices`: no hub, so that the cost is that of an ordinary one.
    pub fn changer(self, change: usize, devices: usize) -> usize {
        let special = self.special();
        special + change % (devices - special)
    }

    /// Whether the device is like most of them.
    pub fn is_ordinary(self, device: usize) -> bool {
        device >= self.special()
    }

    /// The first ones, which are not.
    fn special(self) -> usize {
        match self {
            Self::Hub => HUBS,
            Self::Via => ROUTERS,
            // Of the first two people, one gets to see the other.
            Self::Own => 2 * DEVICES_EACH,
            Self::Mesh | Self::Groups => 0,
        }
    }

    /// What devices of this kind advertise; the policy approves it.
    pub fn routes(self, kind: usize) -> Vec<IpNet> {
        let is_router = self == Self::Via && kind < ROUTERS;
        BEHIND.parse().into_iter().filter(|_| is_router).collect()
    }

    /// Whose a device of this kind is, if it is a person's.
    pub fn person(self, kind: usize) -> Option<String> {
        (self == Self::Own).then(|| format!("swarm-{kind}"))
    }

    /// Whether devices of the one kind are sent into the network behind those of the other.
    pub fn is_sent_by(self, phase: Phase, kind: usize, router: usize) -> bool {
        self == Self::Via && router < ROUTERS && self.reaches(phase, kind, router)
    }

    /// How many of so many devices have to be told when [`Phase::OneRuleChanged`] begins or ends.
    pub fn concerned(self, devices: usize) -> usize {
        match self {
            Self::Mesh => devices,
            Self::Hub => HUBS,
            _ => (0..devices).filter(|d| self.kind(*d) < 2).count(),
        }
    }

    /// Whether devices of these kinds see each other.
    pub fn sees(self, phase: Phase, a: usize, b: usize) -> bool {
        self.reaches(phase, a, b) || self.reaches(phase, b, a)
    }

    /// The policy in force.
    pub fn policy(self, phase: Phase) -> String {
        let owners: BTreeMap<_, [&str; 0]> = (0..self.kinds()).map(|k| (tag(k), [])).collect();
        let everybody = self == Self::Mesh && phase != Phase::FirstKindCutOff;
        let acls: Vec<_> = if everybody {
            let ports = if phase == Phase::Whole { "*:*" } else { "*:1-65534" };
            vec![json!({"action": "accept", "src": ["*"], "dst": [ports]})]
        } else {
            (0..self.kinds()).filter_map(|from| self.rule(phase, from)).collect()
        };
        let mut policy = json!({"tagOwners": owners, "acls": acls});
        if self == Self::Own {
            policy["acls"] = Self::of_people(phase);
        }
        if self == Self::Via {
            policy["acls"] = json!([]);
            policy["grants"] = (0..self.kinds()).filter_map(|from| self.grant(phase, from)).collect();
            policy["autoApprovers"] = json!({"routes": {BEHIND: (0..ROUTERS).map(tag).collect::<Vec<_>>()}});
        }
        policy.to_string()
    }

    fn of_people(phase: Phase) -> serde_json::Value {
        let rule = |src: &str, dst: &str| json!({"action": "accept", "src": [src], "dst": [dst]});
        let own = rule("autogroup:member", "autogroup:self:*");
        match phase {
            Phase::Whole => json!([own]),
            Phase::FirstKindCutOff => json!([]),
            Phase::OneRuleChanged => json!([own, rule("swarm-0@", "swarm-1@:*")]),
        }
    }

    /// Routers come last, so that no other rule moves when one of them gets one.
    fn grant(self, phase: Phase, place: usize) -> Option<serde_json::Value> {
        let from = (place + ROUTERS) % self.kinds();
        let to = (0..ROUTERS).find(|to| self.reaches(phase, from, *to))?;
        Some(match from {
            ..ROUTERS => json!({"src": [tag(from)], "dst": [tag(to)], "ip": ["*"]}),
            _ => json!({"src": [tag(from)], "dst": [BEHIND], "ip": ["*"], "via": [tag(to)]}),
        })
    }

    fn rule(self, phase: Phase, from: usize) -> Option<serde_json::Value> {
        let to = (0..self.kinds()).filter(|to| self.reaches(phase, from, *to));
        let to: Vec<_> = to.map(|k| format!("{}:*", tag(k))).collect();
        (!to.is_empty()).then(|| json!({"action": "accept", "src": [tag(from)], "dst": to}))
    }

    fn reaches(self, phase: Phase, from: usize, to: usize) -> bool {
        if phase == Phase::FirstKindCutOff && (from == 0 || to == 0 || self == Self::Own) {
            return false;
        }
        if phase == Phase::OneRuleChanged && (from, to) == (0, 1) {
            return true;
        }
        match self {
            Self::Mesh => true,
            Self::Groups | Self::Own => from == to,
            Self::Hub => from == 2 && to < 2,
            Self::Via => from == to + ROUTERS,
        }
    }
}

/// What the devices of a kind are.
pub fn tag(kind: usize) -> String {
    format!("tag:swarm-{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(topology: Topology, phase: Phase, device: usize, of: usize) -> usize {
        let sees = |d: &usize| topology.sees(phase, topology.kind(device), topology.kind(*d));
        (0..of).filter(|d| *d != device).filter(sees).count()
    }

    #[test]
    fn how_many_each_sees() {
        use {Phase::*, Topology::*};
        assert_eq!(seen(Mesh, Whole, 7, 200), 199);
        assert_eq!(seen(Groups, Whole, 7, 200), 9);
        assert_eq!((seen(Hub, Whole, 3, 200), seen(Hub, Whole, 30, 200)), (190, 10));
        assert_eq!((seen(Mesh, FirstKindCutOff, 0, 200), seen(Mesh, FirstKindCutOff, 1, 200)), (0, 179));
        assert_eq!((seen(Groups, FirstKindCutOff, 0, 200), seen(Groups, FirstKindCutOff, 1, 200)), (0, 9));
        assert_eq!((seen(Hub, FirstKindCutOff, 0, 200), seen(Hub, FirstKindCutOff, 30, 200)), (0, 9));
        assert_eq!((seen(Hub, OneRuleChanged, 0, 200), seen(Hub, OneRuleChanged, 30, 200)), (199, 10));
        assert_eq!(seen(Mesh, OneRuleChanged, 7, 200), 199);
        assert_eq!((seen(Own, Whole, 7, 300), seen(Own, FirstKindCutOff, 7, 300)), (2, 0));
        assert_eq!((seen(Own, OneRuleChanged, 2, 300), seen(Own, OneRuleChanged, 7, 300)), (5, 2));
        assert_eq!((seen(Via, Whole, 3, 500), seen(Via, Whole, 203, 500)), (4, 1));
        assert_eq!((seen(Via, FirstKindCutOff, 0, 500), seen(Via, FirstKindCutOff, 200, 500)), (0, 0));
        assert_eq!((seen(Via, OneRuleChanged, 0, 500), seen(Via, OneRuleChanged, 2, 500)), (5, 4));
        assert!((0..500).all(|n| Hub.changer(n, 40) >= HUBS && Hub.changer(n, 40) < 40));
    }

    #[test]
    fn what_the_policy_language_lacks_is_refused_by_name() {
        assert!(Topology::Own.check(6).unwrap_err().to_string().contains("self"));
        assert!(Topology::Hub.check(10).is_err() && Topology::Via.check(200).is_err());
        Topology::Mesh.check(2).unwrap();
    }

    #[test]
    fn rules_name_the_kinds_that_may_reach_each_other() {
        let text = Topology::Hub.policy(Phase::FirstKindCutOff);
        assert!(
            text.contains(r#""acls":[{"action":"accept","dst":["tag:swarm-1:*"],"src":["tag:swarm-2"]}]"#)
        );
        let via: serde_json::Value =
            serde_json::from_str(&Topology::Via.policy(Phase::OneRuleChanged)).unwrap();
        assert_eq!(via["grants"][7]["src"][0], "tag:swarm-107");
        assert_eq!(via["grants"][7]["via"][0], "tag:swarm-7");
        assert_eq!(via["grants"][100]["dst"][0], "tag:swarm-1");
        assert_eq!(via["grants"].as_array().unwrap().len(), 101);
        assert!(Topology::Mesh.policy(Phase::Whole).contains(r#""dst":["*:*"],"src":["*"]"#));
    }
}
