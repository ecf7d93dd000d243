//! Whom a node sees, and which networks behind them.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    Device,
    alias::Alias,
    answer::{
        Tailnet,
        filter::addresses_as_nets,
        members::{literals, overlaps},
    },
    policy::Acl,
    source::span,
    subject::is_exit,
};

/// A node as it is told to a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peer {
    /// Addresses and routes that belong to it.
    pub allowed_ips: BTreeSet<IpNet>,
    /// Routes that it serves as the primary router.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub primary_routes: BTreeSet<IpNet>,
    /// Capabilities with their parameters.
    pub caps: BTreeMap<String, serde_json::Value>,
}

/// One direction of a rule: who, whom, and by which routers.
#[derive(Clone, Copy)]
struct Link<'a> {
    from: &'a [&'a Alias],
    to: &'a [&'a Alias],
    acl: Option<&'a Acl>,
}

impl<'a> Link<'a> {
    /// Tags of the routers that may carry it; empty is any.
    fn via(self) -> &'a [ident::Tag] {
        self.acl.map(|acl| acl.via.as_slice()).unwrap_or_default()
    }
}

impl Tailnet<'_> {
    /// The node itself.
    pub(crate) fn own(&self, node: &Device) -> Peer {
        let routes = node.routes.iter().filter(|net| is_exit(net) || self.is_primary(node, net, None));
        let primary = node.subnets().filter(|net| self.is_primary(node, net, None));
        Peer {
            allowed_ips: addresses_as_nets(node).into_iter().chain(routes.copied()).collect(),
            primary_routes: primary.copied().collect(),
            caps: self.caps(node),
        }
    }

    /// The node's peers by their host names.
    pub(crate) fn peers(&self, node: &Device) -> BTreeMap<String, Peer> {
        let others = self.roster.devices.iter().filter(|other| other.name != node.name);
        let seen = others.filter(|other| self.reaches(node, other) || self.reaches(other, node));
        seen.map(|other| (other.host.clone(), self.peer(node, other))).collect()
    }

    fn peer(&self, viewer: &Device, node: &Device) -> Peer {
        let (mut allowed_ips, mut primary_routes) = (BTreeSet::new(), BTreeSet::new());
        allowed_ips.extend(addresses_as_nets(node));
        for net in &node.routes {
            if is_exit(net) {
                allowed_ips.extend(self.uses_exit(viewer, net, node).then_some(*net));
            } else if self.uses_route(viewer, net) && self.is_primary(node, net, Some(viewer)) {
                allowed_ips.insert(*net);
                primary_routes.insert(*net);
            }
        }
        Peer { allowed_ips, primary_routes, caps: self.caps_for_peers(node) }
    }

    /// Whether some rule lets the first node, or a network behind it, reach the second or a network behind that.
    fn reaches(&self, a: &Device, b: &Device) -> bool {
        self.policy.opens_all
            || self.any_link(|link| {
                let is_own = a.person().is_some() && a.person() == b.person();
                // A router carries networks, nobody's own devices.
                let own = is_own && link.to.contains(&&Alias::Own) && link.via().is_empty();
                self.is_among(link.from, a) && (own || self.is_opened(link, b))
            })
    }

    fn is_among(&self, aliases: &[&Alias], node: &Device) -> bool {
        let behind = |alias: &Alias| {
            let spans = literals(alias);
            node.subnets().any(|net| spans.iter().any(|span| span::meet(span, &span::of(net))))
        };
        aliases.iter().any(|alias| self.means(alias, node) || behind(alias))
    }

    fn is_opened(&self, link: Link, node: &Device) -> bool {
        let via = link.via();
        if !via.is_empty() {
            let carries = |alias: &&Alias| {
                let internet = **alias == Alias::Internet && node.is_exit_node();
                internet || (**alias != Alias::Any && node.subnets().any(|net| overlaps(alias, net)))
            };
            return via.iter().any(|tag| node.tags.contains(tag)) && link.to.iter().any(carries);
        }
        let exit = || link.to.contains(&&Alias::Internet) && node.is_exit_node();
        self.is_among(link.to, node) || exit()
    }

    /// Whether traffic between the node and the route can pass.
    fn uses_route(&self, node: &Device, route: &IpNet) -> bool {
        // Routers of one route know which of them is in charge.
        let shares = || node.subnets().any(|own| own == route);
        let covers = |aliases: &[&Alias]| aliases.iter().any(|alias| overlaps(alias, route));
        let passes = |link: Link| {
            let there = covers(link.to) && self.is_among(link.from, node);
            there || (covers(link.from) && self.is_opened(link, node))
        };
        self.policy.opens_all || shares() || self.any_link(passes)
    }

    fn uses_exit(&self, node: &Device, route: &IpNet, exit: &Device) -> bool {
        let opens = |link: Link| {
            let all = |alias: &Alias| literals(alias).contains(&span::of(route));
            let wide = |alias: &&Alias| {
                matches!(alias, Alias::Any | Alias::Internet | Alias::Anywhere) || all(alias)
            };
            let via = link.via();
            let by_this = via.is_empty() || via.iter().any(|tag| exit.tags.contains(tag));
            by_this && self.is_among(link.from, node) && link.to.iter().any(wide)
        };
        self.any_link(opens)
    }

    /// Whether the device serves the route; for a viewer whom a rule sends by certain routers, among these.
    fn is_primary(&self, node: &Device, route: &IpNet, viewer: Option<&Device>) -> bool {
        let serving = || self.roster.devices.iter().filter(|device| device.routes.contains(route));
        let via =
            viewer.into_iter().flat_map(|viewer| self.routers_for(viewer, route)).collect::<BTreeSet<_>>();
        let first = if via.is_empty() {
            serving().next()
        } else {
            serving().find(|device| via.iter().any(|tag| device.tags.contains(tag)))
        };
        first.is_some_and(|first| first.name == node.name)
    }

    fn routers_for<'s>(&'s self, viewer: &Device, route: &IpNet) -> impl Iterator<Item = &'s ident::Tag> {
        let rules = self.policy.acls.iter().filter(move |acl| {
            let sources: Vec<_> = acl.sources.iter().map(|named| &named.alias).collect();
            let covers = acl.destinations.iter().any(|(named, _)| overlaps(&named.alias, route));
            !acl.via.is_empty() && covers && self.is_among(&sources, viewer)
        });
        rules.flat_map(|acl| &acl.via)
    }

    fn any_link(&self, test: impl Fn(Link) -> bool) -> bool {
        let by_network = self.policy.acls.iter().any(|acl| {
            let from: Vec<_> = acl.sources.iter().map(|named| &named.alias).collect();
            let to: Vec<_> = acl.destinations.iter().map(|(named, _)| &named.alias).collect();
            test(Link { from: &from, to: &to, acl: Some(acl) })
        });
        by_network
            || self.policy.apps.iter().any(|app| {
                let from: Vec<_> = app.sources.iter().collect();
                let to: Vec<_> = app.destinations.iter().collect();
                test(Link { from: &from, to: &to, acl: None })
            })
    }
}
