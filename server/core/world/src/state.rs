//! The World: one tailnet at one moment, cheap to copy, never changed in place by readers.

use std::{sync::Arc, time::Duration};

use ident::{ApiKeyId, AuthKeyId, MachineKey, NodeId, NodeKey, Tag, UserId};
use imbl::{OrdMap, OrdSet};
use ipnet::IpNet;
use jiff::Timestamp;
use policy::Signature;

use crate::{ApiKey, AuthKey, Classes, Dns, Node, Prepared, Presence, Role, Roster, Settings, User};

/// A tailnet.
#[derive(Debug, Clone)]
pub struct World {
    /// What the configuration fixes.
    pub settings: Arc<Settings>,
    /// Counts batches in this process; 0 is what was loaded.
    pub version: u64,
    /// The devices.
    pub nodes: Roster,
    /// The people.
    pub users: OrdMap<UserId, Arc<User>>,
    /// The roles by name.
    pub roles: OrdMap<String, Arc<Role>>,
    /// The pre-auth keys.
    pub auth_keys: OrdMap<AuthKeyId, Arc<AuthKey>>,
    /// The credentials of the admin API.
    pub api_keys: OrdMap<ApiKeyId, Arc<ApiKey>>,
    /// The policy in force.
    pub policy: Prepared,
    /// What clients are told of DNS.
    pub dns: Arc<Dns>,
    /// The viewer classes under that policy.
    pub classes: Classes,
    /// The machine that each node key ever registered belongs to, for good.
    pub bound: OrdMap<NodeKey, MachineKey>,
    /// Which node serves each subnet route.
    pub primaries: OrdMap<IpNet, NodeId>,
    /// Which of the nodes with a tag serves the route to viewers whom a rule sends by that tag.
    pub via_primaries: OrdMap<(IpNet, Tag), NodeId>,
    pub(crate) deadlines: OrdSet<(Timestamp, NodeId)>,
    pub(crate) next: NextIds,
}

/// Ids are never used again, so the next ones outlive what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextIds {
    /// The id of the next node.
    pub node: NodeId,
    /// The id of the next user.
    pub user: UserId,
    /// The id of the next pre-auth key.
    pub auth_key: AuthKeyId,
    /// The id of the next API key.
    pub api_key: ApiKeyId,
}

impl Default for NextIds {
    fn default() -> Self {
        Self {
            node: NodeId::FIRST,
            user: UserId::FIRST,
            auth_key: AuthKeyId::FIRST,
            api_key: ApiKeyId::FIRST,
        }
    }
}

impl World {
    /// A tailnet with nothing in it, where nothing reaches anything.
    pub fn empty(settings: Settings) -> Self {
        let policy = Prepared::deny_all();
        let dns = Dns { settings: settings.dns.clone(), ..Dns::default() };
        Self {
            dns: Arc::new(dns),
            settings: Arc::new(settings),
            version: 0,
            nodes: Roster::default(),
            users: OrdMap::new(),
            roles: OrdMap::new(),
            auth_keys: OrdMap::new(),
            api_keys: OrdMap::new(),
            classes: Classes::new(1, policy.compiled.clone()),
            policy,
            bound: OrdMap::new(),
            primaries: OrdMap::new(),
            via_primaries: OrdMap::new(),
            deadlines: OrdSet::new(),
            next: NextIds::default(),
        }
    }

    /// The next ids, which the store keeps.
    pub fn next_ids(&self) -> NextIds {
        self.next
    }
    /// The login of the person who owns the node, as the policy knows people.
    pub fn login_of(&self, node: &Node) -> Option<&str> {
        self.users.get(&node.owner.user()?).map(|u| u.login.as_str())
    }
    /// The person with this login.
    pub fn user_by_login(&self, login: &str) -> Option<&Arc<User>> {
        self.users.values().find(|u| u.login == login)
    }
    /// Whether the two nodes are in each other's maps: by their classes, or as devices of one person.
    pub fn sees(&self, a: &Node, b: &Node) -> bool {
        match (a.class, b.class) {
            (Some(ca), Some(cb)) => a.id != b.id && (self.classes.sees(ca, cb) || self.sees_own(a, b)),
            _ => false,
        }
    }
    /// Whether the two belong to one person whose devices see each other.
    pub fn sees_own(&self, a: &Node, b: &Node) -> bool {
        let (Some(owner), Some((ca, cb))) = (a.owner.user(), a.class.zip(b.class)) else { return false };
        a.id != b.id && b.owner.user() == Some(owner) && self.classes.sees_own(ca, cb)
    }
    /// Whether a rule lets `from` log in to `to` by SSH once a person has confirmed it.
    pub fn confirms_logins(&self, from: &Node, to: &Node) -> bool {
        self.confirmed_for(from, to).is_some()
    }
    /// For how long that confirmation is good: the shortest time that such a rule says. None when there is no rule.
    pub fn confirmed_for(&self, from: &Node, to: &Node) -> Option<Duration> {
        if !(from.accepted() && to.accepted()) {
            return None;
        }
        let compiled = self.classes.compiled();
        let own = from.owner.user().is_some() && from.owner.user() == to.owner.user();
        let confirms = |rule: usize| {
            let login = compiled.login(rule).filter(|login| login.checks())?;
            let opens =
                from.badge.logs_in(rule) && (to.badge.is_logged_in_to(rule) || (own && login.opens_own()));
            opens.then(|| Duration::from_secs(login.period_seconds()))
        };
        compiled.login_order().filter_map(confirms).min()
    }
    /// The node's name with the tailnet's domain and a trailing dot.
    pub fn fqdn(&self, node: &Node) -> String {
        format!("{}.{}.", node.name, self.settings.domain)
    }
    /// Subnet routes that this node serves as primary.
    pub fn primary_routes<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = IpNet> + 'a {
        node.subnet_routes().filter(move |r| self.primaries.get(r) == Some(&node.id))
    }
    /// Subnet routes that viewers of a class have by this node, if they may use them: those it is primary of, but where a
    /// rule sends them by certain tags, those it serves for one of these.
    pub fn routes_for<'a>(
        &'a self,
        viewer: &'a Signature,
        node: &'a Node,
    ) -> impl Iterator<Item = IpNet> + 'a {
        node.subnet_routes().filter(move |route| {
            let tags = self.classes.compiled().routers(viewer, route);
            let by_tags = tags.iter().filter_map(|tag| self.via_primaries.get(&(*route, (*tag).clone())));
            let router = if tags.is_empty() { self.primaries.get(route) } else { by_tags.min() };
            router == Some(&node.id)
        })
    }
    /// The next moment at which [`crate::Command::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.get_min().map(|(at, _)| *at)
    }

    /// Nodes whose deadline has come, earliest first.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Arc<Node>> {
        let mut due = Vec::new();
        for (at, id) in &self.deadlines {
            if *at > now {
                break;
            }
            due.extend(self.nodes.get(*id).cloned());
        }
        due
    }

    /// Whether clients are told something else of DNS: what the configuration says of it holds until anything of it is
    /// changed by an operator.
    pub(crate) fn take_settings(&mut self, settings: &Settings) -> bool {
        let untouched = Dns { settings: self.settings.dns.clone(), ..Dns::default() };
        let follows = *self.dns == untouched && self.settings.dns != settings.dns;
        if follows {
            self.dns = Arc::new(Dns { settings: settings.dns.clone(), ..Dns::default() });
        }
        self.settings = Arc::new(settings.clone());
        let deadline = |node: &Arc<Node>| Some((self.deadline_of(node)?, node.id));
        self.deadlines = self.nodes.iter().filter_map(deadline).collect();
        follows
    }

    pub(crate) fn put_node(&mut self, node: Node) {
        self.drop_deadline(node.id);
        if let Some(at) = self.deadline_of(&node) {
            self.deadlines.insert((at, node.id));
        }
        self.nodes.put(node, self.version);
    }

    pub(crate) fn remove_node(&mut self, id: NodeId) -> Option<Arc<Node>> {
        self.drop_deadline(id);
        self.nodes.remove(id, self.version)
    }

    fn drop_deadline(&mut self, id: NodeId) {
        if let Some(at) = self.nodes.get(id).and_then(|old| self.deadline_of(old)) {
            self.deadlines.remove(&(at, id));
        }
    }

    pub(crate) fn deadline_of(&self, node: &Node) -> Option<Timestamp> {
        let leaving = match node.live.presence {
            Presence::Leaving { until, routes_until } if hands_over(node) => Some(until.min(routes_until)),
            Presence::Leaving { until, .. } => Some(until),
            Presence::Connected { .. } | Presence::Offline => None,
        };
        let expiry = node.key_expiry.filter(|_| !node.expired);
        let forgotten = self.forget_at(node);
        [leaving, expiry, forgotten].into_iter().flatten().min()
    }

    /// When an ephemeral node without a stream is deleted.
    pub(crate) fn forget_at(&self, node: &Node) -> Option<Timestamp> {
        if !node.ephemeral || node.live.presence != Presence::Offline {
            return None;
        }
        let since = node.live.last_seen.unwrap_or(node.created);
        since.checked_add(jiff::SignedDuration::try_from(self.settings.ephemeral_grace).ok()?).ok()
    }
}

/// Whether routes of the node, approved or not yet, wait for it to come back.
pub(crate) fn hands_over(node: &Node) -> bool {
    node.live.responsive && !node.hostinfo.routable_ips.is_empty()
}
