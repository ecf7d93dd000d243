//! Who may log in to a node by SSH, as the node is told. Nodes with equal badges, and for `autogroup:self` one owner,
//! are told the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ident::{NodeId, UserId};
use policy::{Badge, Compiled, LOGIN_CHECK, Login};
use wire::{SshAction, SshPolicy, SshPrincipal, SshRule};
use world::{Node, World};

use crate::Span;

/// Worlds of which something is remembered.
const WORLDS: usize = 8;
/// What is remembered of each at most.
const TOLD: usize = 4096;

/// What nodes of the latest Worlds are told, each thing put together once for all who are told it.
#[derive(Debug, Default)]
pub struct Logins {
    /// By epoch of the policy and version of the World.
    worlds: BTreeMap<(u64, u64), Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The nodes that each rule lets log in, by rule.
    sources: BTreeMap<usize, Arc<[Caller]>>,
    told: BTreeMap<Likeness, Arc<SshPolicy>>,
}

/// All that the answer to a node depends on.
type Likeness = (Badge, Option<UserId>, Option<NodeId>);

#[derive(Debug, Clone, Copy)]
struct Caller {
    node: NodeId,
    owner: Option<UserId>,
    addresses: [IpAddr; 2],
}

impl Logins {
    /// All rules that let somebody log in to this node. None for a node that nobody sees.
    pub fn of(&mut self, world: &World, node: &Node) -> Arc<SshPolicy> {
        let compiled = world.classes.compiled();
        if node.class.is_none() || compiled.login(0).is_none() {
            return Arc::default();
        }
        let key = (world.classes.epoch(), world.version);
        let known = self.worlds.entry(key).or_default();
        let likeness = likeness(compiled, node);
        if let Some(ready) = known.told.get(&likeness) {
            return ready.clone();
        }
        let made = Arc::new(known.put_together(world, node));
        if known.told.len() >= TOLD {
            known.told.clear();
        }
        known.told.insert(likeness, made.clone());
        while self.worlds.len() > WORLDS {
            self.worlds.pop_first();
        }
        made
    }
}

fn likeness(compiled: &Compiled, node: &Node) -> Likeness {
    let rules = || compiled.login_order().filter_map(|rule| Some((rule, compiled.login(rule)?)));
    let owner =
        node.owner.user().filter(|_| rules().any(|(_, login)| login.opens_own() || login.is_by_name()));
    // A tagged source is told its own part of a rule by names, which has nobody else in it.
    let alone = |(rule, login): (usize, Login)| {
        login.is_by_name() && login.names_devices() && node.badge.logs_in(rule)
    };
    let itself = (node.owner.user().is_none() && rules().any(alone)).then_some(node.id);
    (node.badge.clone(), owner, itself)
}

impl Known {
    /// The order is the reference's: for each rule one's own devices, then the others; with names a part per person.
    fn put_together(&mut self, world: &World, node: &Node) -> SshPolicy {
        let compiled = world.classes.compiled();
        let mut rules = Vec::new();
        for number in compiled.login_order() {
            let Some(login) = compiled.login(number) else { continue };
            let owner = node.owner.user();
            if login.opens_own() && owner.is_some() {
                let mine = |caller: &&Caller| caller.owner == owner;
                let mine = self.sources(world, number).iter().filter(mine).copied().collect();
                add(world, login, mine, owner, &mut rules);
            }
            let is_destination = node.badge.is_logged_in_to(number);
            if !login.is_by_name() {
                if is_destination {
                    let all = self.sources(world, number).to_vec();
                    add(world, login, all, None, &mut rules);
                }
            } else if is_destination {
                for (person, theirs) in by_person(&self.sources(world, number)) {
                    add(world, login, theirs, person, &mut rules);
                }
            } else if login.names_devices() && node.badge.logs_in(number) {
                let same =
                    |caller: &&Caller| caller.node == node.id || (owner.is_some() && caller.owner == owner);
                let mine = self.sources(world, number).iter().filter(same).copied().collect();
                add(world, login, mine, owner, &mut rules);
            }
        }
        SshPolicy { rules }
    }

    fn sources(&mut self, world: &World, rule: usize) -> Arc<[Caller]> {
        let make = || {
            let nodes = world.nodes.iter().filter(|node| node.class.is_some() && node.badge.logs_in(rule));
            let caller = |node: &Arc<Node>| Caller {
                node: node.id,
                owner: node.owner.user(),
                addresses: [node.v4.into(), node.v6.into()],
            };
            nodes.map(caller).collect()
        };
        self.sources.entry(rule).or_insert_with(make).clone()
    }
}

/// People in the order of their ids, tagged devices last.
fn by_person(callers: &[Caller]) -> Vec<(Option<UserId>, Vec<Caller>)> {
    let mut people: BTreeMap<Option<UserId>, Vec<Caller>> = BTreeMap::new();
    for caller in callers {
        people.entry(caller.owner).or_default().push(*caller);
    }
    let tagged = people.remove(&None).map(|devices| (None, devices));
    people.into_iter().chain(tagged).collect()
}

/// The rule for these callers; with a person also for the user of that name.
fn add(world: &World, login: Login, callers: Vec<Caller>, person: Option<UserId>, rules: &mut Vec<SshRule>) {
    if callers.is_empty() {
        return;
    }
    let addresses = (0..2).flat_map(|family| callers.iter().map(move |caller| caller.addresses[family]));
    let rule = SshRule {
        principals: addresses.map(|node_ip| SshPrincipal { node_ip }).collect(),
        ssh_users: login.users(),
        action: if login.checks() { SshAction::ask(LOGIN_CHECK) } else { SshAction::accept() },
        accept_env: login.accept_env().to_vec(),
    };
    let person = person.and_then(|id| world.users.get(&id));
    let names = person.map(|user| login.names_of(&user.login)).unwrap_or_default();
    let named =
        names.into_iter().map(|name| SshRule { ssh_users: [(name.clone(), name)].into(), ..rule.clone() });
    let named: Vec<_> = named.collect();
    rules.push(rule);
    rules.extend(named);
}

/// The rules of SSH with other callers than before, or with the same under other names.
pub(crate) fn changed_logins(
    old: &World,
    new: &World,
    touched: &BTreeSet<NodeId>,
    renamed: bool,
) -> BTreeSet<usize> {
    let mut changed = BTreeSet::new();
    let compiled = new.classes.compiled();
    if old.classes.epoch() != new.classes.epoch() || compiled.login(0).is_none() {
        return changed;
    }
    for id in touched {
        let caller = |world: &World| world.nodes.get(*id).filter(|node| node.class.is_some()).cloned();
        let (was, now) = (caller(old), caller(new));
        let same = was
            .as_ref()
            .zip(now.as_ref())
            .is_some_and(|(was, now)| was.badge == now.badge && was.owner.user() == now.owner.user());
        if !same {
            changed.extend(was.iter().chain(&now).flat_map(|node| node.badge.logins()));
        }
    }
    if renamed {
        changed.extend(
            compiled.login_order().filter(|rule| compiled.login(*rule).is_some_and(Login::is_by_name)),
        );
    }
    changed
}

impl Span {
    /// Whether who may log in to the viewer may be another.
    pub(crate) fn concerns_logins(&self, viewer: NodeId) -> bool {
        let Some(now) = self.new.nodes.get(viewer) else { return false };
        let Some(was) = self.old.nodes.get(viewer) else { return true };
        let standing = |node: &Node| (node.badge.clone(), node.owner.user(), node.class.is_some());
        if self.changes_policy() {
            return !self.alike;
        }
        if standing(was) != standing(now) {
            return true;
        }
        let compiled = self.new.classes.compiled();
        let concerns = |rule: &usize| {
            let Some(login) = compiled.login(*rule) else { return false };
            let own = login.opens_own() && now.owner.user().is_some();
            own || now.badge.is_logged_in_to(*rule) || (login.is_by_name() && now.badge.logs_in(*rule))
        };
        self.logins.iter().any(concerns)
    }

    /// Who may log in to the viewer, if that is another than before.
    pub fn logins(&self, viewer: NodeId, known: &mut Logins) -> Option<Arc<SshPolicy>> {
        if !self.concerns_logins(viewer) {
            return None;
        }
        let now = known.of(&self.new, self.new.nodes.get(viewer)?);
        let was = self.old.nodes.get(viewer).map(|node| known.of(&self.old, node)).unwrap_or_default();
        (was != now).then_some(now)
    }
}
