//! What an event does to a World. Deterministic: no time, no randomness, no failure.

use std::sync::Arc;

use ident::{NodeId, NodeKey, Tag, UserId};
use jiff::Timestamp;

use crate::{
    Change, Draft, DurableEvent, Event, Fields, Lifecycle, Node, NonEmpty, Owner, Presence, VolatileEvent,
};

impl Draft {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Durable(e) => self.apply_durable(e),
            Event::Volatile(e) => self.apply_volatile(e),
        }
    }

    fn apply_durable(&mut self, event: &DurableEvent) {
        use DurableEvent as E;
        match event {
            E::NodeRegistered { node } => self.join((**node).clone()),
            E::NodeReauthenticated { node, node_key, tags, responsible, auth_key, ephemeral, expiry } => self
                .come_back(*node, *node_key, *ephemeral, *expiry, |n| {
                    match tags {
                        Some(tags) => (n.owner, n.responsible) = (Owner::Tags(tags.clone()), *responsible),
                        None => n.owner = responsible.map_or(n.owner.clone(), Owner::User),
                    }
                    n.auth_key = Some(*auth_key);
                }),
            E::NodeReadmitted { node, node_key, owner, responsible, ephemeral, expiry } => {
                self.come_back(*node, *node_key, *ephemeral, *expiry, |n| {
                    n.owner = owner.clone();
                    n.responsible = *responsible;
                    n.auth_key = None;
                });
            }
            E::NodeLoggedOut { node } => self.change(*node, Fields::WHOLE, |n| {
                n.lifecycle = Lifecycle::LoggedOut;
                n.live.presence = Presence::Offline;
            }),
            E::NodeKeyExpirySet { node, expiry } => {
                self.change(*node, Fields::KEY_EXPIRY | Fields::WHOLE, |n| {
                    n.key_expiry = *expiry;
                    n.never_expires = expiry.is_none();
                    n.expired = false;
                })
            }
            E::NodeHostinfoChanged { node, name, hostinfo } => self.change(*node, Fields::WHOLE, |n| {
                n.name.clone_from(name);
                n.hostinfo = hostinfo.clone();
            }),
            E::NodeRenamed { node, name } => self.change(*node, Fields::WHOLE, |n| {
                n.name.clone_from(name);
                n.renamed = true;
            }),
            E::NodeTagged { node, tags } => self.tag(*node, tags),
            E::NodeMoved { node, user, expiry } => self.give(*node, *user, *expiry),
            E::NodeRoutesApproved { node, routes } => {
                self.change(*node, Fields::WHOLE, |n| n.approved_routes.clone_from(routes));
            }
            // For the log alone: a login is not of the tailnet's state.
            E::LoginConfirmed { .. } | E::LoginDenied { .. } => {}
            E::NodeDeleted { node } => self.leave(*node),
            E::UserCreated { user } => {
                self.world.next.user = self.world.next.user.max(user.id.next());
                self.world.users.insert(user.id, Arc::new(user.clone()));
            }
            E::UserRenamed { user, login } => self.rename_user(*user, login),
            E::UserDeleted { user } => {
                self.world.users.remove(user);
            }
            E::RoleSet { role } => {
                self.world.roles.insert(role.name.clone(), Arc::new(role.clone()));
            }
            E::RoleDeleted { name } => {
                self.world.roles.remove(name);
            }
            E::AuthKeyCreated { key } => {
                self.world.next.auth_key = self.world.next.auth_key.max(key.id.next());
                self.world.auth_keys.insert(key.id, Arc::new(key.clone()));
            }
            E::AuthKeyUsed { key, node: _, at } => self.change_auth_key(*key, |k| {
                k.used += 1;
                k.last_used = Some(*at);
            }),
            E::AuthKeyRevoked { key, at } => self.change_auth_key(*key, |k| k.revoked = Some(*at)),
            E::ApiKeyCreated { key } => {
                self.world.next.api_key = self.world.next.api_key.max(key.id.next());
                self.world.api_keys.insert(key.id, Arc::new(key.clone()));
            }
            E::ApiKeyRevoked { key, at } => self.change_api_key(*key, |k| k.revoked = Some(*at)),
            E::CallRefused { .. }
            | E::BackupMade { .. }
            | E::NoticeGiven { .. }
            | E::NoticeAcknowledged { .. }
            | E::NodeHealthChanged { .. }
            | E::ServerKeyRotated { .. }
            | E::ServerKeyRetired { .. } => {}
            E::PolicySet { policy, .. } => self.put_in_force(policy),
            E::DnsSet { settings, .. } => self.change_dns(|dns| dns.settings.clone_from(settings)),
            E::DnsRecordSet { name, addresses, .. } => self.change_dns(|dns| {
                dns.records.insert(name.clone(), addresses.clone());
            }),
            E::DnsRecordDeleted { name } => self.change_dns(|dns| {
                dns.records.remove(name);
            }),
            E::DnsRecordsRead { records } => self.change_dns(|dns| dns.watched.clone_from(records)),
        }
    }

    fn apply_volatile(&mut self, event: &VolatileEvent) {
        use VolatileEvent as E;
        match event {
            E::Reported { node, endpoints, disco, home_derp, capver } => {
                let Some(old) = self.world.nodes.get(*node) else { return };
                let fields = reported_fields(old, endpoints, *disco, *home_derp, *capver);
                self.change(*node, fields, |n| {
                    n.live.endpoints.clone_from(endpoints);
                    n.live.disco = *disco;
                    n.live.home_derp = *home_derp;
                    n.live.capver = *capver;
                });
            }
            E::PresenceChanged { node, presence, last_seen } => {
                let Some(old) = self.world.nodes.get(*node) else { return };
                let online = !matches!(presence, Presence::Offline);
                let back = matches!(presence, Presence::Connected { .. });
                let mut fields =
                    if old.online() == online { Fields::NONE } else { Fields::ONLINE | Fields::LAST_SEEN };
                if back && !old.live.responsive {
                    fields |= Fields::TRUST;
                }
                self.change(*node, fields, |n| {
                    n.live.presence = *presence;
                    n.live.last_seen = *last_seen;
                    n.live.responsive |= back;
                });
            }
            E::SettingsTaken { settings } => {
                if self.world.take_settings(settings) {
                    self.changes.push(Change::Dns);
                }
            }
            E::Responsive { node, responsive } => {
                self.change(*node, Fields::TRUST, |n| n.live.responsive = *responsive);
            }
            E::KeyExpired { node } => {
                self.change(*node, Fields::WHOLE | Fields::KEY_EXPIRY, |n| n.expired = true);
            }
            E::RoutePrimary { prefix, via, node } => self.move_primary(prefix, via.as_ref(), *node),
            E::ApiKeyUsed { key, at } => self.change_api_key(*key, |k| k.last_used = Some(*at)),
        }
    }

    pub(crate) fn join(&mut self, mut node: Node) {
        self.world.next.node = self.world.next.node.max(node.id.next());
        node.rev = self.world.version;
        self.classify(&mut node);
        let (id, after, routes) = (node.id, node.class, node.served_routes());
        self.world.bound.insert(node.node_key, node.machine);
        self.world.put_node(node);
        self.note(id, Fields::WHOLE, None, after);
        if !routes.is_empty() {
            self.approved_routes_changed();
        }
    }

    /// A known device with a new key, which is the machine's for good.
    fn come_back(
        &mut self,
        id: NodeId,
        key: NodeKey,
        ephemeral: bool,
        expiry: Option<Timestamp>,
        edit: impl FnOnce(&mut Node),
    ) {
        if let Some(machine) = self.world.nodes.get(id).map(|n| n.machine) {
            self.world.bound.insert(key, machine);
        }
        self.change(id, Fields::WHOLE | Fields::KEY | Fields::KEY_EXPIRY, |n| {
            n.node_key = key;
            n.ephemeral = ephemeral;
            n.lifecycle = Lifecycle::Active;
            n.key_expiry = expiry;
            n.expired = false;
            edit(n);
        });
    }

    /// A tagged device does not run out with the person's; one that has run out stays so.
    fn tag(&mut self, id: NodeId, tags: &NonEmpty<Tag>) {
        self.change(id, Fields::WHOLE | Fields::KEY_EXPIRY, |n| {
            if n.owner.user().is_some() && !n.expired {
                n.key_expiry = None;
            }
            n.owner = Owner::Tags(tags.clone());
        });
    }

    fn give(&mut self, id: NodeId, user: UserId, expiry: Option<Timestamp>) {
        self.change(id, Fields::WHOLE | Fields::KEY_EXPIRY, |n| {
            n.owner = Owner::User(user);
            n.responsible = None;
            n.key_expiry = expiry;
        });
    }

    fn leave(&mut self, id: NodeId) {
        if let Some(node) = self.world.remove_node(id) {
            self.note(id, Fields::WHOLE, node.class, None);
            if !node.served_routes().is_empty() {
                self.approved_routes_changed();
            }
        }
    }

    fn change(&mut self, id: NodeId, fields: Fields, edit: impl FnOnce(&mut Node)) {
        let Some(old) = self.world.nodes.get(id) else { return };
        let (before, old_routes) = (old.class, old.served_routes());
        let mut node = (**old).clone();
        edit(&mut node);
        if !fields.is_empty() && fields != Fields::TRUST {
            node.rev = self.world.version;
        }
        if fields.contains(Fields::WHOLE) {
            self.classify(&mut node);
        }
        let after = node.class;
        let routes_changed = fields.contains(Fields::WHOLE) && old_routes != node.served_routes();
        self.world.put_node(node);
        if !fields.is_empty() {
            self.note(id, fields, before, after);
        }
        if routes_changed {
            self.approved_routes_changed();
        }
    }

    /// Rules whose sources include every approved route.
    fn approved_routes_changed(&mut self) {
        for rule in 0..self.world.classes.compiled().rules().len() {
            if self.world.classes.compiled().sources_fixed(rule).approved_routes {
                self.sources_changed(rule);
            }
        }
    }

    fn sources_changed(&mut self, rule: usize) {
        self.world.classes.sources_changed(rule, self.world.version);
        self.changes.push(Change::Sources { rule });
    }

    fn classify(&mut self, node: &mut Node) {
        let login = node.owner.user().and_then(|u| self.world.users.get(&u)).map(|u| u.login.clone());
        let seen = node.lifecycle == Lifecycle::Active;
        node.auto_routes = crate::route::auto_approved(
            &self.world.classes,
            &self.world.settings.own_addresses,
            node,
            login.as_deref(),
        );
        node.badge = self.world.classes.badge_of(node, login.as_deref());
        let signature = seen.then(|| self.world.classes.signature_of(node, login.as_deref()));
        node.class = signature.map(|signature| self.world.classes.class_of(signature));
    }

    fn note(
        &mut self,
        id: NodeId,
        fields: Fields,
        before: Option<crate::ClassId>,
        after: Option<crate::ClassId>,
    ) {
        self.changes.push(Change::Node { id, fields, before, after });
        if before == after {
            return;
        }
        let from = |class: Option<crate::ClassId>| {
            class.map(|c| self.world.classes.rules_from(c)).unwrap_or_default()
        };
        let (old, new) = (from(before), from(after));
        for rule in old.iter().filter(|r| !new.contains(r)).chain(new.iter().filter(|r| !old.contains(r))) {
            self.sources_changed(*rule);
        }
    }

    fn move_primary(&mut self, prefix: &ipnet::IpNet, via: Option<&Tag>, to: Option<NodeId>) {
        let by_tag = via.map(|tag| (*prefix, tag.clone()));
        let from = match (by_tag, to) {
            (None, Some(id)) => self.world.primaries.insert(*prefix, id),
            (None, None) => self.world.primaries.remove(prefix),
            (Some(by_tag), Some(id)) => self.world.via_primaries.insert(by_tag, id),
            (Some(by_tag), None) => self.world.via_primaries.remove(&by_tag),
        };
        for id in [from, to].into_iter().flatten() {
            self.touch(id);
        }
    }

    /// The node is to be told of anew although nothing of itself is another: once for all routes that it gains or loses.
    fn touch(&mut self, id: NodeId) {
        let version = self.world.version;
        let Some(old) = self.world.nodes.get(id).filter(|node| node.rev != version) else { return };
        let (class, node) = (old.class, Node { rev: version, ..(**old).clone() });
        self.world.nodes.put(node, version);
        self.note(id, Fields::WHOLE, class, class);
    }

    fn change_dns(&mut self, edit: impl FnOnce(&mut crate::Dns)) {
        edit(Arc::make_mut(&mut self.world.dns));
        self.changes.push(Change::Dns);
    }

    fn rename_user(&mut self, id: ident::UserId, login: &str) {
        let Some(old) = self.world.users.get(&id) else { return };
        let user = crate::User { login: login.to_owned(), ..(**old).clone() };
        self.world.users.insert(id, Arc::new(user));
        self.changes.push(Change::User { id });
        let owned: Vec<_> = self.world.nodes.owned_by(id).map(|n| n.id).collect();
        for node in owned {
            self.change(node, Fields::WHOLE, |_| {});
        }
    }

    fn change_auth_key(&mut self, id: ident::AuthKeyId, edit: impl FnOnce(&mut crate::AuthKey)) {
        if let Some(old) = self.world.auth_keys.get(&id) {
            let mut key = (**old).clone();
            edit(&mut key);
            self.world.auth_keys.insert(id, Arc::new(key));
        }
    }

    fn change_api_key(&mut self, id: ident::ApiKeyId, edit: impl FnOnce(&mut crate::ApiKey)) {
        if let Some(old) = self.world.api_keys.get(&id) {
            let mut key = (**old).clone();
            edit(&mut key);
            self.world.api_keys.insert(id, Arc::new(key));
        }
    }
}

fn reported_fields(
    old: &Node,
    endpoints: &[std::net::SocketAddr],
    disco: Option<ident::DiscoKey>,
    home_derp: u16,
    capver: u32,
) -> Fields {
    let live = &old.live;
    let mut fields = Fields::NONE;
    for (changed, field) in [
        (live.endpoints != endpoints, Fields::ENDPOINTS),
        (live.disco != disco, Fields::DISCO),
        (live.home_derp != home_derp, Fields::HOME_DERP),
        (live.capver != capver, Fields::CAPVER),
    ] {
        if changed {
            fields |= field;
        }
    }
    fields
}
