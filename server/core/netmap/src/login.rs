//! Who may log in to a node by SSH, as the node is told. Nodes with equal badges, and for `autogroup:self` one owner,
//! are told the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{NodeId, UserId};
use policy::{Badge, Compiled, LOGIN_CHECK, Login, NOT_RECORDED, RECORDER_PORT, RECORDING_STOPPED};
use wire::{SshAction, SshPolicy, SshPrincipal, SshRecordingFailure, SshRule};
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
    actions: BTreeMap<usize, Option<SshAction>>,
    told: BTreeMap<Likeness, Arc<SshPolicy>>,
}

/// A rule, and what becomes of those whom it is about.
struct Told<'a> {
    world: &'a World,
    login: Login<'a>,
    action: &'a SshAction,
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
            let Some(action) = self.action(world, number, login) else { continue };
            let rule = Told { world, login, action: &action };
            let owner = node.owner.user();
            if login.opens_own() && owner.is_some() {
                let mine = |caller: &&Caller| caller.owner == owner;
                let mine = self.sources(world, number).iter().filter(mine).copied().collect();
                rule.add(mine, owner, &mut rules);
            }
            let is_destination = node.badge.is_logged_in_to(number);
            if !login.is_by_name() {
                if is_destination {
                    let all = self.sources(world, number).to_vec();
                    rule.add(all, None, &mut rules);
                }
            } else if is_destination {
                for (person, theirs) in by_person(&self.sources(world, number)) {
                    rule.add(theirs, person, &mut rules);
                }
            } else if login.names_devices() && node.badge.logs_in(number) {
                let same =
                    |caller: &&Caller| caller.node == node.id || (owner.is_some() && caller.owner == owner);
                let mine = self.sources(world, number).iter().filter(same).copied().collect();
                rule.add(mine, owner, &mut rules);
            }
        }
        SshPolicy { rules }
    }

    fn action(&mut self, world: &World, rule: usize, login: Login) -> Option<SshAction> {
        self.actions.entry(rule).or_insert_with(|| action(world, login)).clone()
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

impl Told<'_> {
    /// The rule for these callers; with a person also for the user of that name.
    fn add(&self, callers: Vec<Caller>, person: Option<UserId>, rules: &mut Vec<SshRule>) {
        if callers.is_empty() {
            return;
        }
        let addresses = (0..2).flat_map(|family| callers.iter().map(move |caller| caller.addresses[family]));
        let rule = SshRule {
            principals: addresses.map(|node_ip| SshPrincipal { node_ip }).collect(),
            ssh_users: self.login.users(),
            action: self.action.clone(),
            accept_env: self.login.accept_env().to_vec(),
        };
        let person = person.and_then(|id| self.world.users.get(&id));
        let names = person.map(|user| self.login.names_of(&user.login)).unwrap_or_default();
        let named = names
            .into_iter()
            .map(|name| SshRule { ssh_users: [(name.clone(), name)].into(), ..rule.clone() });
        let named: Vec<_> = named.collect();
        rules.push(rule);
        rules.extend(named);
    }
}

/// What happens to those whom the rule is about. None while it lets nobody in, because it must record and cannot.
fn action(world: &World, login: Login) -> Option<SshAction> {
    let recorders = recorders(world, login);
    if login.must_record() && recorders.is_empty() {
        return None;
    }
    let failure = SshRecordingFailure {
        reject_session_with_message: NOT_RECORDED.to_owned(),
        terminate_session_with_message: RECORDING_STOPPED.to_owned(),
        ..SshRecordingFailure::default()
    };
    let decided = if login.checks() { SshAction::ask(LOGIN_CHECK) } else { SshAction::accept() };
    Some(SshAction { recorders, on_recording_failure: login.must_record().then_some(failure), ..decided })
}

/// Ascending, which is the order in which a client tries them.
fn recorders(world: &World, login: Login) -> Vec<SocketAddr> {
    if login.recorders().is_empty() {
        return Vec::new();
    }
    let nodes = world.nodes.iter().filter(|node| node.class.is_some() && records(node, login));
    let addresses = nodes.flat_map(|node| [IpAddr::from(node.v4), node.v6.into()]);
    let mut recorders: Vec<SocketAddr> = addresses.map(|address| (address, RECORDER_PORT).into()).collect();
    recorders.sort();
    recorders
}

fn records(node: &Node, login: Login) -> bool {
    login.recorders().iter().any(|tag| node.owner.tags().contains(tag))
}

/// The rules of SSH with other callers or recorders than before, or with the same under other names.
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
    let recorded: Vec<_> = compiled
        .login_order()
        .filter_map(|rule| Some((rule, compiled.login(rule).filter(|login| !login.recorders().is_empty())?)))
        .collect();
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
        changed.extend(recorded.iter().filter_map(|(rule, login)| {
            let records = |node: &Option<Arc<Node>>| node.as_ref().is_some_and(|node| records(node, *login));
            (records(&was) != records(&now)).then_some(*rule)
        }));
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
        if self.changes_policy() || standing(was) != standing(now) {
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
