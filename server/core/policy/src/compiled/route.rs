//! Whose routes a viewer is given, and who approves them.

use std::collections::BTreeSet;

use ident::Tag;
use ipnet::IpNet;

use crate::{
    Compiled, Signature, Subject,
    alias::Alias,
    compiled::{index::Marks, rule::family},
    subject::is_exit,
};

impl Compiled {
    /// Whether this viewer gets this route of that router in the router's `AllowedIPs`, if it sees the router: it may
    /// reach something in the route, the route's networks may reach something of the viewer, or it serves the same
    /// route. An exit route (0.0.0.0/0, ::/0) is for those who may use the exit node.
    pub fn route_visible(&self, viewer: &Signature, prefix: &IpNet, router: &Signature) -> bool {
        if is_exit(prefix) {
            let family = family(prefix);
            return self.index.exits[family].touches(viewer.source())
                || self.index.exits_via[family].meets(viewer.source(), router.carried());
        }
        let passes = |marks: &Marks| {
            marks.destination.touches(viewer.source())
                || marks.routed.touches(viewer.source())
                || marks.source.touches(viewer.destination())
        };
        viewer.serves(prefix) || self.about(prefix).any(passes)
    }

    /// Tags of the routers by which rules with `via` send this viewer into the subnet; empty where any router will do.
    pub fn routers(&self, viewer: &Signature, prefix: &IpNet) -> BTreeSet<&Tag> {
        if self.index.router_tags().next().is_none() || is_exit(prefix) {
            return BTreeSet::new();
        }
        let rules = self.about(prefix).flat_map(|marks| marks.routed.common(viewer.source()));
        rules.filter_map(|rule| self.rules.get(rule)).flat_map(|rule| &rule.via).collect()
    }

    /// Every tag that some rule names as its routers', ascending.
    pub fn router_tags(&self) -> impl Iterator<Item = &Tag> {
        self.index.router_tags()
    }

    /// Whether the node's advertised route needs nobody's approval: it lies within a prefix of `autoApprovers.routes`
    /// whose approvers include the node. Exit routes are approved by `autoApprovers.exitNode` alone.
    pub fn auto_approves(&self, s: &Subject, prefix: &IpNet) -> bool {
        let owner = s.owner();
        let includes = |aliases: &[Alias]| {
            aliases.iter().any(|alias| self.content.covers(alias, s.tags, owner.as_deref()))
        };
        if is_exit(prefix) {
            return includes(&self.content.exit_approvers);
        }
        let mut approvers = self.content.approvers.iter();
        approvers.any(|(net, aliases)| net.contains(prefix) && includes(aliases))
    }

    /// Marks of whatever names an address of the prefix.
    fn about<'a>(&'a self, prefix: &IpNet) -> impl Iterator<Item = &'a Marks> {
        self.index.prefixes.overlapping(*prefix).chain([&self.index.everyone])
    }
}
